#include <core/attempt_schedule.hpp>

namespace holdfast::core {

void AttemptSchedule::connected(TimePoint now) noexcept {
  flap_guard_.connected(now);
  retry_after_until_.reset();
}

void AttemptSchedule::plan(std::uint32_t attempt_count, bool first_of_process, Rng& rng,
                           TimePoint now) {
  if (hinted()) last_hinted_attempt_ = std::min(plan_.due(), now);
  const Duration nominal = ReconnectionManager::nominal_backoff(attempt_count);
  const Duration backoff = first_of_process ? Duration::zero() : jitter_.apply(nominal, rng);
  plan_.nominal = nominal;
  plan_.backoff_until = now + backoff;
  plan_.penalty_until = now + flap_guard_.penalty(now);
  plan_.retry_after_until = std::max(now, retry_after_until_.value_or(now));
  planned_at_ = now;
  reason_ = Reason::scheduled;
  wait_changed();
}

void AttemptSchedule::retry_after(Duration delay, TimePoint now) noexcept {
  const TimePoint until = now + std::clamp(delay, Duration::zero(), retry_after_max);
  retry_after_until_ = std::max(until, retry_after_until_.value_or(until));
  if (plan_.due() < now) return;  // that attempt has been made; the next plan() sees it
  plan_.retry_after_until = std::max(plan_.retry_after_until, until);
  wait_changed();
}

bool AttemptSchedule::automatic_hint(TimePoint now) noexcept {
  TimePoint earliest = now;
  if (last_hinted_attempt_) earliest = std::max(now, *last_hinted_attempt_ + hint_interval_min);
  Plan sooner = plan_;
  sooner.backoff_until = std::min(plan_.backoff_until, earliest);
  if (sooner.due() == plan_.due()) return false;
  plan_.backoff_until = sooner.backoff_until;
  reason_ = Reason::hinted;
  wait_changed();
  return true;
}

void AttemptSchedule::retry_now(TimePoint now) noexcept {
  if (plan_.due() <= now) return;
  retry_after_until_.reset();
  plan_.backoff_until = plan_.penalty_until = plan_.retry_after_until = now;
  reason_ = Reason::requested;
  wait_changed();
}

}  // namespace holdfast::core
