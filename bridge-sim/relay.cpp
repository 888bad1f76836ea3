#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <bridge_sim/event.hpp>
#include <bridge_sim/relay.hpp>
#include <cstring>
#include <list>

namespace holdfast::bridge_sim {
namespace {

using Protocol = asio::generic::stream_protocol;
using boost::system::error_code;

Protocol::endpoint to_address(const net::Endpoint& endpoint, std::uint16_t port) {
  if (endpoint.kind == net::Endpoint::Kind::unix_socket) {
    return asio::local::stream_protocol::endpoint{endpoint.host};
  }
  error_code ec;
  const auto address = asio::ip::make_address(endpoint.host, ec);
  return asio::ip::tcp::endpoint{ec ? asio::ip::address_v4::loopback() : address, port};
}

std::uint16_t port_of(const Protocol::endpoint& address) {
  if (address.protocol().family() == AF_UNIX) return 0;
  asio::ip::tcp::endpoint tcp;
  std::memcpy(tcp.data(), address.data(), address.size());
  tcp.resize(address.size());
  return tcp.port();
}

/// One client and the connection to the face behind it.
struct Wire {
  explicit Wire(Protocol::socket client_socket, asio::io_context& io)
      : client{std::move(client_socket)}, face{io} {}
  void close(bool with_reset) {
    error_code ignored;
    if (with_reset) client.set_option(asio::socket_base::linger{true, 0}, ignored);
    client.close(ignored);
    face.close(ignored);
  }
  Protocol::socket client;
  Protocol::socket face;
};

}  // namespace

struct Relay::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, net::Endpoint out, net::Endpoint in)
      : io{context}, outside{std::move(out)}, inside{std::move(in)}, acceptor{io}, changed{io} {}

  Result<void> listen();
  /// Listens as soon as the address is free.
  static net::Task<> listen_again(std::shared_ptr<State> self, std::uint64_t generation);
  static net::Task<> accept_all(std::shared_ptr<State> self, std::uint64_t generation);
  static net::Task<> serve(std::shared_ptr<State> self, std::shared_ptr<Wire> wire);
  static net::Task<> pump(std::shared_ptr<State> self, std::shared_ptr<Wire> wire, bool to_face);
  void stop_listening() {
    ++generation;
    error_code ignored;
    acceptor.close(ignored);
    if (outside.kind == net::Endpoint::Kind::unix_socket) ::unlink(outside.host.c_str());
  }
  void drop(bool with_reset) {
    for (const auto& wire : wires) wire->close(with_reset);
    wires.clear();
    changed.notify();
  }

  asio::io_context& io;
  net::Endpoint outside;
  net::Endpoint inside;
  asio::basic_socket_acceptor<Protocol> acceptor;
  Event changed;
  std::list<std::shared_ptr<Wire>> wires;
  std::uint64_t generation = 0;
  std::uint16_t port = 0;
  bool stalled = false;
  bool dropping = false;
  bool ended = false;
};

Result<void> Relay::State::listen() {
  const bool is_unix = outside.kind == net::Endpoint::Kind::unix_socket;
  const auto address = to_address(outside, port != 0 ? port : outside.port);
  if (is_unix) ::unlink(outside.host.c_str());
  error_code ec;
  acceptor.open(address.protocol(), ec);
  if (!ec && !is_unix) acceptor.set_option(asio::socket_base::reuse_address{true}, ec);
  if (!ec) acceptor.bind(address, ec);
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) {
    error_code ignored;
    acceptor.close(ignored);
    return Error{Errc::unavailable,
                 "cannot listen on " + outside.to_string() + ": " + ec.message()};
  }
  port = port_of(acceptor.local_endpoint(ec));
  asio::co_spawn(io, accept_all(shared_from_this(), ++generation), asio::detached);
  return {};
}

net::Task<> Relay::State::listen_again(std::shared_ptr<State> self, std::uint64_t generation) {
  while (self->generation == generation && !self->ended) {
    if (self->listen()) co_return;
    co_await pause(self->io, std::chrono::milliseconds{20});
  }
}

net::Task<> Relay::State::accept_all(std::shared_ptr<State> self, std::uint64_t generation) {
  while (self->generation == generation) {
    auto [ec, socket] = co_await self->acceptor.async_accept(net::as_result);
    if (self->generation != generation) co_return;
    if (ec) {
      co_await pause(self->io, std::chrono::milliseconds{50});
      continue;
    }
    if (self->dropping) continue;  // the socket's end drops it
    const int on = 1;
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto wire = std::make_shared<Wire>(std::move(socket), self->io);
    self->wires.push_back(wire);
    asio::co_spawn(self->io, serve(self, wire), asio::detached);
  }
}

net::Task<> Relay::State::serve(std::shared_ptr<State> self, std::shared_ptr<Wire> wire) {
  const auto address = to_address(self->inside, self->inside.port);
  const auto [ec] = co_await wire->face.async_connect(address, net::as_result);
  if (ec || !wire->client.is_open()) {
    wire->close(false);
    self->wires.remove(wire);
    co_return;
  }
  asio::co_spawn(self->io, pump(self, wire, true), asio::detached);
  co_await pump(self, wire, false);
  // The face's end is the connection's end, whatever the client still says.
  wire->close(false);
  self->wires.remove(wire);
}

net::Task<> Relay::State::pump(std::shared_ptr<State> self, std::shared_ptr<Wire> wire,
                               bool to_face) {
  Protocol::socket& from = to_face ? wire->client : wire->face;
  Protocol::socket& to = to_face ? wire->face : wire->client;
  std::array<char, 16384> piece;
  for (;;) {
    while (self->stalled && from.is_open()) co_await self->changed.wait();
    // Looking first and reading later leaves the bytes in the kernel when a stall begins between.
    const auto [not_ready] = co_await from.async_wait(asio::socket_base::wait_read, net::as_result);
    if (not_ready) co_return;
    if (self->stalled) continue;
    const auto [ec, n] = co_await from.async_read_some(asio::buffer(piece), net::as_result);
    if (ec) {
      if (to_face && ec != asio::error::eof) wire->close(false);
      error_code ignored;
      to.shutdown(asio::socket_base::shutdown_send, ignored);
      co_return;
    }
    const auto [failed, written] =
        co_await asio::async_write(to, asio::buffer(piece.data(), n), net::as_result);
    if (failed) {
      wire->close(false);
      co_return;
    }
  }
}

Relay::Relay(std::shared_ptr<State> state) : state_{std::move(state)} {}

Relay::~Relay() {
  state_->ended = true;
  state_->stop_listening();
  state_->drop(false);
}

Result<std::unique_ptr<Relay>> Relay::open(asio::io_context& io, const net::Endpoint& outside,
                                           const net::Endpoint& inside) {
  auto state = std::make_shared<State>(io, outside, inside);
  auto listening = state->listen();
  if (!listening) return listening.error();
  return std::unique_ptr<Relay>{new Relay{std::move(state)}};
}

std::uint16_t Relay::port() const noexcept { return state_->port; }
std::size_t Relay::connections() const noexcept { return state_->wires.size(); }

void Relay::refuse(bool on) {
  if (on) {
    state_->stop_listening();
  } else if (!state_->acceptor.is_open()) {
    asio::co_spawn(state_->io, State::listen_again(state_, state_->generation), asio::detached);
  }
}

void Relay::drop(bool with_reset) { state_->drop(with_reset); }

void Relay::stall(bool on) {
  state_->stalled = on;
  state_->changed.notify();
}

void Relay::accept_then_drop(bool on) { state_->dropping = on; }

}  // namespace holdfast::bridge_sim
