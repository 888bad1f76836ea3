#include <boost/asio/signal_set.hpp>
#include <boost/json/serialize.hpp>
#include <bridge_sim/bridge_sim.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

namespace {

using holdfast::bridge_sim::BridgeSim;
using holdfast::bridge_sim::Options;
using holdfast::bridge_sim::ReceiveMode;

constexpr const char* usage =
    R"(bridge-sim: a stand-in for signal-cli and signal-cli-rest-api, with faults on demand.

  --rest ADDRESS            signal-cli-rest-api's HTTP and WebSocket, such as 127.0.0.1:8080
  --jsonrpc URL             signal-cli's JSON-RPC: tcp://127.0.0.1:7583 or unix:/path; repeatable
  --jsonrpc-http ADDRESS    signal-cli's JSON-RPC over HTTP
  --control ADDRESS         where faults and messages are asked for
  --account +NUMBER         repeatable; +15550001111 without one
  --receive-mode MODE       on-start (as without the option), on-connection or manual
  --rest-mode MODE          json-rpc (as without the option), normal or native
  --array-answers           /v2/send answers an array, as unreleased versions do
  --receipts                a delivery receipt follows each message that was sent
  --rate N                  messages a second that come in for each account
  --script FILE             what happens when; "demo" is built in
  --seed N                  of every random choice

Port 0 takes a free one; the real ports are printed as one JSON line. bridge-sim/README.md has the
control calls, the faults and the script. Exit code 2: wrong arguments or an address in use.
)";

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "bridge-sim: %s\n", message.c_str());
  std::exit(2);
}

template <typename T>
T or_fail(holdfast::Result<T> result) {
  if (!result) fail(result.error().message);
  return std::move(*result);
}

std::string read_script(const std::string& name) {
  if (name == "demo") return holdfast::bridge_sim::demo_script();
  std::ifstream file{name};
  if (!file) fail("cannot read the script " + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

ReceiveMode receive_mode(const std::string& name) {
  if (name == "on-start") return ReceiveMode::on_start;
  if (name == "on-connection") return ReceiveMode::on_connection;
  if (name == "manual") return ReceiveMode::manual;
  fail("\"" + name + "\" is no receive mode: on-start, on-connection or manual");
}

holdfast::net::Endpoint jsonrpc_endpoint(const std::string& text) {
  if (text.starts_with("unix:")) return or_fail(holdfast::net::parse_url(text)).endpoint;
  const std::string prefix = "tcp://";
  if (!text.starts_with(prefix)) fail("\"" + text + "\" is neither tcp://HOST:PORT nor unix:/path");
  return or_fail(holdfast::net::parse_listen_address(text.substr(prefix.size())));
}

/// An option that takes a value; false if `name` is none.
bool take_option(Options& options, const std::string& name, const std::string& value) {
  using holdfast::net::parse_listen_address;
  if (name == "--rest") {
    options.rest = or_fail(parse_listen_address(value));
  } else if (name == "--jsonrpc") {
    options.jsonrpc.push_back(jsonrpc_endpoint(value));
  } else if (name == "--jsonrpc-http") {
    options.jsonrpc_http = or_fail(parse_listen_address(value));
  } else if (name == "--control") {
    options.control = or_fail(parse_listen_address(value));
  } else if (name == "--account") {
    options.accounts.push_back(value);
  } else if (name == "--receive-mode") {
    options.receive_mode = receive_mode(value);
  } else if (name == "--rest-mode") {
    options.rest_settings.mode = value;
  } else if (name == "--rate") {
    options.rate = std::atof(value.c_str());
  } else if (name == "--script") {
    options.script = read_script(value);
  } else if (name == "--seed") {
    options.seed = std::strtoull(value.c_str(), nullptr, 10);
  } else {
    return false;
  }
  return true;
}

Options read_options(int argc, char** argv) {
  Options options;
  options.accounts.clear();
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--help" || name == "-h") {
      std::fputs(usage, stdout);
      std::exit(0);
    }
    if (name == "--array-answers") {
      options.rest_settings.array_answers = true;
      continue;
    }
    if (name == "--receipts") {
      options.delivery_receipts = true;
      continue;
    }
    std::optional<std::string> value;
    if (const auto equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    if (!value || !take_option(options, name, *value)) {
      fail("\"" + name + "\" is no option, or lacks its value; see --help");
    }
  }
  if (options.accounts.empty()) options.accounts.emplace_back("+15550001111");
  if (!options.rest && options.jsonrpc.empty() && !options.jsonrpc_http) {
    fail("nothing to stand in for: give --rest, --jsonrpc or --jsonrpc-http; see --help");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Options options = read_options(argc, argv);
  options.on_event = [](const std::string& sentence) {
    std::fprintf(stderr, "%s\n", sentence.c_str());
  };
  const std::size_t jsonrpc_count = options.jsonrpc.size();
  boost::asio::io_context io{1};
  const auto sim = or_fail(BridgeSim::start(io, std::move(options)));

  boost::json::array jsonrpc;
  for (std::size_t i = 0; i < jsonrpc_count; ++i) jsonrpc.emplace_back(sim->jsonrpc_port(i));
  const boost::json::object ports{{"rest", sim->rest_port()},
                                  {"jsonrpc", std::move(jsonrpc)},
                                  {"jsonrpc_http", sim->jsonrpc_http_port()},
                                  {"control", sim->control_port()}};
  std::cout << boost::json::serialize(ports) << std::endl;

  boost::asio::signal_set signals{io, SIGINT, SIGTERM};
  signals.async_wait([&io](const boost::system::error_code&, int) { io.stop(); });
  io.run();
  return 0;
}
