/// Small tools for the bridges' coroutines.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <net/task.hpp>
#include <utility>

namespace holdfast::upstream {

using SteadyClock = std::chrono::steady_clock;

/// Starts the coroutine that `start()` makes, from the event loop: nothing of it runs before the
/// caller has returned. An exception that leaves it is a bug and leaves `io_context::run()`.
template <typename Start>
void spawn(net::asio::io_context& io, Start start) {
  net::asio::post(io, [&io, start = std::move(start)]() mutable {
    net::asio::co_spawn(io, start(), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  });
}

/// What is left until `deadline`; at least 1 ms, so that a call still reports a timeout.
[[nodiscard]] inline std::chrono::milliseconds time_left(SteadyClock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
  return std::max(left, std::chrono::milliseconds{1});
}

/// Wakes the coroutines that wait for a change. They look for themselves what changed, before each
/// wait and after it.
class Change {
 public:
  explicit Change(net::asio::io_context& io)
      : timer_{io, net::asio::steady_timer::time_point::max()} {}

  void notify() { timer_.cancel(); }
  /// Returns after the next `notify()`. The object must outlive the wait.
  [[nodiscard]] net::Task<> wait() { (void)co_await timer_.async_wait(net::as_result); }

 private:
  net::asio::steady_timer timer_;
};

/// Waits `time`.
[[nodiscard]] inline net::Task<> pause_for(net::asio::io_context& io,
                                           std::chrono::milliseconds time) {
  net::asio::steady_timer timer{io, time};
  (void)co_await timer.async_wait(net::as_result);
}

}  // namespace holdfast::upstream
