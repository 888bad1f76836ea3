/// Waking up whoever waits for something to change.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <list>
#include <net/task.hpp>

namespace holdfast::bridge_sim {

namespace asio = boost::asio;

/// Waiters look at their condition again after each `notify()`.
class Event {
 public:
  explicit Event(asio::io_context& io) : io_{io} {}

  void notify() {
    for (asio::steady_timer* waiter : waiters_) waiter->cancel();
  }
  [[nodiscard]] net::Task<> wait() { return wait_until(asio::steady_timer::time_point::max()); }
  /// Returns at `until` at the latest.
  [[nodiscard]] net::Task<> wait_until(asio::steady_timer::time_point until) {
    asio::steady_timer timer{io_, until};
    struct Entry {
      Entry(std::list<asio::steady_timer*>& l, asio::steady_timer* timer_pointer)
          : list{l}, at{l.insert(l.end(), timer_pointer)} {}
      Entry(const Entry&) = delete;
      Entry& operator=(const Entry&) = delete;
      ~Entry() { list.erase(at); }
      std::list<asio::steady_timer*>& list;
      std::list<asio::steady_timer*>::iterator at;
    } const entry{waiters_, &timer};
    (void)co_await timer.async_wait(net::as_result);
  }
  [[nodiscard]] net::Task<> wait_for(std::chrono::milliseconds time) {
    return wait_until(std::chrono::steady_clock::now() + time);
  }
  [[nodiscard]] asio::io_context& io() noexcept { return io_; }

 private:
  asio::io_context& io_;
  std::list<asio::steady_timer*> waiters_;
};

/// A pause that nothing shortens.
[[nodiscard]] inline net::Task<> pause(asio::io_context& io, std::chrono::milliseconds time) {
  asio::steady_timer timer{io, time};
  (void)co_await timer.async_wait(net::as_result);
}

}  // namespace holdfast::bridge_sim
