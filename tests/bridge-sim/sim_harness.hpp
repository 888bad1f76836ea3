/// A stand-in and its clients in one io_context. Waits for conditions, never for time.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <bridge_sim/bridge_sim.hpp>
#include <bridge_sim/values.hpp>
#include <functional>
#include <net/http.hpp>
#include <net/lines.hpp>
#include <net/websocket.hpp>
#include <optional>

namespace holdfast::bridge_sim::test {

using namespace std::chrono_literals;

inline const std::string account = "+15550001111";
inline const std::string ada = "+15550009001";

inline json::object object(std::string_view text) {
  boost::json::error_code ec;
  json::value value = json::parse(text, ec);
  if (ec || !value.is_object()) {
    ADD_FAILURE() << "no JSON object: " << text;
    return {};
  }
  return std::move(value.get_object());
}

class Sim {
 public:
  asio::io_context io{1};

  Sim() : Sim{everything(ReceiveMode::manual)} {}
  explicit Sim(Options options) {
    auto started = BridgeSim::start(io, std::move(options));
    EXPECT_TRUE(started) << started.error().message;
    if (started) sim_ = std::move(*started);
  }
  static Options everything(ReceiveMode mode = ReceiveMode::manual) {
    Options options;
    options.rest = options.control = options.jsonrpc_http = any_port();
    options.jsonrpc = {any_port()};
    options.receive_mode = mode;
    return options;
  }
  static net::Endpoint any_port() {
    net::Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    return endpoint;
  }
  static net::Endpoint at(std::uint16_t port) {
    net::Endpoint endpoint = any_port();
    endpoint.port = port;
    return endpoint;
  }

  BridgeSim& operator*() { return *sim_; }
  BridgeSim* operator->() { return sim_.get(); }
  void end() { sim_.reset(); }

  void fault(std::string_view text) {
    const auto applied = sim_->fault(object(text));
    EXPECT_TRUE(applied) << applied.error().message;
  }
  void inject(std::string_view text) {
    const auto injected = sim_->inject(object(text));
    EXPECT_TRUE(injected) << injected.error().message;
  }
  [[nodiscard]] std::int64_t counter(std::string_view name) const {
    const json::object state = sim_->state();
    return *number_of(state.at("accounts").get_array()[0].get_object(), name);
  }
  [[nodiscard]] std::vector<std::string> sent_messages() const {
    std::vector<std::string> messages;
    const json::object all = sim_->sent();
    for (const json::value& sent : all.at("sent").get_array()) {
      messages.push_back(text_of(sent.get_object(), "message"));
    }
    return messages;
  }

  void until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      io.restart();
      io.run_one_for(5ms);  // a condition may make calls of its own, so look again soon
      if (std::chrono::steady_clock::now() >= end) {
        ADD_FAILURE() << "waited in vain";
        return;
      }
    }
  }
  void settle() {
    io.restart();
    while (io.poll() > 0) io.restart();
  }
  template <typename T>
  T run(net::Task<T> task) {
    std::optional<T> value;
    asio::co_spawn(io, keep(std::move(task), &value), asio::detached);
    until([&] { return value.has_value(); });
    return std::move(value).value();
  }

  net::HttpResponse http(std::uint16_t port, std::string method, std::string target,
                         std::string body = {}, std::string type = "application/json") {
    net::HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    request.headers.emplace_back("Content-Type", std::move(type));
    net::HttpClient client{at(port)};
    auto response = run(client.call(std::move(request), 20s));
    return response ? std::move(*response)
                    : net::HttpResponse{.status = 0, .headers = {}, .body = {}};
  }
  net::HttpResponse rest(std::string method, std::string target, std::string body = {}) {
    return http(sim_->rest_port(), std::move(method), std::move(target), std::move(body));
  }

  net::LineStreamPtr lines() {
    auto stream = run(net::connect_lines(at(sim_->jsonrpc_port()), net::ConnectOptions{}));
    EXPECT_TRUE(stream) << stream.error().message;
    return stream ? *stream : nullptr;
  }
  net::WebSocketPtr socket(std::string number = account) {
    auto opened = run(open(sim_->rest_port(), "/v1/receive/" + net::percent_encode(number)));
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *opened : nullptr;
  }
  std::string ask(net::LineStream& stream, std::string request) {
    EXPECT_TRUE(run(stream.write_line(std::move(request))));
    return read(stream);
  }
  std::string read(net::LineStream& stream) {
    auto line = run(stream.read_line());
    return line ? *line : "<" + std::string{to_string(line.error().code)} + ">";
  }
  std::string read(net::WebSocket& stream) {
    auto message = run(stream.read());
    return message ? *message : "<" + std::string{to_string(message.error().code)} + ">";
  }

 private:
  template <typename T>
  static net::Task<> keep(net::Task<T> task, std::optional<T>* value) {
    value->emplace(co_await std::move(task));
  }
  static net::Task<Result<net::WebSocketPtr>> open(std::uint16_t port, std::string target) {
    net::WebSocketOptions options;
    options.target = std::move(target);
    auto opened = co_await net::open_websocket(at(port), std::move(options));
    co_return opened;
  }

  asio::executor_work_guard<asio::io_context::executor_type> work_{io.get_executor()};
  std::unique_ptr<BridgeSim> sim_;
};

/// The outcome of a task that runs beside the test.
template <typename T>
class Started {
 public:
  Started(Sim& sim, net::Task<T> task) : sim_{sim} {
    asio::co_spawn(sim.io, keep(std::move(task), cell_), asio::detached);
  }
  [[nodiscard]] bool done() const { return cell_->has_value(); }
  T& wait() {
    sim_.until([this] { return done(); });
    return **cell_;
  }

 private:
  static net::Task<> keep(net::Task<T> task, std::shared_ptr<std::optional<T>> cell) {
    cell->emplace(co_await std::move(task));
  }
  Sim& sim_;
  std::shared_ptr<std::optional<T>> cell_ = std::make_shared<std::optional<T>>();
};

inline std::string call(std::string_view method, std::string_view params = "{}",
                        std::string_view id = "1") {
  return R"({"jsonrpc":"2.0","method":")" + std::string{method} + R"(","params":)" +
         std::string{params} + R"(,"id":)" + std::string{id} + "}";
}

inline const std::string send_to_ada = R"({"recipient":["+15550009001"],"message":"hi"})";
inline const std::string rest_to_ada =
    R"({"number":"+15550001111","recipients":["+15550009001"],"message":"hi"})";

}  // namespace holdfast::bridge_sim::test
