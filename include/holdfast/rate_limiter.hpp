/// Pacing: token buckets for one account and for each of its recipients.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <holdfast/time.hpp>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

namespace holdfast {

/// A rate that never makes anyone wait.
inline constexpr double unlimited_rate = std::numeric_limits<double>::infinity();

/// A bucket that holds `burst` tokens at most and gains `rate_per_s` a second; it starts full.
///
/// It keeps no fraction that could drift. It remembers when it was last full and how many tokens
/// have been taken since; the k-th token beyond the burst is there ceil(k · 1000 / rate_per_s) ms
/// after that instant, computed anew each time. A `now` before an earlier one counts as that one.
class TokenBucket {
 public:
  /// `rate_per_s` > 0, tokens a second, or `unlimited_rate`; `burst` >= 1, tokens.
  /// Throws std::invalid_argument otherwise.
  TokenBucket(double rate_per_s, std::uint32_t burst) : rate_per_s_{rate_per_s}, burst_{burst} {
    if (!(rate_per_s > 0)) throw std::invalid_argument{"a rate must be greater than 0"};
    if (burst == 0) throw std::invalid_argument{"a burst must be at least 1"};
  }

  /// Takes a token if there is one.
  bool try_acquire(TimePoint now) noexcept {
    now = counted(now);
    if (now >= full_at()) {
      full_since_ = now;
      taken_ = 0;
    } else if (now < next_at()) {
      return false;
    }
    ++taken_;
    return true;
  }

  /// How long until a token is there, rounded up to a millisecond; 0 if one is there.
  [[nodiscard]] Duration wait(TimePoint now) const noexcept {
    const TimePoint at = next_at();
    now = counted(now);
    return at <= now ? Duration::zero() : at - now;
  }

  /// When the bucket is full again if nothing more is taken.
  [[nodiscard]] TimePoint full_at() const noexcept { return after_full(taken_); }

 private:
  /// `now` as it counts: never before the bucket was last full, and never the clock's last instant,
  /// which stands for "never".
  [[nodiscard]] TimePoint counted(TimePoint now) const noexcept {
    return std::min(std::max(now, full_since_), TimePoint::max() - Duration{1});
  }

  /// When the next token is there.
  [[nodiscard]] TimePoint next_at() const noexcept {
    return taken_ < burst_ ? full_since_ : after_full(taken_ + 1 - burst_);
  }

  /// When `tokens` have been gained since the bucket was last full.
  [[nodiscard]] TimePoint after_full(std::uint64_t tokens) const noexcept {
    // The quotient carries up to three rounding errors of 2^-53; taking 2^-50 off keeps a whole
    // number of milliseconds from being rounded up to the next.
    const double exact_ms = static_cast<double>(tokens) * 1000.0 / rate_per_s_;
    const double ms = std::ceil(exact_ms * (1.0 - 0x1p-50));
    const Duration room =
        full_since_ > TimePoint{} ? TimePoint::max() - full_since_ : Duration::max();
    if (ms >= static_cast<double>(room.count())) return TimePoint::max();
    return full_since_ + Duration{static_cast<Duration::rep>(ms)};
  }

  double rate_per_s_;
  std::uint32_t burst_;
  std::uint64_t taken_ = 0;  ///< since `full_since_`
  TimePoint full_since_ = TimePoint{};
};

struct RateLimiterOptions {
  double account_rate_per_s = 2;
  std::uint32_t account_burst = 20;
  double recipient_rate_per_s = 1;
  std::uint32_t recipient_burst = 10;
  std::size_t recipients_max = 10'000;  ///< recipients remembered at a time; at least 1
};

/// Paces the sends of one account: each takes a token of the account and one of its recipient.
/// Freezes hold sends back until an instant, whatever the buckets hold. For one thread.
///
/// Memory is bounded: when `recipients_max` are remembered and another one comes, those whose
/// bucket is full again and who are not frozen are forgotten, which changes nothing for them. If
/// there are none, the one closest to that gives way.
class RateLimiter {
 public:
  using Options = RateLimiterOptions;

  /// Options of a limiter without buckets; freezes still count.
  [[nodiscard]] static Options unlimited() {
    Options options;
    options.account_rate_per_s = unlimited_rate;
    options.recipient_rate_per_s = unlimited_rate;
    return options;
  }

  /// Throws std::invalid_argument on a rate that is not above 0, a burst or a bound of 0.
  explicit RateLimiter(Options options = {})
      : options_{options},
        account_{options.account_rate_per_s, options.account_burst},
        fresh_recipient_{options.recipient_rate_per_s, options.recipient_burst} {
    if (options.recipients_max == 0)
      throw std::invalid_argument{"recipients_max must be at least 1"};
  }

  /// Takes one token of the account and one of `recipient`, or none at all.
  bool try_acquire(std::string_view recipient, TimePoint now) {
    if (wait(recipient, now) > Duration::zero()) return false;
    latest_ = std::max(latest_, now);
    Recipient& known = remembered(recipient);
    account_.try_acquire(now);
    known.bucket.try_acquire(now);
    return true;
  }

  /// How long until `try_acquire(recipient, …)` succeeds if nobody else takes a token; 0: now.
  [[nodiscard]] Duration wait(std::string_view recipient, TimePoint now) const {
    Duration longest = account_wait(now);
    if (const auto found = recipients_.find(recipient); found != recipients_.end()) {
      longest = std::max(
          {longest, found->second.bucket.wait(now), until(found->second.frozen_until, now)});
    }
    return longest;
  }

  /// The account's part of that wait.
  [[nodiscard]] Duration account_wait(TimePoint now) const noexcept {
    return std::max(account_.wait(now), until(account_frozen_until_, now));
  }

  /// Nothing of the account is sent before `until`. Never shortens a freeze.
  void freeze_account(TimePoint until) noexcept {
    account_frozen_until_ = std::max(account_frozen_until_.value_or(until), until);
  }

  /// Nothing is sent to `recipient` before `until`. Never shortens a freeze.
  void freeze_recipient(std::string_view recipient, TimePoint until) {
    Recipient& frozen = remembered(recipient);
    frozen.frozen_until = std::max(frozen.frozen_until.value_or(until), until);
  }

  /// When the account's freeze ends; nothing if it is not frozen at `now`.
  [[nodiscard]] std::optional<TimePoint> account_frozen_until(TimePoint now) const noexcept {
    return later_than(now, account_frozen_until_);
  }

  /// When the freeze of `recipient` ends; nothing if it is not frozen at `now`.
  [[nodiscard]] std::optional<TimePoint> recipient_frozen_until(std::string_view recipient,
                                                                TimePoint now) const {
    const auto found = recipients_.find(recipient);
    if (found == recipients_.end()) return std::nullopt;
    return later_than(now, found->second.frozen_until);
  }

  /// Recipients remembered now; at most `recipients_max`.
  [[nodiscard]] std::size_t recipient_count() const noexcept { return recipients_.size(); }
  [[nodiscard]] const Options& options() const noexcept { return options_; }

 private:
  struct Recipient {
    TokenBucket bucket;
    std::optional<TimePoint> frozen_until;
  };

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  using Recipients = std::unordered_map<std::string, Recipient, Hash, std::equal_to<>>;

  [[nodiscard]] static std::optional<TimePoint> later_than(
      TimePoint now, const std::optional<TimePoint>& end) noexcept {
    return end && *end > now ? end : std::nullopt;
  }

  [[nodiscard]] static Duration until(const std::optional<TimePoint>& end, TimePoint now) noexcept {
    if (!end || *end <= now) return Duration::zero();
    // An end far away and a `now` before the clock's zero could be further apart than fits.
    return *end - std::max(now, TimePoint{});
  }

  /// From when on it makes no difference whether a recipient is remembered.
  [[nodiscard]] static TimePoint forgettable_at(const Recipient& recipient) noexcept {
    return std::max(recipient.bucket.full_at(),
                    recipient.frozen_until.value_or(recipient.bucket.full_at()));
  }

  [[nodiscard]] Recipient& remembered(std::string_view name) {
    if (const auto found = recipients_.find(name); found != recipients_.end()) return found->second;
    if (recipients_.size() >= options_.recipients_max) make_room();
    return recipients_.emplace(name, Recipient{fresh_recipient_, std::nullopt}).first->second;
  }

  /// Forgets whoever can be forgotten by now, at least one.
  void make_room() {
    const std::size_t erased = std::erase_if(
        recipients_, [this](const auto& item) { return forgettable_at(item.second) <= latest_; });
    if (erased > 0) return;
    recipients_.erase(std::min_element(
        recipients_.begin(), recipients_.end(), [](const auto& left, const auto& right) {
          return forgettable_at(left.second) < forgettable_at(right.second);
        }));
  }

  Options options_;
  TokenBucket account_;
  TokenBucket fresh_recipient_;  ///< what every recipient's bucket starts as
  std::optional<TimePoint> account_frozen_until_;
  TimePoint latest_{};  ///< of the last token taken
  Recipients recipients_;
};

}  // namespace holdfast
