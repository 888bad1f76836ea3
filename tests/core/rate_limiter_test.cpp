#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <holdfast/rate_limiter.hpp>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>

namespace holdfast {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint t0{1h};
constexpr const char* alice = "+15550000001";
constexpr const char* bob = "+15550000002";

/// A token bucket in whole numbers: rate = `numerator` / `denominator` tokens a second.
/// Level and limit are held in units of 1 / (1000 · denominator) token; a millisecond is worth
/// `numerator` units.
class ExactBucket {
 public:
  ExactBucket(std::int64_t numerator, std::int64_t denominator, std::int64_t burst)
      : gain_per_ms_{numerator},
        token_{1000 * denominator},
        limit_{burst * token_},
        level_{limit_} {}

  bool try_acquire(TimePoint now) {
    refill(now);
    if (level_ < token_) return false;
    level_ -= token_;
    return true;
  }

  Duration wait(TimePoint now) {
    refill(now);
    if (level_ >= token_) return 0ms;
    return Duration{(token_ - level_ + gain_per_ms_ - 1) / gain_per_ms_};
  }

 private:
  void refill(TimePoint now) {
    level_ = std::min(limit_, level_ + (now - at_).count() * gain_per_ms_);
    at_ = now;
  }

  std::int64_t gain_per_ms_, token_, limit_, level_;
  TimePoint at_ = t0;
};

/// Takes all that is there at `now`.
std::uint32_t take_all(TokenBucket& bucket, TimePoint now, std::uint32_t count_max = 1'000'000) {
  std::uint32_t taken = 0;
  while (taken < count_max && bucket.try_acquire(now)) ++taken;
  return taken;
}

TEST(TokenBucket, GivesItsBurstAtOnceAndThenOneTokenPerPeriod) {
  TokenBucket bucket{2, 5};
  EXPECT_EQ(take_all(bucket, t0), 5U);
  EXPECT_EQ(bucket.wait(t0), 500ms);
  EXPECT_FALSE(bucket.try_acquire(t0 + 499ms));
  EXPECT_TRUE(bucket.try_acquire(t0 + 500ms));
  EXPECT_FALSE(bucket.try_acquire(t0 + 999ms));
  EXPECT_TRUE(bucket.try_acquire(t0 + 1000ms));
}

TEST(TokenBucket, NeverHoldsMoreThanItsBurst) {
  TokenBucket bucket{100, 3};
  EXPECT_EQ(take_all(bucket, t0), 3U);
  EXPECT_EQ(take_all(bucket, t0 + 24h), 3U);
  EXPECT_EQ(take_all(bucket, t0 + 24h * 365), 3U);
}

TEST(TokenBucket, GivesNothingBackForARefusedTry) {
  TokenBucket bucket{1, 1};
  EXPECT_TRUE(bucket.try_acquire(t0));
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(bucket.try_acquire(t0 + 999ms));
  EXPECT_TRUE(bucket.try_acquire(t0 + 1000ms));
}

TEST(TokenBucket, NamesTheExactMillisecondOfItsNextToken) {
  std::mt19937_64 rng{1};
  for (const double rate : {0.001, 1.0 / 60, 0.1, 0.7, 1.0, 2.0, 3.0, 7.5, 333.0, 1000.0, 4321.0}) {
    TokenBucket bucket{rate, 4};
    TimePoint now = t0;
    for (int i = 0; i < 2000; ++i) {
      const Duration wait = bucket.wait(now);
      TokenBucket early = bucket;
      ASSERT_EQ(wait == 0ms, early.try_acquire(now + std::max(wait - 1ms, 0ms))) << rate;
      now += wait;
      ASSERT_TRUE(bucket.try_acquire(now)) << rate;
      now += Duration{rng() % 3};
    }
  }
}

TEST(TokenBucket, AgreesWithABucketOfWholeNumbers) {
  struct Rate {
    std::int64_t numerator, denominator;
  };
  std::mt19937_64 rng{2};
  for (const auto& [numerator, denominator] :
       {Rate{1, 1}, Rate{2, 1}, Rate{1, 60}, Rate{7, 60}, Rate{1, 3}, Rate{2, 3}, Rate{10, 3},
        Rate{1000, 7}, Rate{60, 1}, Rate{100, 3600}, Rate{11, 60}, Rate{7, 10}, Rate{17, 7}}) {
    const auto burst = static_cast<std::uint32_t>(1 + rng() % 20);
    TokenBucket bucket{static_cast<double>(numerator) / static_cast<double>(denominator), burst};
    ExactBucket exact{numerator, denominator, burst};
    TimePoint now = t0;
    for (int i = 0; i < 20'000; ++i) {
      ASSERT_EQ(bucket.wait(now), exact.wait(now)) << numerator << "/" << denominator << " " << i;
      ASSERT_EQ(bucket.try_acquire(now), exact.try_acquire(now))
          << numerator << "/" << denominator << " " << i;
      const std::int64_t period_ms = 1000 * denominator / numerator + 1;
      switch (rng() % 4) {
        case 0:
          break;
        case 1:
          now += bucket.wait(now);
          break;
        case 2:
          now += Duration{static_cast<std::int64_t>(rng()) & 0xFF};
          break;
        default:
          now += Duration{static_cast<std::int64_t>(rng() % 8) * period_ms};
          break;
      }
    }
  }
}

TEST(TokenBucket, GivesElevenAMinuteInExactlyAMinute) {
  TokenBucket bucket{11.0 / 60, 11};  // in doubles, 11 / (11.0 / 60) is a little more than 60
  EXPECT_EQ(take_all(bucket, t0), 11U);
  EXPECT_EQ(bucket.full_at(), t0 + 60s);
}

TEST(TokenBucket, DoesNotDriftOverMillionsOfTokens) {
  TokenBucket bucket{1.0 / 3, 2};  // a third has no exact double
  EXPECT_EQ(take_all(bucket, t0), 2U);
  for (std::int64_t i = 1; i <= 3'000'000; ++i) {
    const TimePoint due = t0 + Duration{3000 * i};
    ASSERT_FALSE(bucket.try_acquire(due - 1ms)) << i;
    ASSERT_TRUE(bucket.try_acquire(due)) << i;
  }
}

TEST(TokenBucket, IsUnlimitedAtTheUnlimitedRate) {
  TokenBucket bucket{unlimited_rate, 1};
  EXPECT_EQ(take_all(bucket, t0, 100'000), 100'000U);
  EXPECT_EQ(bucket.wait(t0), 0ms);
}

TEST(TokenBucket, SurvivesClockJumpsInBothDirections) {
  TokenBucket bucket{1, 2};
  EXPECT_EQ(take_all(bucket, TimePoint::max()), 2U);
  EXPECT_EQ(take_all(bucket, TimePoint::min()), 0U);
  EXPECT_GE(bucket.wait(TimePoint::min()), 0ms);

  TokenBucket early{1, 2};
  EXPECT_EQ(early.wait(TimePoint::min()), 0ms);
  EXPECT_EQ(take_all(early, TimePoint::min()), 2U);
  EXPECT_LE(early.wait(TimePoint::min()), 1s);
}

TEST(TokenBucket, GainsNothingWhileTheClockIsBehind) {
  TokenBucket bucket{1, 1};
  EXPECT_TRUE(bucket.try_acquire(t0));
  EXPECT_FALSE(bucket.try_acquire(t0 - 10s));
  EXPECT_EQ(bucket.wait(t0 - 10s), 1s);
  EXPECT_TRUE(bucket.try_acquire(t0 + 1s));
}

TEST(TokenBucket, WaitsForEverRatherThanOverflowAtATinyRate) {
  for (const double rate : {1e-15, 1e-300, std::numeric_limits<double>::denorm_min()}) {
    TokenBucket bucket{rate, 1};
    EXPECT_TRUE(bucket.try_acquire(t0));
    EXPECT_GT(bucket.wait(t0), 24h * 365 * 1000) << rate;
    EXPECT_FALSE(bucket.try_acquire(t0 + 24h * 365 * 1000)) << rate;
  }
}

TEST(TokenBucket, RefusesARateOrBurstThatMeansNothing) {
  EXPECT_THROW((TokenBucket{0, 1}), std::invalid_argument);
  EXPECT_THROW((TokenBucket{-1, 1}), std::invalid_argument);
  EXPECT_THROW((TokenBucket{std::numeric_limits<double>::quiet_NaN(), 1}), std::invalid_argument);
  EXPECT_THROW((TokenBucket{1, 0}), std::invalid_argument);
}

TEST(RateLimiter, HasThePacingOfTheDesignByDefault) {
  RateLimiter limiter;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limiter.try_acquire(alice, t0));
  EXPECT_FALSE(limiter.try_acquire(alice, t0));
  EXPECT_EQ(limiter.wait(alice, t0), 1s);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limiter.try_acquire(bob, t0));
  EXPECT_EQ(limiter.account_wait(t0), 500ms);
  EXPECT_EQ(limiter.wait("+15550000003", t0), 500ms);
}

TEST(RateLimiter, TakesATokenOfBothOrOfNone) {
  RateLimiter limiter{{.account_rate_per_s = 1,
                       .account_burst = 3,
                       .recipient_rate_per_s = 1,
                       .recipient_burst = 2}};
  EXPECT_TRUE(limiter.try_acquire(alice, t0));
  EXPECT_TRUE(limiter.try_acquire(alice, t0));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limiter.try_acquire(alice, t0));
  EXPECT_TRUE(limiter.try_acquire(bob, t0)) << "alice's refused tries took the account's token";
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(limiter.try_acquire(bob, t0));
  EXPECT_EQ(limiter.account_wait(t0), 1s);
  // Bob's own bucket still holds one: only the account is empty.
  EXPECT_EQ(limiter.wait(bob, t0), 1s);
  EXPECT_TRUE(limiter.try_acquire(bob, t0 + 1s));
}

TEST(RateLimiter, OneBusyRecipientDoesNotHoldUpOthers) {
  RateLimiter limiter;
  while (limiter.try_acquire(alice, t0)) {
  }
  EXPECT_GT(limiter.wait(alice, t0), 0ms);
  EXPECT_EQ(limiter.wait(bob, t0), 0ms);
}

TEST(RateLimiter, WaitNamesTheInstantWhenATryWillSucceed) {
  RateLimiter limiter;
  std::mt19937_64 rng{3};
  TimePoint now = t0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string recipient = "+1555000000" + std::to_string(rng() % 4);
    if (rng() % 500 == 0) limiter.freeze_recipient(recipient, now + Duration{rng() % 30'000});
    if (rng() % 2000 == 0) limiter.freeze_account(now + Duration{rng() % 30'000});
    const Duration wait = limiter.wait(recipient, now);
    ASSERT_GE(wait, limiter.account_wait(now));
    if (wait > 0ms) {
      ASSERT_FALSE(limiter.try_acquire(recipient, now + wait - 1ms)) << i;
    }
    now += wait;
    ASSERT_TRUE(limiter.try_acquire(recipient, now)) << i;
  }
}

TEST(RateLimiter, LetsEverythingThroughWhenUnlimited) {
  RateLimiter limiter{RateLimiter::unlimited()};
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(limiter.try_acquire(alice, t0));
  EXPECT_EQ(limiter.wait(alice, t0), 0ms);
}

TEST(RateLimiter, HoldsAFrozenAccountBackThoughItHasTokens) {
  RateLimiter limiter{RateLimiter::unlimited()};
  EXPECT_FALSE(limiter.account_frozen_until(t0));
  limiter.freeze_account(t0 + 1h);
  EXPECT_EQ(limiter.account_frozen_until(t0), t0 + 1h);
  EXPECT_FALSE(limiter.try_acquire(alice, t0 + 1h - 1ms));
  EXPECT_EQ(limiter.wait(alice, t0), 1h);
  EXPECT_EQ(limiter.account_wait(t0), 1h);
  EXPECT_TRUE(limiter.try_acquire(alice, t0 + 1h));
  EXPECT_FALSE(limiter.account_frozen_until(t0 + 1h));
}

TEST(RateLimiter, FreezesOneRecipientAndNobodyElse) {
  RateLimiter limiter;
  limiter.freeze_recipient(alice, t0 + 10min);
  EXPECT_FALSE(limiter.try_acquire(alice, t0));
  EXPECT_EQ(limiter.wait(alice, t0), 10min);
  EXPECT_EQ(limiter.recipient_frozen_until(alice, t0), t0 + 10min);
  EXPECT_FALSE(limiter.recipient_frozen_until(bob, t0));
  EXPECT_TRUE(limiter.try_acquire(bob, t0));
  EXPECT_TRUE(limiter.try_acquire(alice, t0 + 10min));
  EXPECT_FALSE(limiter.recipient_frozen_until(alice, t0 + 10min));
}

TEST(RateLimiter, NeverShortensAFreeze) {
  RateLimiter limiter;
  limiter.freeze_account(t0 + 10min);
  limiter.freeze_account(t0 + 1min);
  EXPECT_EQ(limiter.account_frozen_until(t0), t0 + 10min);
  limiter.freeze_recipient(alice, t0 + 10min);
  limiter.freeze_recipient(alice, t0 + 1min);
  EXPECT_EQ(limiter.recipient_frozen_until(alice, t0), t0 + 10min);
}

TEST(RateLimiter, CanFreezeForEver) {
  RateLimiter limiter;
  limiter.freeze_account(TimePoint::max());
  EXPECT_GT(limiter.wait(alice, TimePoint::min()), 24h * 365 * 1000);
  EXPECT_FALSE(limiter.try_acquire(alice, t0 + 24h * 365));
}

TEST(RateLimiter, ForgetsRecipientsWhoseBucketIsFullWhenItsMemoryIs) {
  RateLimiter limiter{{.account_rate_per_s = unlimited_rate,
                       .recipient_rate_per_s = 1,
                       .recipient_burst = 2,
                       .recipients_max = 3}};
  EXPECT_TRUE(limiter.try_acquire("a", t0));
  EXPECT_TRUE(limiter.try_acquire("b", t0 + 1s));
  limiter.freeze_recipient("c", t0 + 1h);
  EXPECT_EQ(limiter.recipient_count(), 3U);

  EXPECT_TRUE(limiter.try_acquire("d", t0 + 1s));  // a is full again, b and c are not
  EXPECT_EQ(limiter.recipient_count(), 3U);
  EXPECT_TRUE(limiter.try_acquire("b", t0 + 1s));
  EXPECT_FALSE(limiter.try_acquire("b", t0 + 1s)) << "b's bucket was forgotten while in use";
  EXPECT_TRUE(limiter.recipient_frozen_until("c", t0 + 1s)) << "c's freeze was forgotten";
}

TEST(RateLimiter, LetsTheRecipientClosestToForgettableGiveWayWhenAllAreInUse) {
  RateLimiter limiter{{.account_rate_per_s = unlimited_rate,
                       .recipient_rate_per_s = 1,
                       .recipient_burst = 1,
                       .recipients_max = 2}};
  limiter.freeze_recipient("frozen", t0 + 1h);
  EXPECT_TRUE(limiter.try_acquire("busy", t0));
  EXPECT_TRUE(limiter.try_acquire("new", t0));
  EXPECT_EQ(limiter.recipient_count(), 2U);
  EXPECT_TRUE(limiter.recipient_frozen_until("frozen", t0));
  EXPECT_FALSE(limiter.try_acquire("new", t0));
}

TEST(RateLimiter, RemembersNoMoreRecipientsThanItsBound) {
  RateLimiter limiter{{.account_rate_per_s = unlimited_rate, .recipients_max = 100}};
  std::mt19937_64 rng{4};
  TimePoint now = t0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string recipient = std::to_string(rng() % 1000);
    if (rng() % 4 == 0) {
      limiter.freeze_recipient(recipient, now + Duration{rng() % 100'000});
    } else {
      (void)limiter.try_acquire(recipient, now);
    }
    ASSERT_LE(limiter.recipient_count(), 100U);
    now += Duration{rng() % 100};
  }
}

TEST(RateLimiter, RefusesABoundOfNoRecipients) {
  EXPECT_THROW((RateLimiter{{.recipients_max = 0}}), std::invalid_argument);
}

}  // namespace
}  // namespace holdfast
