#include <gtest/gtest.h>

#include <core/liveness.hpp>

namespace holdfast::core {
namespace {

using namespace std::chrono_literals;
using Verdict = Liveness::Verdict;

constexpr TimePoint t0{1h};

TEST(Liveness, ProbesAfterEightSecondsOfSilence) {
  Liveness liveness{t0};
  EXPECT_EQ(liveness.deadline(), t0 + 8s);
  EXPECT_EQ(liveness.check(t0 + 8s - 1ms), Verdict::alive);
  EXPECT_EQ(liveness.check(t0 + 8s), Verdict::probe);
}

TEST(Liveness, ProbesOncePerSilence) {
  Liveness liveness{t0};
  EXPECT_EQ(liveness.check(t0 + 8s), Verdict::probe);
  EXPECT_EQ(liveness.check(t0 + 8s), Verdict::alive);
  EXPECT_EQ(liveness.check(t0 + 17s), Verdict::alive);
  liveness.activity(t0 + 17s);
  EXPECT_EQ(liveness.check(t0 + 25s), Verdict::probe);
}

TEST(Liveness, CallsAConnectionDeadTenSecondsAfterTheProbe) {
  Liveness liveness{t0};
  EXPECT_EQ(liveness.check(t0 + 8s), Verdict::probe);
  EXPECT_EQ(liveness.deadline(), t0 + 18s);
  EXPECT_EQ(liveness.check(t0 + 18s - 1ms), Verdict::alive);
  EXPECT_EQ(liveness.check(t0 + 18s), Verdict::dead);
  EXPECT_EQ(liveness.check(t0 + 19s), Verdict::dead);
}

TEST(Liveness, NoticesAHalfOpenConnectionWithinTwentySeconds) {
  Liveness liveness{t0};
  Verdict verdict = Verdict::alive;
  TimePoint now = t0;
  while (verdict != Verdict::dead) {
    now = liveness.deadline();
    verdict = liveness.check(now);
  }
  EXPECT_LE(now - t0, 20s);
}

TEST(Liveness, TakesAnyByteForLife) {
  Liveness liveness{t0};
  EXPECT_EQ(liveness.check(t0 + 8s), Verdict::probe);
  liveness.activity(t0 + 18s - 1ms);
  EXPECT_EQ(liveness.check(t0 + 18s), Verdict::alive);
  EXPECT_EQ(liveness.deadline(), t0 + 26s - 1ms);
}

TEST(Liveness, NeverProbesABusyConnection) {
  Liveness liveness{t0};
  for (int i = 1; i <= 1000; ++i) {
    const TimePoint now = t0 + i * 7999ms;
    EXPECT_EQ(liveness.check(now), Verdict::alive);
    liveness.activity(now);
  }
}

TEST(Liveness, LeavesThePeerItsTenSecondsWhenACheckComesLate) {
  // The machine was suspended for an hour: the peer has not been asked yet.
  Liveness liveness{t0};
  EXPECT_EQ(liveness.check(t0 + 1h), Verdict::probe);
  EXPECT_EQ(liveness.check(t0 + 1h + 10s - 1ms), Verdict::alive);
  EXPECT_EQ(liveness.check(t0 + 1h + 10s), Verdict::dead);
}

TEST(Liveness, IsNotShortenedByAReportThatComesLate) {
  Liveness liveness{t0 + 5s};
  liveness.activity(t0);
  EXPECT_EQ(liveness.deadline(), t0 + 13s);
}

}  // namespace
}  // namespace holdfast::core
