#include <gtest/gtest.h>

#include <core/attempt_schedule.hpp>
#include <vector>

namespace holdfast::core {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint t0{1h};

/// A schedule without jitter, and the engine that nothing should draw from.
struct Plain {
  AttemptSchedule schedule{JitterKind::none};
  Rng rng{1};
  void plan(std::uint32_t attempt, TimePoint now) { schedule.plan(attempt, false, rng, now); }
  /// `count` connections of a second each, ending at `now`.
  void flap(int count, TimePoint now) {
    for (int i = 0; i < count; ++i) {
      schedule.connected(now - 1s);
      schedule.disconnected(now);
    }
  }
};

// --- The backoff --------------------------------------------------------------------------------

TEST(AttemptSchedule, WaitsTheNominalBackoffWhenNothingElseHolds) {
  Plain link;
  const std::vector<Duration> expected{1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    link.plan(static_cast<std::uint32_t>(i + 1), t0);
    EXPECT_EQ(link.schedule.due(), t0 + expected[i]);
    EXPECT_EQ(link.schedule.current().nominal, expected[i]);
    EXPECT_EQ(link.schedule.current().actual, expected[i]);
    EXPECT_EQ(link.schedule.reason(), Reason::scheduled);
  }
}

TEST(AttemptSchedule, DoesNotWaitBeforeTheFirstAttemptOfAProcess) {
  Plain link;
  link.schedule.plan(1, true, link.rng, t0);
  EXPECT_EQ(link.schedule.due(), t0);
  EXPECT_EQ(link.schedule.current().nominal, 1s);
  EXPECT_EQ(link.schedule.current().actual, 0ms);
  link.plan(2, t0);
  EXPECT_EQ(link.schedule.due(), t0 + 2s) << "the second attempt waits by the formula";
}

TEST(AttemptSchedule, ShowsTheJitteredDelayNextToTheNominalOne) {
  AttemptSchedule schedule{JitterKind::equal};
  Rng rng{3};
  bool differed = false;
  for (int i = 0; i < 1000; ++i) {
    schedule.plan(7, false, rng, t0);
    const auto& plan = schedule.current();
    ASSERT_EQ(plan.nominal, 60s);
    ASSERT_GE(plan.actual, 30s);
    ASSERT_LE(plan.actual, 60s);
    ASSERT_EQ(plan.due(), t0 + plan.actual);
    differed = differed || plan.actual != plan.nominal;
  }
  EXPECT_TRUE(differed);
}

// --- The flap guard -----------------------------------------------------------------------------

TEST(AttemptSchedule, WaitsAtLeastThePenaltyAfterShortConnections) {
  Plain link;
  link.flap(4, t0);
  link.plan(1, t0);
  EXPECT_EQ(link.schedule.current().nominal, 1s);
  EXPECT_EQ(link.schedule.current().actual, 8s);
  EXPECT_EQ(link.schedule.current().penalty_until, t0 + 8s);
}

TEST(AttemptSchedule, TakesTheLongerOfBackoffAndPenaltyNotTheirSum) {
  Plain link;
  link.flap(4, t0);
  link.plan(6, t0);
  EXPECT_EQ(link.schedule.due(), t0 + 32s);
}

TEST(AttemptSchedule, DoesNotJitterThePenalty) {
  AttemptSchedule schedule{JitterKind::full};
  Rng rng{9};
  schedule.connected(t0 - 1s);
  schedule.disconnected(t0);
  for (int i = 0; i < 100; ++i) {
    schedule.plan(1, false, rng, t0);
    ASSERT_EQ(schedule.due(), t0 + 1s);
  }
}

TEST(AttemptSchedule, ConnectsAtMostSeventyTimesAnHourToABridgeThatDropsAtOnce) {
  // Design §1: 2,770 connects an hour without the guard, 65 with it.
  AttemptSchedule schedule{JitterKind::equal};
  Rng rng{11};
  TimePoint now = t0;
  int connects = 0;
  while (true) {
    schedule.plan(1, false, rng, now);
    now = schedule.due();
    if (now >= t0 + 1h) break;
    ++connects;
    schedule.connected(now);
    now += 100ms;
    schedule.disconnected(now);
  }
  EXPECT_LE(connects, 70);
  EXPECT_GE(connects, 60);
}

// --- Retry-After --------------------------------------------------------------------------------

TEST(AttemptSchedule, HonoursTheRetryAfterOfABridgeThatRefused) {
  Plain link;
  link.schedule.retry_after(90s, t0);
  link.plan(1, t0);
  EXPECT_EQ(link.schedule.due(), t0 + 90s);
  EXPECT_EQ(link.schedule.current().nominal, 1s);
  EXPECT_EQ(link.schedule.current().actual, 90s);
}

TEST(AttemptSchedule, HonoursARetryAfterThatComesWhileItWaits) {
  Plain link;
  link.plan(1, t0);
  link.schedule.retry_after(90s, t0 + 500ms);
  EXPECT_EQ(link.schedule.due(), t0 + 90s + 500ms);
  EXPECT_EQ(link.schedule.current().actual, 90s + 500ms);
}

TEST(AttemptSchedule, CutsARetryAfterToTenMinutes) {
  for (const Duration asked : {Duration{10min + 1ms}, Duration{24h}, Duration::max()}) {
    Plain link;
    link.schedule.retry_after(asked, t0);
    link.plan(1, t0);
    EXPECT_EQ(link.schedule.due(), t0 + 10min);
  }
}

TEST(AttemptSchedule, TakesANegativeRetryAfterForNone) {
  Plain link;
  link.schedule.retry_after(Duration::min(), t0);
  link.plan(1, t0);
  EXPECT_EQ(link.schedule.due(), t0 + 1s);
}

TEST(AttemptSchedule, NeverLetsARetryAfterShortenTheBackoffOrAnEarlierOne) {
  Plain link;
  link.schedule.retry_after(20s, t0);
  link.schedule.retry_after(5s, t0);
  link.plan(1, t0);
  EXPECT_EQ(link.schedule.due(), t0 + 20s);
  link.plan(6, t0);
  EXPECT_EQ(link.schedule.due(), t0 + 32s);
}

TEST(AttemptSchedule, ForgetsARetryAfterOnceConnected) {
  Plain link;
  link.schedule.retry_after(10min, t0);
  link.schedule.connected(t0 + 1s);
  link.schedule.disconnected(t0 + 1min);
  link.plan(1, t0 + 1min);
  EXPECT_EQ(link.schedule.due(), t0 + 1min + 1s);
}

// --- Automatic hints ----------------------------------------------------------------------------

TEST(AttemptSchedule, EndsTheBackoffOnAHint) {
  Plain link;
  link.plan(7, t0);
  EXPECT_TRUE(link.schedule.automatic_hint(t0 + 3s));
  EXPECT_EQ(link.schedule.due(), t0 + 3s);
  EXPECT_EQ(link.schedule.current().nominal, 60s);
  EXPECT_EQ(link.schedule.current().actual, 3s);
  EXPECT_TRUE(link.schedule.hinted());
  EXPECT_EQ(link.schedule.reason(), Reason::hinted);
}

TEST(AttemptSchedule, LetsNoHintEndThePenalty) {
  Plain link;
  link.flap(3, t0);
  link.plan(6, t0);
  EXPECT_TRUE(link.schedule.automatic_hint(t0 + 1s));
  EXPECT_EQ(link.schedule.due(), t0 + 4s) << "the backoff of 32 s ends, the penalty of 4 s holds";
  EXPECT_TRUE(link.schedule.hinted());
}

TEST(AttemptSchedule, LetsNoHintEndARetryAfter) {
  Plain link;
  link.schedule.retry_after(20s, t0);
  link.plan(6, t0);
  EXPECT_TRUE(link.schedule.automatic_hint(t0 + 1s));
  EXPECT_EQ(link.schedule.due(), t0 + 20s);
}

TEST(AttemptSchedule, RecordsNoHintThatChangedNothing) {
  Plain link;
  link.flap(4, t0);
  link.plan(1, t0);  // the penalty of 8 s outlasts the backoff of 1 s
  EXPECT_FALSE(link.schedule.automatic_hint(t0 + 100ms));
  EXPECT_EQ(link.schedule.due(), t0 + 8s);
  EXPECT_FALSE(link.schedule.hinted());
}

TEST(AttemptSchedule, IgnoresAHintForAnAttemptThatIsDueAlready) {
  Plain link;
  link.plan(1, t0);
  EXPECT_FALSE(link.schedule.automatic_hint(t0 + 1s));
  EXPECT_FALSE(link.schedule.automatic_hint(t0 + 5s));
  EXPECT_FALSE(link.schedule.hinted());
}

TEST(AttemptSchedule, LetsThroughOneHintedAttemptASecond) {
  Plain link;
  link.plan(5, t0);
  EXPECT_TRUE(link.schedule.automatic_hint(t0));
  // The attempt is made at once and refused.
  link.plan(6, t0 + 10ms);
  EXPECT_FALSE(link.schedule.hinted()) << "the hint belonged to the attempt before";
  EXPECT_TRUE(link.schedule.automatic_hint(t0 + 20ms));
  EXPECT_EQ(link.schedule.due(), t0 + 1s) << "one second after the last hinted attempt";
  EXPECT_FALSE(link.schedule.automatic_hint(t0 + 30ms));
  EXPECT_EQ(link.schedule.due(), t0 + 1s);
  EXPECT_EQ(link.schedule.current().actual, 990ms);
}

TEST(AttemptSchedule, LetsAHintThroughAtOnceASecondAfterTheLast) {
  Plain link;
  link.plan(5, t0);
  (void)link.schedule.automatic_hint(t0);
  link.plan(6, t0 + 10ms);
  EXPECT_TRUE(link.schedule.automatic_hint(t0 + 1s));
  EXPECT_EQ(link.schedule.due(), t0 + 1s);
}

TEST(AttemptSchedule, DoesNotPostponeAnAttemptBecauseOfAHint) {
  Plain link;
  link.plan(5, t0);
  (void)link.schedule.automatic_hint(t0);
  link.plan(1, t0 - 500ms + 10ms);  // due before the next hinted attempt may be
  const TimePoint due = link.schedule.due();
  ASSERT_LT(due, t0 + 1s);
  EXPECT_FALSE(link.schedule.automatic_hint(t0 + 20ms));
  EXPECT_EQ(link.schedule.due(), due);
}

TEST(AttemptSchedule, MakesAtMostOneAttemptASecondUnderAStormOfHints) {
  AttemptSchedule schedule{JitterKind::equal};
  Rng rng{13};
  TimePoint now = t0;
  std::uint32_t attempt = 2;
  int attempts = 0;
  schedule.plan(attempt, false, rng, now);
  for (; now < t0 + 60s; now += 1ms) {
    (void)schedule.automatic_hint(now);
    if (now < schedule.due()) continue;
    ++attempts;
    schedule.plan(++attempt, false, rng, now);
  }
  EXPECT_LE(attempts, 61);
  EXPECT_GE(attempts, 59);
}

TEST(AttemptSchedule, CountsASecondFromTheAttemptEvenIfARetryAfterAnsweredIt) {
  Plain link;
  link.plan(5, t0);
  EXPECT_TRUE(link.schedule.automatic_hint(t0));
  link.schedule.retry_after(2s, t0);  // the answer came within the same millisecond
  link.plan(6, t0 + 10ms);
  EXPECT_TRUE(link.schedule.automatic_hint(t0 + 1500ms));
  EXPECT_EQ(link.schedule.due(), t0 + 2s);
}

// --- A person -----------------------------------------------------------------------------------

TEST(AttemptSchedule, EndsAllThreeWaitsForAPerson) {
  Plain link;
  link.flap(7, t0);
  link.schedule.retry_after(10min, t0);
  link.plan(7, t0);
  EXPECT_EQ(link.schedule.due(), t0 + 10min);
  link.schedule.retry_now(t0 + 5s);
  EXPECT_EQ(link.schedule.due(), t0 + 5s);
  EXPECT_EQ(link.schedule.current().actual, 5s);
  EXPECT_EQ(link.schedule.current().nominal, 60s);
  EXPECT_EQ(link.schedule.reason(), Reason::requested);
  EXPECT_FALSE(link.schedule.hinted());
}

TEST(AttemptSchedule, DoesNotBringBackARetryAfterThatAPersonEnded) {
  Plain link;
  link.schedule.retry_after(10min, t0);
  link.plan(1, t0);
  link.schedule.retry_now(t0 + 5s);
  link.plan(2, t0 + 6s);
  EXPECT_EQ(link.schedule.due(), t0 + 8s);
}

TEST(AttemptSchedule, KeepsThePenaltyOfLaterAttemptsWhenAPersonEndsOne) {
  Plain link;
  link.flap(4, t0);
  link.plan(1, t0);
  link.schedule.retry_now(t0 + 1s);
  link.plan(2, t0 + 2s);
  EXPECT_EQ(link.schedule.due(), t0 + 10s);
}

TEST(AttemptSchedule, LetsAPersonRetryRightAfterAHintedAttempt) {
  Plain link;
  link.plan(5, t0);
  (void)link.schedule.automatic_hint(t0);
  link.plan(6, t0 + 10ms);
  (void)link.schedule.automatic_hint(t0 + 20ms);
  link.schedule.retry_now(t0 + 30ms);
  EXPECT_EQ(link.schedule.due(), t0 + 30ms);
  EXPECT_EQ(link.schedule.reason(), Reason::requested);
}

TEST(AttemptSchedule, LeavesAnAttemptThatIsBeingMadeToItsReason) {
  Plain link;
  link.plan(1, t0);
  link.schedule.retry_now(t0 + 1s);
  EXPECT_EQ(link.schedule.reason(), Reason::scheduled);
  EXPECT_EQ(link.schedule.due(), t0 + 1s);
}

}  // namespace
}  // namespace holdfast::core
