/// A loop that runs until something is true, a listener that keeps what it is told, and two bridges
/// that say what the test tells them to. No test sleeps: each waits for a condition.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <net/http.hpp>
#include <net/lines.hpp>
#include <net/websocket.hpp>
#include <optional>
#include <string>
#include <upstream/bridge.hpp>
#include <utility>
#include <vector>

namespace holdfast::upstream::test {

using namespace std::chrono_literals;
namespace json = boost::json;

inline const std::string account = "+15550100001";
inline const std::string bob = "+15550100002";

class Loop {
 public:
  net::asio::io_context io{1};

  /// Runs until `condition` holds; a failure of the test if it does not within 30 s.
  void until(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
      io.restart();
      io.run_one_until(end);
      if (std::chrono::steady_clock::now() >= end) {
        ADD_FAILURE() << "waited in vain";
        return;
      }
    }
  }

  template <typename T>
  T run(net::Task<T> task) {
    std::optional<T> value;
    spawn(keep(std::move(task), &value));
    until([&] { return value.has_value(); });
    return std::move(value).value();
  }

  /// Runs beside the test; an exception fails it.
  void spawn(net::Task<> task) {
    net::asio::co_spawn(io, std::move(task), [](std::exception_ptr error) {
      if (error) ADD_FAILURE() << "a coroutine threw";
    });
  }

  /// Runs what is ready now.
  void settle() {
    io.restart();
    while (io.poll() > 0) io.restart();
  }

 private:
  template <typename T>
  static net::Task<> keep(net::Task<T> task, std::optional<T>* value) {
    value->emplace(co_await std::move(task));
  }

  net::asio::executor_work_guard<net::asio::io_context::executor_type> work_{io.get_executor()};
};

inline net::Endpoint loopback(std::uint16_t port) {
  net::Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = port;
  return endpoint;
}

/// A socket's path that is free, removed at the end.
class SocketPath {
 public:
  SocketPath() {
    static int count = 0;
    path_ = "/tmp/holdfast-upstream-" + std::to_string(::getpid()) + "-" + std::to_string(++count) +
            ".sock";
    ::unlink(path_.c_str());
  }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  ~SocketPath() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] net::Endpoint endpoint() const {
    net::Endpoint endpoint;
    endpoint.kind = net::Endpoint::Kind::unix_socket;
    endpoint.host = path_;
    return endpoint;
  }

 private:
  std::string path_;
};

/// Keeps everything that a bridge tells, and insists that it is never told from inside a call.
class Told final : public BridgeListener {
 public:
  std::vector<std::string> events;  ///< all but frames, activity and outcomes
  std::vector<std::pair<core::Generation, std::string>> frames;
  std::vector<core::FrameKind> kinds;
  std::map<core::Seq, core::SendOutcome> outcomes;
  std::map<core::Generation, int> activity;
  std::optional<core::Failure> failure;  ///< the last one
  std::optional<bool> send_ok;
  std::string send_evidence;
  std::function<void()> during_frame;
  bool in_call = false;

  [[nodiscard]] bool has(const std::string& event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }

  void on_answered(core::Generation generation, std::string version) override {
    note("answered " + std::to_string(generation) + " " + version);
  }
  void on_lost(core::Generation generation, core::Failure lost) override {
    failure = lost;
    note("lost " + std::to_string(generation) + " " + core::to_string(lost.reason));
  }
  void on_identified(core::Generation generation, std::string text) override {
    note("identified " + std::to_string(generation) + " " + text);
  }
  void on_subscribed(core::Generation generation) override {
    note("subscribed " + std::to_string(generation));
  }
  void on_frame(core::Generation generation, core::Frame frame) override {
    EXPECT_FALSE(in_call);
    frames.emplace_back(generation, *frame.bytes);
    kinds.push_back(frame.kind);
    EXPECT_GT(frame.received_at_ms, 0);
    if (during_frame) during_frame();
  }
  void on_activity(core::Generation generation) override {
    EXPECT_FALSE(in_call);
    ++activity[generation];
  }
  void on_send_health(bool ok, std::string evidence) override {
    EXPECT_FALSE(in_call);
    send_ok = ok;
    send_evidence = std::move(evidence);
  }
  void on_outcome(core::Seq entry, core::SendOutcome outcome) override {
    EXPECT_FALSE(in_call);
    EXPECT_TRUE(outcomes.emplace(entry, std::move(outcome)).second) << "told twice";
  }

 private:
  void note(std::string event) {
    EXPECT_FALSE(in_call);
    events.push_back(std::move(event));
  }
};

/// A bridge whose calls are watched.
class Calls {
 public:
  Calls(std::unique_ptr<Bridge> bridge, Told& told) : bridge_{std::move(bridge)}, told_{told} {}

  template <typename Act>
  void operator()(Act act) {
    told_.in_call = true;
    act(*bridge_);
    told_.in_call = false;
  }
  void dial(core::Generation generation, bool repeat = false) {
    (*this)([&](Bridge& bridge) { bridge.dial(generation, repeat); });
  }
  void hang_up(core::Generation generation) {
    (*this)([&](Bridge& bridge) { bridge.hang_up(generation); });
  }
  void transmit(core::Seq seq, const std::string& text = "hi", const std::string& to = bob,
                core::Operation operation = core::Operation::send) {
    core::Entry entry;
    entry.seq = seq;
    entry.account = account;
    entry.recipient = to;
    entry.operation = operation;
    const std::string body = R"({"number":"x","recipients":["x","y"],"message":")" + text + "\"}";
    (*this)([&](Bridge& bridge) { bridge.transmit(entry, body); });
  }
  void stop() {
    (*this)([](Bridge& bridge) { bridge.stop(); });
  }
  void destroy() {
    told_.in_call = true;
    bridge_.reset();
    told_.in_call = false;
  }
  [[nodiscard]] Bridge& bridge() { return *bridge_; }

 private:
  std::unique_ptr<Bridge> bridge_;
  Told& told_;
};

inline std::string data_frame(const std::string& text, std::int64_t timestamp = 1795471774552,
                              const std::string& to = account) {
  return R"({"envelope":{"source":"+15550100002","sourceNumber":"+15550100002",)"
         R"("sourceUuid":"22222222-2222-4222-8222-222222222222","sourceDevice":1,"timestamp":)" +
         std::to_string(timestamp) + R"(,"serverReceivedTimestamp":)" + std::to_string(timestamp) +
         R"(,"dataMessage":{"timestamp":)" + std::to_string(timestamp) + R"(,"message":")" + text +
         R"("}},"account":")" + to + R"("})";
}

// --- A daemon -----------------------------------------------------------------------------------

/// A signal-cli daemon as the test wants it: each method has an answer, which a test may replace or
/// take away (then nothing is answered).
class Daemon {
 public:
  struct Client {
    net::LineStreamPtr stream;
    std::vector<json::object> requests;
    bool ended = false;  ///< the client has closed

    [[nodiscard]] std::size_t count(std::string_view method) const {
      std::size_t n = 0;
      for (const json::object& request : requests)
        n += request.at("method").as_string() == method ? 1 : 0;
      return n;
    }
    [[nodiscard]] const json::object* find(std::string_view method) const {
      for (const json::object& request : requests) {
        if (request.at("method").as_string() == method) return &request;
      }
      return nullptr;
    }
  };
  /// Gives the `result` as JSON, or an `error` object behind "!", or "" for silence.
  using Answer = std::function<std::string(Client&, const json::object& request)>;

  Daemon(Loop& loop, net::Endpoint endpoint) : loop_{loop} {
    answers["version"] = [](Client&, const json::object&) { return R"({"version":"0.14.6"})"; };
    answers["listAccounts"] = [](Client&, const json::object&) {
      return R"([{"number":"+15550100001"}])";
    };
    answers["subscribeReceive"] = [this](Client&, const json::object&) {
      return std::to_string(subscriptions++);
    };
    answers["unsubscribeReceive"] = [](Client&, const json::object&) { return "{}"; };
    answers["send"] = [](Client&, const json::object&) {
      return R"({"timestamp":1795471473250,"results":[{"type":"SUCCESS"}]})";
    };
    listen(endpoint);
  }

  void listen(const net::Endpoint& endpoint) {
    auto server = net::listen_lines(loop_.io, endpoint, [this](net::LineStreamPtr stream) {
      return serve(this, std::move(stream));
    });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  void stop_listening() { server_.reset(); }
  Client& client(std::size_t i) { return *clients.at(i); }

  void write(Client& client, std::string line) {
    loop_.spawn(write_line(client.stream, std::move(line)));
  }
  void answer(Client& client, const json::object& request, const std::string& result) {
    const std::string id = json::serialize(request.at("id"));
    const bool error = result.starts_with('!');
    write(client, R"({"jsonrpc":"2.0",")" + std::string{error ? "error" : "result"} +
                      "\":" + result.substr(error ? 1 : 0) + R"(,"id":)" + id + "}");
  }
  void notify(Client& client, const std::string& params) {
    write(client, R"({"jsonrpc":"2.0","method":"receive","params":)" + params + "}");
  }
  void notify_wrapped(Client& client, const std::string& frame) {
    notify(client, R"({"subscription":0,"result":)" + frame + "}");
  }

  std::map<std::string, Answer> answers;
  std::vector<std::unique_ptr<Client>> clients;
  int subscriptions = 0;

 private:
  static net::Task<> serve(Daemon* self, net::LineStreamPtr stream) {
    self->clients.push_back(std::make_unique<Client>());
    Client& client = *self->clients.back();
    client.stream = stream;
    for (;;) {
      auto line = co_await stream->read_line();
      if (!line) {
        client.ended = true;
        co_return;
      }
      client.requests.push_back(json::parse(*line).as_object());
      const json::object request = client.requests.back();
      const auto found = self->answers.find(std::string{request.at("method").as_string()});
      if (found == self->answers.end()) {
        self->answer(client, request, R"(!{"code":-32601,"message":"Method not implemented"})");
        continue;
      }
      const std::string result = found->second(client, request);
      if (!result.empty()) self->answer(client, request, result);
    }
  }
  static net::Task<> write_line(net::LineStreamPtr stream, std::string line) {
    (void)co_await stream->write_line(std::move(line));
  }

  Loop& loop_;
  std::unique_ptr<net::LineServer> server_;
};

// --- A REST bridge ------------------------------------------------------------------------------

/// signal-cli-rest-api as the test wants it: an answer for each "METHOD /path"; without one 404.
class RestServer {
 public:
  /// Status 0: no answer, ever. Status -1: the connection is cut instead.
  using Answer = std::function<net::HttpResponse(const net::HttpRequest&)>;

  explicit RestServer(Loop& loop) : loop_{loop} {
    respond("GET /v1/about", 200, R"({"mode":"json-rpc","version":"0.100"})");
    respond("GET /v1/accounts", 200, R"(["+15550100001"])");
    respond("POST /v2/send", 201, R"({"timestamp":"1795471489915"})");
    listen(0);
  }

  void listen(std::uint16_t port) {
    auto server =
        net::listen_http(loop_.io, loopback(port), net::HttpServerOptions{},
                         [this](net::Exchange& exchange) { return serve(this, &exchange); });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  void respond(const std::string& call, int status, const std::string& body,
               const net::Headers& headers = {}) {
    answers[call] = [=](const net::HttpRequest&) {
      net::HttpResponse response;
      response.status = status;
      response.headers = headers;
      response.body = body;
      return response;
    };
  }

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  void stop_listening() { server_.reset(); }
  [[nodiscard]] std::size_t count(const std::string& call) const {
    std::size_t n = 0;
    for (const net::HttpRequest& request : requests) {
      n += request.method + " " + request.path() == call ? 1 : 0;
    }
    return n;
  }

  void write(std::size_t socket, std::string text) {
    loop_.spawn(write_text(sockets.at(socket), std::move(text)));
  }
  void close(std::size_t socket, std::uint16_t code, std::string reason) {
    loop_.spawn(sockets.at(socket)->close(code, std::move(reason)));
  }

  std::map<std::string, Answer> answers;
  std::vector<net::HttpRequest> requests;
  std::vector<net::WebSocketPtr> sockets;
  std::size_t sockets_ended = 0;
  bool takes_sockets = true;

 private:
  static net::Task<std::optional<net::HttpResponse>> serve(RestServer* self,
                                                           net::Exchange* exchange) {
    const net::HttpRequest request = exchange->request();
    self->requests.push_back(request);
    if (request.is_websocket_upgrade() && self->takes_sockets) {
      auto socket = co_await exchange->accept_websocket(1u << 20);
      if (!socket) co_return std::nullopt;
      self->sockets.push_back(*socket);
      const net::WebSocketPtr kept = *socket;
      for (;;) {
        auto message = co_await kept->read();
        if (!message) break;
      }
      ++self->sockets_ended;
      co_return std::nullopt;
    }
    const auto found = self->answers.find(request.method + " " + request.path());
    if (found == self->answers.end()) {
      net::HttpResponse missing;
      missing.status = 404;
      missing.body = "404 page not found";
      co_return missing;
    }
    net::HttpResponse response = found->second(request);
    if (response.status == -1) {
      exchange->abort();
      co_return std::nullopt;
    }
    if (response.status == 0) {
      net::asio::steady_timer never{self->loop_.io, net::asio::steady_timer::time_point::max()};
      (void)co_await never.async_wait(net::as_result);
    }
    co_return response;
  }
  static net::Task<> write_text(net::WebSocketPtr socket, std::string text) {
    (void)co_await socket->write_text(text);
  }

  Loop& loop_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace holdfast::upstream::test
