#include <fmt/format.h>

#include <app/demo_bot.hpp>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <net/websocket.hpp>
#include <utility>

namespace holdfast::app {
namespace {

constexpr std::chrono::milliseconds write_every{3'000};
constexpr std::chrono::milliseconds listen_again_after{500};
constexpr std::chrono::milliseconds answer_within{30'000};
/// The stand-in's people: Ada, Bo and Chen.
constexpr std::array recipients{"+15550009001", "+15550009002", "+15550009003"};

}  // namespace

DemoBot::DemoBot(net::asio::io_context& io, net::Endpoint gateway, std::string account)
    : io_{io},
      gateway_{std::move(gateway)},
      account_{std::move(account)},
      client_{gateway_},
      pause_{io},
      retry_{io} {}

void DemoBot::start() {
  net::asio::co_spawn(io_, listen(*this), net::asio::detached);
  net::asio::co_spawn(io_, write(*this), net::asio::detached);
}

net::Task<> DemoBot::listen(DemoBot& self) {
  for (;;) {
    net::WebSocketOptions options;
    options.target = "/v1/receive/" + net::percent_encode(self.account_);
    auto opening = net::open_websocket(self.gateway_, std::move(options));
    auto socket = co_await std::move(opening);
    while (socket) {
      const auto frame = co_await (*socket)->read();
      if (!frame) break;
      // Typing indicators are passed on, but never stored.
      if (frame->find("\"typingMessage\"") == std::string::npos) ++self.received_;
    }
    self.retry_.expires_after(listen_again_after);
    const auto [ec] = co_await self.retry_.async_wait(net::as_result);
    if (ec) co_return;
  }
}

net::Task<> DemoBot::write(DemoBot& self) {
  for (;;) {
    self.pause_.expires_after(write_every);
    const auto [ec] = co_await self.pause_.async_wait(net::as_result);
    if (ec) co_return;
    auto calling = self.client_.call(self.next_send(), answer_within);
    (void)co_await std::move(calling);
  }
}

net::HttpRequest DemoBot::next_send() {
  const boost::json::object body{
      {"number", account_},
      {"recipients", boost::json::array{recipients[written_ % recipients.size()]}},
      {"message", fmt::format("answer {} of the demonstration's bot", written_ + 1)}};
  ++written_;
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/v2/send";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = boost::json::serialize(body);
  return request;
}

}  // namespace holdfast::app
