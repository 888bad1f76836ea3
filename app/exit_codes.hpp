/// What the process tells its caller. Documented in docs/command-line.md; the numbers are stable.
#pragma once

namespace holdfast::app {

enum ExitCode : int {
  exit_ok = 0,
  exit_finding = 1,        ///< `audit` found that something is not conserved
  exit_usage = 2,          ///< the command line or the configuration is wrong
  exit_listen = 3,         ///< the address cannot be listened on
  exit_store = 4,          ///< the store cannot be opened, read or written
  exit_unreachable = 5,    ///< no gateway answers at the address
  exit_refused = 6,        ///< the gateway answered, and said no
  exit_internal = 70,      ///< a bug of Holdfast's
  exit_interrupted = 130,  ///< a second Ctrl-C: stopped without waiting for anything
};

}  // namespace holdfast::app
