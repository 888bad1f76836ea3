/// The signal-cli behind both faces: receive threads that acknowledge before they deliver, and
/// calls with signal-cli's answers.
#pragma once

#include <boost/json/object.hpp>
#include <bridge_sim/event.hpp>
#include <bridge_sim/faults.hpp>
#include <bridge_sim/world.hpp>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <string>

namespace holdfast::bridge_sim {

enum class ReceiveMode : std::uint8_t { on_start, on_connection, manual };

/// Whoever gets an account's messages: a subscription, an SSE stream, a WebSocket.
class Receiver {
 public:
  virtual ~Receiver() = default;
  /// Whether it wants messages of `account`.
  [[nodiscard]] virtual bool wants(const std::string& account) const = 0;
  enum class Taken : std::uint8_t { yes, busy, gone };
  /// Writes one frame, `{"envelope":…,"account":…}`; returns when it is written.
  virtual net::Task<Taken> deliver(std::string frame) = 0;
};

/// What a call comes to.
struct CallAnswer {
  enum class Kind : std::uint8_t {
    result,
    error,
    nothing,  ///< no answer, the connection goes on
    drop,     ///< no answer, and the connection ends
  };
  Kind kind = Kind::result;
  json::value result;
  int code = 0;
  std::string message;
  json::value data;
  std::optional<int> status;  ///< what the REST face answers instead of the usual
  std::string body;
};

class Daemon : public std::enable_shared_from_this<Daemon> {
 public:
  Daemon(asio::io_context& io, World world, ReceiveMode mode, std::string version,
         std::uint64_t seed);

  /// Starts the receive threads.
  void start();
  /// Ends everything that runs.
  void stop();

  /// Kills the process: what it holds is lost, calls under way never end. It is down until
  /// `revive()`.
  void kill();
  void revive();

  // --- Receiving
  /// Detaches its receiver when it goes.
  class Registration;
  [[nodiscard]] Registration attach(std::shared_ptr<Receiver> receiver);
  void count_connection(int change);
  /// Subscription ids come from one counter of the process.
  [[nodiscard]] std::int64_t next_subscription() noexcept { return subscriptions_++; }
  /// Takes a message out of the queue, as normal mode's polling does.
  [[nodiscard]] std::optional<std::string> take(Account& account);
  /// Delivers text that is no frame to every receiver of the account.
  void deliver_raw(std::string account, std::string text);

  // --- Calling
  /// Carries out a signal-cli command. `params` as JSON-RPC has them, with `account`.
  [[nodiscard]] static net::Task<CallAnswer> call(std::shared_ptr<Daemon> self, std::string method,
                                                  json::object params);

  void set_plan(SendPlan plan) { faults.plans.push_back(std::move(plan)); }
  void clear_faults();

  World world;
  Faults faults;
  Event changed;  ///< notified whenever a queue, a receiver or a fault changes
  const ReceiveMode mode;
  const std::string version;
  bool polling = false;  ///< normal or native mode: no receive thread

  [[nodiscard]] bool stopped() const noexcept { return stopped_; }
  [[nodiscard]] bool is_up() const noexcept { return up_; }
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  [[nodiscard]] std::size_t receivers() const noexcept { return receivers_.size(); }
  [[nodiscard]] std::uint64_t calls_under_way() const noexcept { return calls_under_way_; }

 private:
  static net::Task<> receive_thread(std::shared_ptr<Daemon> self, Account* account);
  static net::Task<> deliver(std::shared_ptr<Daemon> self, Account* account, std::string frame);
  static net::Task<> deliver_text(std::shared_ptr<Daemon> self, std::string account,
                                  std::string text);
  static net::Task<CallAnswer> transmit(std::shared_ptr<Daemon> self, std::string method,
                                        Account* account, json::object params);
  [[nodiscard]] bool pulls(const Account& account) const;
  [[nodiscard]] std::optional<SendPlan> take_plan(const std::string& method, const Account& account,
                                                  const std::vector<std::string>& recipients);

  asio::io_context& io_;
  std::list<std::shared_ptr<Receiver>> receivers_;
  std::mt19937_64 random_;
  std::uint64_t generation_ = 0;
  std::uint64_t clearings_ = 0;
  std::int64_t subscriptions_ = 0;
  std::uint64_t calls_under_way_ = 0;
  int connections_ = 0;
  bool up_ = true;
  bool stopped_ = false;
};

class Daemon::Registration {
 public:
  Registration(std::shared_ptr<Daemon> daemon, std::list<std::shared_ptr<Receiver>>::iterator at)
      : daemon_{std::move(daemon)}, at_{at} {}
  Registration(Registration&&) noexcept = default;
  Registration& operator=(Registration&&) = delete;
  ~Registration() {
    if (!daemon_) return;
    daemon_->receivers_.erase(at_);
    daemon_->changed.notify();
  }

 private:
  std::shared_ptr<Daemon> daemon_;
  std::list<std::shared_ptr<Receiver>>::iterator at_;
};

}  // namespace holdfast::bridge_sim
