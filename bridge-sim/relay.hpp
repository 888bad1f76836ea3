/// The wire between a client and the stand-in: a listening socket that passes bytes on to a face
/// behind it, and can fail in the ways in which networks and dying programs do.
#pragma once

#include <cstdint>
#include <memory>
#include <net/task.hpp>
#include <net/url.hpp>
#include <string>

namespace holdfast::bridge_sim {

namespace asio = boost::asio;

class Relay {
 public:
  /// Listens at `outside` (TCP or UNIX) and connects to `inside` for each client.
  [[nodiscard]] static Result<std::unique_ptr<Relay>> open(asio::io_context& io,
                                                           const net::Endpoint& outside,
                                                           const net::Endpoint& inside);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::size_t connections() const noexcept;

  /// Closes the listening socket, so that connects are refused, or opens it again.
  void refuse(bool on);
  /// Ends every connection at once; with a reset, as a dead host's answers look.
  void drop(bool with_reset);
  /// Moves no more bytes, in either direction, but keeps every connection; new ones are accepted.
  void stall(bool on);
  /// Ends each new connection right after it was accepted.
  void accept_then_drop(bool on);

  struct State;

 private:
  explicit Relay(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace holdfast::bridge_sim
