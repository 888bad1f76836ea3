#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <bridge_sim/rest.hpp>
#include <bridge_sim/values.hpp>
#include <deque>
#include <net/websocket.hpp>

namespace holdfast::bridge_sim {
namespace {

constexpr std::size_t client_message_bytes_max = 512;
constexpr std::chrono::seconds ping_every{54};
constexpr std::size_t queued_max = 100'000;

/// One attached WebSocket. The real bridge has a queue of 0 for it and drops what comes while it
/// writes; here that is `drop_when_busy`.
class SocketReceiver final : public Receiver {
 public:
  SocketReceiver(std::shared_ptr<Daemon> daemon, net::WebSocketPtr socket, std::string number)
      : daemon_{std::move(daemon)},
        socket_{std::move(socket)},
        number_{std::move(number)},
        changed_{daemon_->changed.io()} {}

  [[nodiscard]] bool wants(const std::string& account) const override {
    return account == number_;  // byte for byte: "%2B1" and "+1" are one, "1" is another
  }
  net::Task<Taken> deliver(std::string frame) override {
    if (closed_) co_return Taken::gone;
    const bool busy = daemon_->faults.drop_when_busy && (writing_ || !queue_.empty());
    if (busy || queue_.size() >= queued_max) co_return Taken::busy;
    queue_.push_back(std::move(frame));
    changed_.notify();
    co_return Taken::yes;
  }

  static net::Task<> write_all(std::shared_ptr<SocketReceiver> self) {
    while (!self->closed_) {
      if (self->queue_.empty()) {
        co_await self->changed_.wait();
        continue;
      }
      const std::string frame = std::move(self->queue_.front());
      self->queue_.pop_front();
      self->writing_ = true;
      auto written = co_await self->socket_->write_text(frame);
      self->writing_ = false;
      if (!written) self->close();
    }
  }
  static net::Task<> ping_all(std::shared_ptr<SocketReceiver> self) {
    while (!self->closed_) {
      co_await self->changed_.wait_for(ping_every);
      if (!self->closed_ && self->ping_due()) (void)co_await self->socket_->ping("");
    }
  }
  void close() {
    closed_ = true;
    socket_->abort();
    changed_.notify();
  }

 private:
  bool ping_due() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ping_ < ping_every) return false;
    last_ping_ = now;
    return true;
  }

  std::shared_ptr<Daemon> daemon_;
  net::WebSocketPtr socket_;
  std::string number_;
  Event changed_;
  std::deque<std::string> queue_;
  std::chrono::steady_clock::time_point last_ping_ = std::chrono::steady_clock::now();
  bool writing_ = false;
  bool closed_ = false;
};

net::Task<> serve_socket(std::shared_ptr<Daemon> daemon, net::WebSocketPtr socket,
                         std::string number) {
  asio::io_context& io = daemon->changed.io();
  const auto receiver = std::make_shared<SocketReceiver>(daemon, socket, std::move(number));
  {
    const auto registration = daemon->attach(receiver);
    asio::co_spawn(io, SocketReceiver::write_all(receiver), asio::detached);
    asio::co_spawn(io, SocketReceiver::ping_all(receiver), asio::detached);
    for (;;) {
      auto message = co_await socket->read();  // what a client says is ignored
      if (!message) break;
    }
  }
  receiver->close();
}

/// Normal and native mode: messages are taken as they are asked for, and gone when the answer is.
net::Task<net::HttpResponse> poll(std::shared_ptr<Daemon> daemon, std::string number,
                                  std::chrono::seconds timeout, std::int64_t messages_max) {
  Account* account = daemon->world.find_account(number);
  if (account == nullptr || !account->known) {
    co_return rest_failure("User " + number + " is not registered.\n");
  }
  std::string frames = "[";
  std::int64_t taken = 0;
  auto until = std::chrono::steady_clock::now() + timeout;
  while (messages_max <= 0 || taken < messages_max) {
    if (const auto frame = daemon->take(*account)) {
      frames += (taken++ == 0 ? "" : ",") + *frame;
      ++account->delivered;
      until = std::chrono::steady_clock::now() + timeout;
      continue;
    }
    if (std::chrono::steady_clock::now() >= until || daemon->stopped()) break;
    co_await daemon->changed.wait_until(until);
  }
  net::HttpResponse response;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = frames + "]";
  co_return response;
}

}  // namespace

net::Task<std::optional<net::HttpResponse>> serve_receive(
    std::shared_ptr<Daemon> daemon, std::shared_ptr<const RestSettings> settings,
    net::Exchange& exchange, std::string number) {
  const net::HttpRequest& request = exchange.request();
  if (settings->mode != "json-rpc") {
    const std::chrono::seconds timeout{
        number_of(json::value(request.query("timeout"))).value_or(1)};
    const auto most = number_of(json::value(request.query("max_messages"))).value_or(0);
    auto response = co_await poll(std::move(daemon), std::move(number), timeout, most);
    co_return response;
  }
  if (!request.is_websocket_upgrade()) {
    net::HttpResponse response;
    response.status = 400;
    response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    response.body =
        "Bad Request\n{\"error\":\"websocket: the client is not using the websocket protocol: "
        "'upgrade' token not found in 'Connection' header\"}";
    co_return response;
  }
  auto socket = co_await exchange.accept_websocket(client_message_bytes_max);
  if (socket) {
    asio::co_spawn(daemon->changed.io(),
                   serve_socket(daemon, std::move(*socket), std::move(number)), asio::detached);
  }
  co_return std::nullopt;
}

}  // namespace holdfast::bridge_sim
