#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <net/listener.hpp>

namespace holdfast::net {
namespace {

using GenericEndpoint = asio::generic::stream_protocol::endpoint;

constexpr std::chrono::milliseconds exhausted_pause{100};

Error cannot_listen(const Endpoint& endpoint, const error_code& ec) {
  const std::string where = endpoint.to_string();
  if (ec == asio::error::address_in_use) {
    return Error{Errc::unavailable,
                 where + " is in use by another program; choose another with --listen"};
  }
  if (ec == asio::error::access_denied) {
    return Error{Errc::unavailable, "no permission to listen on " + where};
  }
  if (ec == boost::system::errc::address_not_available) {
    return Error{Errc::unavailable, endpoint.host + " is no address of this machine"};
  }
  return Error{Errc::unavailable, "cannot listen on " + where + ": " + ec.message()};
}

/// Removes the socket file that a program left behind when it died.
Result<void> make_room(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return Error{Errc::unavailable, path + " exists and is no socket"};
  }
  asio::io_context io;
  asio::local::stream_protocol::socket probe{io};
  error_code ec;
  probe.connect(asio::local::stream_protocol::endpoint{path}, ec);
  if (!ec) return Error{Errc::unavailable, "unix:" + path + " is in use by another program"};
  if (ec == asio::error::connection_refused) ::unlink(path.c_str());
  return {};
}

Result<GenericEndpoint> to_address(const Endpoint& endpoint) {
  if (endpoint.kind == Endpoint::Kind::unix_socket) {
    if (endpoint.host.empty() || endpoint.host.size() >= sizeof(sockaddr_un::sun_path)) {
      return Error{Errc::invalid_argument, "\"" + endpoint.host + "\" is no UNIX socket's path"};
    }
    return GenericEndpoint{asio::local::stream_protocol::endpoint{endpoint.host}};
  }
  error_code ec;
  const std::string host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host;
  const auto address = asio::ip::make_address(host, ec);
  if (ec) {
    return Error{Errc::invalid_argument, "\"" + endpoint.host + "\" is no address to listen on"};
  }
  return GenericEndpoint{asio::ip::tcp::endpoint{address, endpoint.port}};
}

std::uint16_t port_of(const GenericEndpoint& address) {
  if (address.protocol().family() == AF_UNIX) return 0;
  asio::ip::tcp::endpoint tcp;
  if (address.size() > tcp.capacity()) return 0;
  std::memcpy(tcp.data(), address.data(), address.size());
  tcp.resize(address.size());
  return tcp.port();
}

}  // namespace

Result<std::shared_ptr<Listener>> Listener::open(asio::io_context& io, const Endpoint& endpoint) {
  auto address = to_address(endpoint);
  if (!address) return address.error();
  const bool is_unix = endpoint.kind == Endpoint::Kind::unix_socket;
  if (is_unix) {
    auto room = make_room(endpoint.host);
    if (!room) return room.error();
  }
  auto listener = std::make_shared<Listener>(io);
  auto& acceptor = listener->acceptor_;
  error_code ec;
  acceptor.open(address->protocol(), ec);
  if (!ec && !is_unix) acceptor.set_option(asio::socket_base::reuse_address{true}, ec);
  if (!ec) acceptor.bind(*address, ec);
  if (!ec && is_unix) listener->unix_path_ = endpoint.host;
  if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) return cannot_listen(endpoint, ec);
  listener->port_ = port_of(acceptor.local_endpoint(ec));
  return listener;
}

Listener::~Listener() { stop(); }

void Listener::start(OnSocket on_socket) {
  on_socket_ = std::move(on_socket);
  asio::co_spawn(acceptor_.get_executor(), accept_all(shared_from_this()), IgnoreException{});
}

void Listener::stop() {
  error_code ignored;
  acceptor_.close(ignored);
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
  unix_path_.clear();
}

Task<> Listener::accept_all(std::shared_ptr<Listener> self) {
  while (self->acceptor_.is_open()) {
    auto [ec, socket] = co_await self->acceptor_.async_accept(as_result);
    if (!self->acceptor_.is_open()) co_return;
    if (!ec) {
      self->on_socket_(std::move(socket));
    } else if (ec == asio::error::no_descriptors || ec == asio::error::no_memory ||
               ec == boost::system::errc::too_many_files_open_in_system ||
               ec == boost::system::errc::no_buffer_space) {
      // No file descriptor is free: the connection waits in the kernel until one is.
      co_await wait_for(exhausted_pause);
    }
  }
}

}  // namespace holdfast::net
