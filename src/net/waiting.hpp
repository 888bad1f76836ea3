/// Small tools for coroutines that wait: a deadline, and a turn to write. Internal to `net/`.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <net/task.hpp>
#include <optional>
#include <utility>

namespace holdfast::net {

using Clock = std::chrono::steady_clock;

/// Calls `on_expiry` when the time is up, unless disarmed, armed anew or destroyed before.
class Deadline {
 public:
  Deadline(const asio::any_io_executor& executor, std::function<void()> on_expiry);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() { disarm(); }

  void arm(std::chrono::milliseconds after) { arm_at(Clock::now() + after); }
  void arm_at(Clock::time_point at);
  void disarm();
  /// Whether it has called since it was armed last.
  [[nodiscard]] bool expired() const noexcept { return state_->expired; }

 private:
  struct State {
    std::function<void()> on_expiry;
    std::uint64_t generation = 0;
    bool expired = false;
  };
  std::shared_ptr<State> state_;
  asio::steady_timer timer_;
};

/// Lets a few coroutines at a time do something (one, if not said otherwise), in the order in which
/// they asked.
class Turns {
 public:
  explicit Turns(std::size_t at_a_time = 1) : free_{at_a_time} {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  /// Held while it is one's turn. `Turns` must outlive it.
  class Turn {
   public:
    explicit Turn(Turns* turns) : turns_{turns} {}
    Turn(Turn&& other) noexcept : turns_{std::exchange(other.turns_, nullptr)} {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->pass_on();
    }

   private:
    Turns* turns_;
  };

  [[nodiscard]] Task<Turn> take();
  /// Nothing if it is not one's turn by then.
  [[nodiscard]] Task<std::optional<Turn>> take_until(Clock::time_point until);
  [[nodiscard]] bool is_idle() const noexcept { return taken_ == 0; }

 private:
  struct Waiter;
  void pass_on();

  std::size_t free_;
  std::size_t taken_ = 0;
  std::deque<Waiter*> waiting_;
};

/// Waits `time`; returns early (without saying so) when the coroutine is cancelled.
[[nodiscard]] Task<> wait_for(std::chrono::milliseconds time);

}  // namespace holdfast::net
