#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <net/waiting.hpp>

namespace holdfast::net {

Deadline::Deadline(const asio::any_io_executor& executor, std::function<void()> on_expiry)
    : state_{std::make_shared<State>()}, timer_{executor} {
  state_->on_expiry = std::move(on_expiry);
}

void Deadline::arm_at(Clock::time_point at) {
  const std::uint64_t generation = ++state_->generation;
  state_->expired = false;
  timer_.expires_at(at);
  timer_.async_wait(
      [state = std::weak_ptr<State>{state_}, generation](const boost::system::error_code& ec) {
        const auto alive = state.lock();
        if (ec || !alive || alive->generation != generation) return;
        alive->expired = true;
        alive->on_expiry();
      });
}

void Deadline::disarm() {
  ++state_->generation;
  timer_.cancel();
}

struct Turns::Waiter {
  Waiter(Turns* owner, const asio::any_io_executor& executor, Clock::time_point until)
      : turns{owner}, timer{executor, until} {
    turns->waiting_.push_back(this);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() {
    // Cancelled while waiting, or after the turn came but before it was taken up.
    std::erase(turns->waiting_, this);
    if (granted) turns->pass_on();
  }

  Turns* turns;
  asio::steady_timer timer;
  bool granted = false;
};

Task<std::optional<Turns::Turn>> Turns::take_until(Clock::time_point until) {
  if (free_ > 0) {
    --free_;
    ++taken_;
    co_return std::optional<Turn>{std::in_place, this};
  }
  Waiter waiter{this, co_await asio::this_coro::executor, until};
  (void)co_await waiter.timer.async_wait(as_result);
  if (!waiter.granted) co_return std::nullopt;
  waiter.granted = false;
  co_return std::optional<Turn>{std::in_place, this};
}

Task<Turns::Turn> Turns::take() {
  for (;;) {
    auto turn = co_await take_until(Clock::time_point::max());
    if (turn) co_return std::move(*turn);
  }
}

void Turns::pass_on() {
  if (waiting_.empty()) {
    ++free_;
    --taken_;
    return;
  }
  Waiter* next = waiting_.front();
  waiting_.pop_front();
  next->granted = true;
  next->timer.cancel();
}

Task<> wait_for(std::chrono::milliseconds time) {
  asio::steady_timer timer{co_await asio::this_coro::executor};
  timer.expires_after(time);
  (void)co_await timer.async_wait(as_result);
}

}  // namespace holdfast::net
