#include <gtest/gtest.h>

#include <algorithm>
#include <core/jitter.hpp>
#include <set>

namespace holdfast::core {
namespace {

using namespace std::chrono_literals;

/// What `kind` makes of `nominal`, drawn `count` times: least, greatest and mean.
struct Spread {
  Duration least = Duration::max();
  Duration greatest = Duration::min();
  double mean_ms = 0;
};

Spread spread(JitterKind kind, Duration nominal, int count = 20'000) {
  const Jitter jitter{kind};
  Rng rng{7};
  Spread seen;
  for (int i = 0; i < count; ++i) {
    const Duration delay = jitter.apply(nominal, rng);
    seen.least = std::min(seen.least, delay);
    seen.greatest = std::max(seen.greatest, delay);
    seen.mean_ms += static_cast<double>(delay.count()) / count;
  }
  return seen;
}

TEST(Jitter, OfKindNoneLeavesTheDelayAndTheEngineAlone) {
  Rng rng{1};
  const Rng untouched = rng;
  for (const Duration nominal : {0ms, 1ms, 1000ms, 60'000ms}) {
    EXPECT_EQ(Jitter{JitterKind::none}.apply(nominal, rng), nominal);
  }
  EXPECT_EQ(rng, untouched);
}

TEST(Jitter, OfKindEqualDrawsUniformlyFromTheUpperHalf) {
  for (const Duration nominal : {1000ms, 2000ms, 60'000ms}) {
    const Spread seen = spread(JitterKind::equal, nominal);
    const auto d = static_cast<double>(nominal.count());
    EXPECT_GE(seen.least, nominal / 2);
    EXPECT_LE(seen.greatest, nominal) << "the maximum must stay the maximum";
    EXPECT_LT(static_cast<double>(seen.least.count()), 0.51 * d);
    EXPECT_GT(static_cast<double>(seen.greatest.count()), 0.99 * d);
    EXPECT_NEAR(seen.mean_ms, 0.75 * d, 0.01 * d);
  }
}

TEST(Jitter, OfKindFullDrawsUniformlyFromTheWholeDelay) {
  for (const Duration nominal : {1000ms, 2000ms, 60'000ms}) {
    const Spread seen = spread(JitterKind::full, nominal);
    const auto d = static_cast<double>(nominal.count());
    EXPECT_GE(seen.least, 0ms);
    EXPECT_LE(seen.greatest, nominal);
    EXPECT_LT(static_cast<double>(seen.least.count()), 0.01 * d);
    EXPECT_GT(static_cast<double>(seen.greatest.count()), 0.99 * d);
    EXPECT_NEAR(seen.mean_ms, 0.5 * d, 0.01 * d);
  }
}

TEST(Jitter, ReachesBothEndsOfItsRange) {
  Rng rng{5};
  std::set<Duration> equal, full;
  for (int i = 0; i < 1000; ++i) {
    equal.insert(Jitter{JitterKind::equal}.apply(5ms, rng));
    full.insert(Jitter{JitterKind::full}.apply(3ms, rng));
  }
  EXPECT_EQ(equal, (std::set<Duration>{3ms, 4ms, 5ms}));
  EXPECT_EQ(full, (std::set<Duration>{0ms, 1ms, 2ms, 3ms}));
}

TEST(Jitter, MakesNoDelayOfNone) {
  Rng rng{1};
  for (const JitterKind kind : {JitterKind::none, JitterKind::equal, JitterKind::full}) {
    EXPECT_EQ(Jitter{kind}.apply(0ms, rng), 0ms);
    EXPECT_EQ(Jitter{kind}.apply(-5s, rng), 0ms);
  }
}

TEST(Jitter, RepeatsItselfFromTheSameSeed) {
  Rng first{42}, second{42};
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Jitter{JitterKind::equal}.apply(60s, first),
              Jitter{JitterKind::equal}.apply(60s, second));
  }
}

TEST(Jitter, IsSpelledTheSameInBothDirections) {
  for (const JitterKind kind : {JitterKind::none, JitterKind::equal, JitterKind::full}) {
    EXPECT_EQ(parse_jitter(to_string(kind)), kind);
  }
  EXPECT_EQ(parse_jitter("equal"), JitterKind::equal);
  EXPECT_EQ(parse_jitter("Equal"), std::nullopt);
  EXPECT_EQ(parse_jitter(""), std::nullopt);
}

}  // namespace
}  // namespace holdfast::core
