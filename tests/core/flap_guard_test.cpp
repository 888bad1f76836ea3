#include <gtest/gtest.h>

#include <core/flap_guard.hpp>

namespace holdfast::core {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint t0{1h};

/// A guard after `count` connections that lasted a second each, and the time then.
struct Flapped {
  FlapGuard guard;
  TimePoint now = t0;
  explicit Flapped(int count) {
    for (int i = 0; i < count; ++i) connection(1s);
  }
  void connection(Duration length) {
    guard.connected(now);
    now += length;
    guard.disconnected(now);
    now += 1s;
  }
};

TEST(FlapGuard, AsksForNothingAtProcessStart) { EXPECT_EQ(FlapGuard{}.penalty(t0), 0ms); }

TEST(FlapGuard, DoublesWithEachShortConnectionUpToSixtySeconds) {
  Flapped link{0};
  for (const Duration expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
    link.connection(1s);
    EXPECT_EQ(link.guard.penalty(link.now), expected);
  }
}

TEST(FlapGuard, CallsAConnectionShortBelowThirtySecondsExactly) {
  Flapped link{3};
  link.connection(30s - 1ms);
  EXPECT_EQ(link.guard.short_connections(link.now), 4U);
  link.connection(30s);
  EXPECT_EQ(link.guard.short_connections(link.now), 0U);
  EXPECT_EQ(link.guard.penalty(link.now), 0ms);
}

TEST(FlapGuard, ForgetsWhileTheConnectionIsStillUp) {
  Flapped link{5};
  link.guard.connected(link.now);
  EXPECT_EQ(link.guard.penalty(link.now + 30s - 1ms), 16s);
  EXPECT_EQ(link.guard.penalty(link.now + 30s), 0ms);
}

TEST(FlapGuard, StartsCountingAnewAfterAGoodConnection) {
  Flapped link{5};
  link.connection(1h);
  link.connection(1s);
  EXPECT_EQ(link.guard.penalty(link.now), 1s);
}

TEST(FlapGuard, TakesFailedAttemptsForNoConnections) {
  Flapped link{2};
  for (int i = 0; i < 10; ++i) link.guard.disconnected(link.now += 1s);
  EXPECT_EQ(link.guard.penalty(link.now), 2s);
}

TEST(FlapGuard, MeasuresFromTheFirstOfRepeatedReports) {
  // CONNECTED is entered a second time when SYNCING is complete.
  FlapGuard guard;
  guard.connected(t0);
  guard.connected(t0 + 10s);
  guard.disconnected(t0 + 30s);
  EXPECT_EQ(guard.penalty(t0 + 30s), 0ms);
}

TEST(FlapGuard, DoesNotForgetByWaitingWhileDisconnected) {
  const Flapped link{4};
  EXPECT_EQ(link.guard.penalty(link.now + 24h), 8s);
}

}  // namespace
}  // namespace holdfast::core
