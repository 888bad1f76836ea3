#include <app/commands.hpp>
#include <app/exit_codes.hpp>
#include <app/output.hpp>
#include <cstdio>
#include <exception>
#include <gateway/version.hpp>
#include <variant>

namespace holdfast::app {
namespace {

struct Carry {
  int operator()(RunCommand& command) const { return run(std::move(command)); }
  int operator()(const DemoCommand& command) const { return demo(command); }
  int operator()(const StatusCommand& command) const { return status(command); }
  int operator()(const SendCommand& command) const { return send(command); }
  int operator()(const ReceiveCommand& command) const { return receive(command); }
  int operator()(const OutboxCommand& command) const { return outbox(command); }
  int operator()(const AuditCommand& command) const { return audit(command); }
  int operator()(const Say& say) const {
    if (say.exit_code != exit_ok) return fail(say.exit_code, say.text);
    return print(say.text) ? exit_ok : exit_internal;
  }
};

}  // namespace

int run_program(int argc, const char* const* argv) {
  try {
    Command command = parse_command_line(argc, argv, gateway::version);
    return std::visit(Carry{}, command);
  } catch (const std::exception& bug) {
    return fail(exit_internal, std::string{"unexpected: "} + bug.what());
  }
}

}  // namespace holdfast::app
