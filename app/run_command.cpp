#include <unistd.h>

#include <app/commands.hpp>
#include <app/config_file.hpp>
#include <app/exit_codes.hpp>
#include <app/line_writer.hpp>
#include <app/output.hpp>
#include <app/service.hpp>
#include <app/stand_in.hpp>

namespace holdfast::app {

int run(RunCommand command) {
  Settings file;
  if (command.config_file) {
    auto read = read_config_file(*command.config_file);
    if (!read) return fail(exit_usage, read.error().message);
    file = std::move(*read);
  }
  auto config = make_config(std::move(command.flags), std::move(file), Environment::of_process());
  if (!config) return fail(exit_usage, config.error().message);

  prepare_process();
  net::asio::io_context io;
  LineWriter lines{STDOUT_FILENO};
  Service service{io, lines, OnHangup::retry};
  const auto stand_in = serve_stand_in(io, config->upstreams, [&service](const std::string& fault) {
    service.say("the stand-in bridge: " + fault);
  });
  if (!stand_in) return fail(exit_listen, stand_in.error().message);
  if (const auto trouble = service.start(std::move(*config))) {
    return fail(trouble->exit_code, trouble->sentence);
  }
  io.run();
  return exit_ok;
}

}  // namespace holdfast::app
