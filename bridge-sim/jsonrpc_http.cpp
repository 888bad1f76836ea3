#include <algorithm>
#include <bridge_sim/commands.hpp>
#include <bridge_sim/jsonrpc.hpp>
#include <bridge_sim/values.hpp>

namespace holdfast::bridge_sim {
namespace {

constexpr std::chrono::seconds keep_alive_every{15};

net::HttpResponse plain(int status) {
  net::HttpResponse response;
  response.status = status;
  return response;
}

/// signal-cli answers only to names of its own host.
bool is_own_host(std::string_view host, std::uint16_t port) {
  const auto colon = host.rfind(':');
  const bool with_port = colon != std::string_view::npos && host.find(']', colon) == host.npos;
  const std::string_view name = with_port ? host.substr(0, colon) : host;
  if (with_port && host.substr(colon + 1) != std::to_string(port)) return false;
  return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

/// Messages for one SSE client; its stream writes them one after the other.
class EventReceiver final : public Receiver {
 public:
  EventReceiver(std::shared_ptr<net::ResponseStream> stream, std::vector<std::string> accounts)
      : stream_{std::move(stream)}, accounts_{std::move(accounts)} {}

  [[nodiscard]] bool wants(const std::string& account) const override {
    return std::find(accounts_.begin(), accounts_.end(), account) != accounts_.end();
  }
  net::Task<Taken> deliver(std::string frame) override {
    const std::string event = "event:receive\ndata:" + frame + "\n\n";
    auto written = co_await stream_->write(event);
    co_return written ? Taken::yes : Taken::gone;
  }

 private:
  std::shared_ptr<net::ResponseStream> stream_;
  std::vector<std::string> accounts_;
};

net::Task<std::optional<net::HttpResponse>> serve_events(std::shared_ptr<Daemon> daemon,
                                                         net::Exchange& exchange) {
  std::vector<std::string> accounts;
  const std::string wanted = exchange.request().query("account");
  for (const auto& [number, account] : daemon->world.accounts()) {
    if (account.known && (wanted.empty() || wanted == number)) accounts.push_back(number);
  }
  if (accounts.empty()) co_return plain(400);

  net::HttpResponse head;
  head.headers.emplace_back("Content-Type", "text/event-stream");
  auto started = co_await exchange.start_stream(std::move(head));
  if (!started) co_return std::nullopt;
  const std::shared_ptr<net::ResponseStream> stream = *started;
  const std::uint64_t generation = daemon->generation();
  const auto registration =
      daemon->attach(std::make_shared<EventReceiver>(stream, std::move(accounts)));
  while (stream->is_open() && daemon->generation() == generation) {
    auto written = co_await stream->write(":\n");
    if (!written) break;
    const auto next = std::chrono::steady_clock::now() + keep_alive_every;
    while (stream->is_open() && daemon->generation() == generation &&
           std::chrono::steady_clock::now() < next) {
      // In short steps, so that the client's end is noticed.
      co_await pause(daemon->changed.io(), std::chrono::milliseconds{200});
    }
  }
  co_return std::nullopt;
}

net::Task<std::optional<net::HttpResponse>> serve_rpc(std::shared_ptr<Daemon> daemon,
                                                      net::Exchange& exchange) {
  net::HttpRequest& request = exchange.request();
  if (!net::header(request.headers, "Content-Type").starts_with("application/json")) {
    co_return plain(415);
  }
  net::HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) {
    response.body = R"({"jsonrpc":"2.0","error":{"code":-32600,"message":)"
                    R"("unexpected type: MISSING","data":null},"id":null})";
    co_return response;
  }
  RpcReply reply = co_await answer_rpc(daemon, std::move(request.body), nullptr);
  if (reply.text) {
    response.body = std::move(*reply.text);
    co_return response;
  }
  if (reply.drop || !daemon->is_up()) {
    exchange.abort();
    co_return std::nullopt;
  }
  co_return plain(201);
}

}  // namespace

net::Task<std::optional<net::HttpResponse>> serve_rpc_over_http(std::shared_ptr<Daemon> daemon,
                                                                net::Exchange& exchange,
                                                                std::uint16_t port) {
  const net::HttpRequest& request = exchange.request();
  const std::string path = request.path();
  const bool get = request.method == "GET";
  if (path == "/api/v1/check") co_return plain(get ? 200 : 405);
  if (path != "/api/v1/rpc" && path != "/api/v1/events") {
    net::HttpResponse missing = plain(404);
    missing.headers.emplace_back("Content-Type", "text/html");
    missing.body = "<h1>404 Not Found</h1>No context found for request";
    co_return missing;
  }
  if (!is_own_host(net::header(request.headers, "Host"), port)) co_return plain(421);
  if (get != (path == "/api/v1/events")) co_return plain(405);
  std::optional<net::HttpResponse> response;
  if (get) {
    response = co_await serve_events(std::move(daemon), exchange);
  } else {
    response = co_await serve_rpc(std::move(daemon), exchange);
  }
  co_return response;
}

}  // namespace holdfast::bridge_sim
