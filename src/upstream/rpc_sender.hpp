/// The sending connection to a signal-cli daemon. It never subscribes: while a slow send is under
/// way, signal-cli keeps the subscriptions of its connection alive even when the client has gone,
/// and what it writes to them is lost.
#pragma once

#include <core/jitter.hpp>
#include <deque>
#include <functional>
#include <holdfast/reconnection_manager.hpp>
#include <memory>
#include <net/url.hpp>
#include <string>
#include <upstream/rpc_connection.hpp>
#include <upstream/times.hpp>

namespace holdfast::upstream {

/// Keeps one connection while it is wanted: connect, `version`, and again after a drop with the
/// backoff of `ReconnectionManager` and equal jitter. Silence is noticed within 18.5 s: after 8.5 s
/// it asks for `version`, 10 s later the connection is given up.
class RpcSender : public std::enable_shared_from_this<RpcSender> {
 public:
  /// Told when sending begins or ceases to work; never from inside a call.
  using OnHealth = std::function<void(bool ok, std::string evidence)>;

  RpcSender(net::asio::io_context& io, net::Endpoint endpoint, BridgeTimes times,
            OnHealth on_health);

  /// The receiving side has just been answered: a connection is wanted, and worth trying for now.
  void want();
  /// The receiving side is away: what stands may stand on, a drop is not followed by an attempt.
  void let_go();
  /// The receiving connection is being asked for a sign of life: ask here too where it is quiet, so
  /// that an idle link wakes the process once for both.
  void nudge();
  /// Ends everything; open calls are answered. No more `on_health`.
  void stop();

  /// Waits for an attempt that is under way; while there is none, `not_written` with the reason.
  /// `done` is called exactly once, never from inside this call.
  void call(RpcCall request, std::chrono::milliseconds timeout, RpcConnection::Done done);

  [[nodiscard]] bool is_up() const noexcept { return up_; }
  /// Why there is no connection, for people.
  [[nodiscard]] const std::string& why_down() const noexcept { return why_down_; }

 private:
  struct Waiting {
    RpcCall request;
    std::chrono::milliseconds timeout;
    RpcConnection::Done done;
  };

  static net::Task<> run(std::shared_ptr<RpcSender> self);
  static net::Task<> wait_for_turn(std::shared_ptr<RpcSender> self);
  static net::Task<bool> connect(std::shared_ptr<RpcSender> self);
  static net::Task<> keep(std::shared_ptr<RpcSender> self);
  [[nodiscard]] RpcConnection::Hooks hooks();
  void went_down(std::string why);
  void flush();

  net::asio::io_context& io_;
  net::Endpoint endpoint_;
  BridgeTimes times_;
  OnHealth on_health_;
  ReconnectionManager manager_;
  core::Jitter jitter_{core::JitterKind::equal};
  core::Rng rng_;
  std::shared_ptr<RpcConnection> connection_;  ///< connecting (asked for `version`) or up
  std::deque<Waiting> waiting_;                ///< for the attempt under way
  std::string why_down_ = "the bridge has not answered yet";
  net::asio::steady_timer timer_;  ///< backoff, or the next look at the silence
  bool wanted_ = false;
  bool nudged_ = false;
  bool hurry_ = false;  ///< the wait before the attempt is pointless
  bool running_ = false;
  bool attempting_ = false;
  bool up_ = false;
  bool stopped_ = false;
};

}  // namespace holdfast::upstream
