/// When the next attempt is made: the nominal backoff and the four things around it (design §1).
#pragma once

#include <algorithm>
#include <core/failure.hpp>
#include <core/flap_guard.hpp>
#include <core/jitter.hpp>
#include <core/time.hpp>
#include <cstdint>
#include <optional>

namespace holdfast::core {

/// Composes one link's waits. The attempt is due when all three of its waits are over:
///
///   backoff      nominal with jitter; 0 before the first attempt of a process
///   penalty      of the flap guard
///   Retry-After  of a bridge that refused, up to 10 min
///
/// An automatic hint ends the backoff only; a person ends all three. Neither begins an attempt:
/// they end the wait of the one already counted.
class AttemptSchedule {
 public:
  static constexpr Duration retry_after_max = std::chrono::minutes{10};
  static constexpr Duration hint_interval_min = std::chrono::seconds{1};

  /// The wait of one attempt. Instants that are not after the planning are waits of 0.
  struct Plan {
    Duration nominal{};  ///< by the formula, without anything around it
    Duration actual{};   ///< from the planning to `due()`, as hints and people left it
    TimePoint backoff_until{};
    TimePoint penalty_until{};
    TimePoint retry_after_until{};
    [[nodiscard]] TimePoint due() const noexcept {
      return std::max({backoff_until, penalty_until, retry_after_until});
    }
  };

  explicit AttemptSchedule(JitterKind jitter) noexcept : jitter_{jitter} {}

  /// The bridge has answered; repeats while connected change nothing.
  void connected(TimePoint now) noexcept;
  /// The connection is gone; changes nothing after a failed attempt.
  void disconnected(TimePoint now) noexcept { flap_guard_.disconnected(now); }

  /// Plans attempt `attempt_count` (>= 1), starting its wait at `now`.
  void plan(std::uint32_t attempt_count, bool first_of_process, Rng& rng, TimePoint now);

  /// The bridge refused and asked for `delay`, which is cut to 10 min. Counts for an attempt
  /// that is still waiting and for every plan made until it is over; so tell it before `plan()`.
  /// Never shortens an earlier one; forgotten once connected.
  void retry_after(Duration delay, TimePoint now) noexcept;

  /// There is evidence that waiting has become pointless. Ends the backoff, at the earliest one
  /// second after the last hinted attempt. Returns whether `due()` moved.
  bool automatic_hint(TimePoint now) noexcept;

  /// A person does not want to wait. Nothing happens when the attempt is due already.
  void retry_now(TimePoint now) noexcept;

  [[nodiscard]] TimePoint due() const noexcept { return plan_.due(); }
  [[nodiscard]] const Plan& current() const noexcept { return plan_; }
  /// Whether a hint brought this attempt forward.
  [[nodiscard]] bool hinted() const noexcept { return reason_ == Reason::hinted; }
  /// What ends the wait: `scheduled`, `hinted` or `requested`.
  [[nodiscard]] Reason reason() const noexcept { return reason_; }
  /// Short connections in a row, for the status.
  [[nodiscard]] std::uint32_t short_connections(TimePoint now) const noexcept {
    return flap_guard_.short_connections(now);
  }

 private:
  void wait_changed() noexcept { plan_.actual = plan_.due() - planned_at_; }

  Jitter jitter_;
  FlapGuard flap_guard_;
  Plan plan_;
  TimePoint planned_at_{};
  Reason reason_ = Reason::scheduled;
  std::optional<TimePoint> retry_after_until_;
  std::optional<TimePoint> last_hinted_attempt_;
};

}  // namespace holdfast::core
