/// The bot of the demonstration: an ordinary client of the gateway that reads what comes, writes
/// now and then, and knows nothing of outages.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <net/http.hpp>
#include <string>

namespace holdfast::app {

/// Owner: the thread of `io`. Destroy it when `io` runs no more.
class DemoBot {
 public:
  DemoBot(net::asio::io_context& io, net::Endpoint gateway, std::string account);

  void start();
  /// Messages that it was given; one that comes again counts again.
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

 private:
  static net::Task<> listen(DemoBot& self);
  static net::Task<> write(DemoBot& self);
  [[nodiscard]] net::HttpRequest next_send();

  net::asio::io_context& io_;
  net::Endpoint gateway_;
  std::string account_;
  net::HttpClient client_;
  net::asio::steady_timer pause_;
  net::asio::steady_timer retry_;
  std::uint64_t received_ = 0;
  std::uint64_t written_ = 0;
};

}  // namespace holdfast::app
