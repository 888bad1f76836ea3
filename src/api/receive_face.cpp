#include <api/context.hpp>
#include <api/receive_ack.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <deque>
#include <net/websocket.hpp>

namespace holdfast::api {
namespace {

constexpr std::size_t client_frame_bytes_max = 512;  ///< as the bridge; 1009 above it
constexpr std::size_t ephemeral_waiting_max = 64;
constexpr std::chrono::seconds keep_alive_after{30};
constexpr std::uint16_t going_away = 1001;

/// One client of `WS /v1/receive/{number}` (G7). Only envelopes are ever written to it; pings carry
/// the sequence number, and their pongs are the acknowledgements.
class SocketReceiver final : public gateway::Receiver, public Lasting {
 public:
  SocketReceiver(net::asio::io_context& io, net::WebSocketPtr socket)
      : io_{io}, socket_{std::move(socket)}, waker_{io} {}

  void deliver(const core::Frame& frame) override {
    // What is not stored is not worth memory: a client that does not keep up goes without.
    if (frame.seq == 0 && queue_.size() >= ephemeral_waiting_max) return;
    queue_.push_back(Item{frame.bytes, 0});
    waker_.wake();
  }
  void ask_ack(core::Seq seq) override {
    queue_.push_back(Item{nullptr, seq});
    waker_.wake();
  }
  void end() override { net::asio::co_spawn(io_, close(socket_), net::asio::detached); }

  /// Reads until the client's end. What it sends means nothing.
  static net::Task<> read(net::WebSocketPtr socket) {
    for (;;) {
      const auto message = co_await socket->read();
      if (!message) co_return;
    }
  }

  /// The only writer: frames in order, each ping behind the frames that it asks about.
  static net::Task<> write(std::shared_ptr<SocketReceiver> self) {
    while (!self->finished_) {
      if (self->queue_.empty()) {
        const bool woken = co_await self->waker_.wait_until(Clock::now() + keep_alive_after);
        // A peer that is gone without a word is noticed when it does not take this.
        if (!woken && !self->finished_) self->queue_.push_back(Item{nullptr, self->asked_});
        continue;
      }
      const Item item = std::move(self->queue_.front());
      self->queue_.pop_front();
      const bool written = co_await write_one(self, item);
      if (!written) break;
    }
    self->socket_->abort();
  }

  void finish() {
    finished_ = true;
    waker_.wake();
  }

 private:
  struct Item {
    std::shared_ptr<const std::string> bytes;  ///< nothing: a ping
    core::Seq seq = 0;
  };

  static net::Task<bool> write_one(std::shared_ptr<SocketReceiver> self, Item item) {
    if (item.bytes) {
      const auto written = co_await self->socket_->write_text(*item.bytes);
      co_return written.has_value();
    }
    self->asked_ = item.seq;
    std::string payload = ping_payload(item.seq);
    const auto pinged = co_await self->socket_->ping(std::move(payload));
    co_return pinged.has_value();
  }
  static net::Task<> close(net::WebSocketPtr socket) {
    std::string reason = "Holdfast is stopping";
    co_await socket->close(going_away, std::move(reason));
  }

  net::asio::io_context& io_;
  net::WebSocketPtr socket_;
  Waker waker_;
  std::deque<Item> queue_;  ///< bounded by the window that it was attached with
  core::Seq asked_ = 0;
  bool finished_ = false;
};

}  // namespace

Handled handle_receive(ContextPtr context, net::Exchange& exchange, core::LinkId link) {
  auto accepted = co_await exchange.accept_websocket(client_frame_bytes_max);
  if (!accepted) co_return std::nullopt;
  const net::WebSocketPtr socket = *accepted;
  auto& io = context->daemon->io();
  const auto receiver = std::make_shared<SocketReceiver>(io, socket);
  {
    const Enrolled enrolled{context, *receiver};
    if (context->stopping) receiver->end();
    Attachment attachment{context, link, core::Window{}, *receiver};
    socket->on_pong = [&attachment](std::string_view payload) {
      if (const auto seq = acknowledged_by(payload)) attachment.acknowledged(*seq);
    };
    struct Silenced {  // pongs may come until the socket is closed
      net::WebSocket* socket;
      ~Silenced() { socket->on_pong = nullptr; }
    } const silenced{socket.get()};
    net::asio::co_spawn(io, SocketReceiver::write(receiver), net::asio::detached);
    co_await SocketReceiver::read(socket);
  }
  receiver->finish();
  co_return std::nullopt;
}

}  // namespace holdfast::api
