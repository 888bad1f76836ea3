/// A listening socket, TCP or UNIX. Internal to `net/`.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <net/byte_stream.hpp>
#include <net/waiting.hpp>

namespace holdfast::net {

/// The end of a coroutine that answers for its own errors. Keeps what the coroutine refers to.
struct IgnoreException {
  std::shared_ptr<const void> keep{};
  void operator()(const std::exception_ptr&) const noexcept {}
};

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  using OnSocket = std::function<void(StreamSocket)>;

  /// Binds and listens. Errors are sentences for the person who chose the address.
  [[nodiscard]] static Result<std::shared_ptr<Listener>> open(asio::io_context& io,
                                                              const Endpoint& endpoint);
  explicit Listener(asio::io_context& io) : acceptor_{io} {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  /// Calls `on_socket` for each connection until `stop()`.
  void start(OnSocket on_socket);
  void stop();
  /// The TCP port; 0 for a UNIX socket.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  static Task<> accept_all(std::shared_ptr<Listener> self);

  asio::basic_socket_acceptor<asio::generic::stream_protocol> acceptor_;
  OnSocket on_socket_;
  std::string unix_path_;  ///< removed at the end
  std::uint16_t port_ = 0;
};

}  // namespace holdfast::net
