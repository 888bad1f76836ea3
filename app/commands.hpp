/// The commands: each does its work, prints, and returns the exit code of the process.
#pragma once

#include <app/command_line.hpp>

namespace holdfast::app {

/// The whole program.
[[nodiscard]] int run_program(int argc, const char* const* argv);

[[nodiscard]] int run(RunCommand command);
[[nodiscard]] int demo(const DemoCommand& command);
[[nodiscard]] int status(const StatusCommand& command);
[[nodiscard]] int send(const SendCommand& command);
[[nodiscard]] int receive(const ReceiveCommand& command);
[[nodiscard]] int outbox(const OutboxCommand& command);
[[nodiscard]] int audit(const AuditCommand& command);

}  // namespace holdfast::app
