/// The server: every face behind one address.
#pragma once

#include <cstdint>
#include <gateway/daemon.hpp>
#include <holdfast/result.hpp>
#include <memory>

namespace holdfast::api {

/// Serves from `start_server()` until `stop()`. Destroy it when its io_context runs no more and
/// before the daemon.
class Server {
 public:
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The port it listens on (0 for a UNIX socket).
  [[nodiscard]] std::uint16_t port() const;
  /// Takes no further connection, closes WebSockets with 1001, and ends polls and event streams.
  /// Returns at once; what was begun ends within a second or with the daemon's stop. Call it before
  /// `Daemon::stop()`.
  void stop();

 private:
  friend Result<std::unique_ptr<Server>> start_server(gateway::Daemon& daemon);
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Listens at `daemon.config().listen`. Errors are sentences for the person who chose the address.
[[nodiscard]] Result<std::unique_ptr<Server>> start_server(gateway::Daemon& daemon);

}  // namespace holdfast::api
