#include <fmt/format.h>

#include <algorithm>
#include <app/commands.hpp>
#include <app/exit_codes.hpp>
#include <app/gateway_client.hpp>
#include <app/json_view.hpp>
#include <app/message_text.hpp>
#include <app/output.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <net/websocket.hpp>

namespace holdfast::app {
namespace {

constexpr std::int64_t poll_s_max = 60;
constexpr std::size_t poll_frames_max = 100;
constexpr std::chrono::seconds poll_answer_slack{30};
constexpr std::uint16_t normal_closure = 1000;

bool print_frame(std::string frame, bool json) {
  if (!json) return print(message_text(frame) + "\n");
  // A line break can only stand between the values of a JSON text.
  std::replace(frame.begin(), frame.end(), '\n', ' ');
  return print(frame + "\n");
}

/// Follows the WebSocket. A frame is printed before the next read answers the ping that asks for
/// it, so what was acknowledged was printed.
class Follower {
 public:
  Follower(net::asio::io_context& io, const ReceiveCommand& command)
      : command_{command}, quiet_{io} {}

  static net::Task<> follow(Follower& self) {
    net::WebSocketOptions options;
    options.target = self.target();
    net::HandshakeFailure failure;
    auto opening =
        net::open_websocket(self.command_.access.url.endpoint, std::move(options), &failure);
    auto socket = co_await std::move(opening);
    if (!socket) {
      self.trouble_ = failure.status != 0 ? refusal_of(failure.status, failure.body)
                                          : trouble_of(self.command_.access, socket.error());
      co_return;
    }
    self.socket_ = *socket;
    self.wait_for_quiet();
    for (;;) {
      auto frame = co_await self.socket_->read();
      if (!frame) {
        if (!self.done_) self.trouble_ = trouble_of(self.command_.access, frame.error());
        break;
      }
      if (!print_frame(std::move(*frame), self.command_.json)) {
        self.trouble_ = Trouble{exit_internal, "standard output was closed"};
        break;
      }
      self.wait_for_quiet();
    }
    self.quiet_.cancel();
    self.socket_->abort();
  }

  [[nodiscard]] const std::optional<Trouble>& trouble() const { return trouble_; }

 private:
  [[nodiscard]] std::string target() const {
    const Access& access = command_.access;
    const std::string token = access.token.empty() ? "" : "/t/" + access.token;
    return access.url.path + token + "/v1/receive/" + net::percent_encode(command_.account);
  }

  /// Ends when nothing more comes for the command's timeout.
  void wait_for_quiet() {
    if (!command_.timeout) return;
    quiet_.expires_after(*command_.timeout);
    quiet_.async_wait([this](const boost::system::error_code& ec) {
      if (ec) return;
      done_ = true;
      net::asio::co_spawn(quiet_.get_executor(), socket_->close(normal_closure, ""),
                          net::asio::detached);
    });
  }

  const ReceiveCommand& command_;
  net::asio::steady_timer quiet_;
  net::WebSocketPtr socket_;
  std::optional<Trouble> trouble_;
  bool done_ = false;
};

int follow(const ReceiveCommand& command) {
  net::asio::io_context io;
  Follower follower{io, command};
  net::asio::co_spawn(io, Follower::follow(follower), net::asio::detached);
  io.run();
  if (follower.trouble()) return fail(follower.trouble()->exit_code, follower.trouble()->sentence);
  return exit_ok;
}

/// Exactly so many: by polls, since a poll takes no more than it asked for.
int take(const ReceiveCommand& command, std::size_t wanted) {
  const std::int64_t timeout_s =
      command.timeout ? (command.timeout->count() + 999) / 1'000 : poll_s_max;
  std::int64_t quiet_s = 0;
  while (wanted > 0) {
    const std::int64_t wait_s = std::min(timeout_s - quiet_s, poll_s_max);
    net::HttpRequest request;
    request.target =
        target_of(command.access, fmt::format("/v1/receive/{}?timeout={}&max_messages={}",
                                              net::percent_encode(command.account), wait_s,
                                              std::min(wanted, poll_frames_max)));
    const Reply reply = call_gateway(command.access, std::move(request),
                                     std::chrono::seconds{wait_s} + poll_answer_slack);
    if (const Trouble* trouble = std::get_if<Trouble>(&reply)) {
      return fail(trouble->exit_code, trouble->sentence);
    }
    const JsonDocument document{std::get<net::HttpResponse>(reply).body};
    if (!document.value().is_array()) {
      return fail(exit_unreachable,
                  fmt::format("what answers at {} is no Holdfast", shown_url(command.access.url)));
    }
    const boost::json::array& frames = document.value().get_array();
    for (const boost::json::value& frame : frames) {
      if (!print_frame(boost::json::serialize(frame), command.json)) return exit_internal;
    }
    wanted -= std::min(wanted, frames.size());
    quiet_s = frames.empty() ? quiet_s + wait_s : 0;
    if (command.timeout && quiet_s >= timeout_s) return exit_ok;
    if (quiet_s >= timeout_s) quiet_s = 0;
  }
  return exit_ok;
}

}  // namespace

int receive(const ReceiveCommand& command) {
  return command.frames_max ? take(command, *command.frames_max) : follow(command);
}

}  // namespace holdfast::app
