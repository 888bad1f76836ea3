/// The command line, read into one struct per command.
#pragma once

#include <app/settings.hpp>
#include <core/records.hpp>
#include <cstddef>
#include <filesystem>
#include <net/url.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace holdfast::app {

struct RunCommand {
  Settings flags;
  std::optional<std::filesystem::path> config_file;
};

struct DemoCommand {
  std::optional<core::Duration> stop_after;  ///< nothing: until Ctrl-C
  std::optional<net::Endpoint> listen;       ///< nothing: the usual port, else any free one
};

/// How to reach a running gateway.
struct Access {
  net::Url url;
  std::string token;  ///< empty: none
};

struct StatusCommand {
  Access access;
  bool json = false;
};

struct SendCommand {
  Access access;
  std::string account;
  std::vector<std::string> recipients;
  std::optional<std::string> message;  ///< nothing or "-": from standard input
  std::string idempotency_key;         ///< empty: one is made up
  bool json = false;
};

struct ReceiveCommand {
  Access access;
  std::string account;
  std::optional<std::size_t> frames_max;
  std::optional<core::Duration> timeout;  ///< ends after so long without a frame
  bool json = false;
};

struct OutboxCommand {
  Access access;
  std::string id;  ///< empty: a list
  std::optional<core::EntryState> state;
  bool json = false;
};

struct AuditCommand {
  std::optional<std::filesystem::path> data_dir;
  bool json = false;
};

/// Nothing to do but to say something: help, the version, or what is wrong.
struct Say {
  std::string text;
  int exit_code = 0;  ///< 0: to standard output, else an error
};

using Command = std::variant<RunCommand, DemoCommand, StatusCommand, SendCommand, ReceiveCommand,
                             OutboxCommand, AuditCommand, Say>;

/// `version`: what `--version` prints.
[[nodiscard]] Command parse_command_line(int argc, const char* const* argv,
                                         const std::string& version);

}  // namespace holdfast::app
