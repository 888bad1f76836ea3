#include <gtest/gtest.h>

#include <sim/world.hpp>
#include <string>

namespace holdfast::sim {
namespace {

std::string story(const Report& report) {
  std::string text = "seed " + std::to_string(report.seed) + ":\n";
  for (const std::string& finding : report.findings) text += "  " + finding + "\n";
  return text;
}

TEST(Simulator, TwoHundredSeedsKeepEveryGuarantee) {
  std::uint64_t frames = 0, sends = 0, faults = 0, events = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Report report = run({.seed = seed});
    ASSERT_TRUE(report.findings.empty()) << story(report);
    frames += report.frames;
    sends += report.sends;
    faults += report.faults;
    events += report.events;
  }
  std::printf("200 seeds: %lu events, %lu frames, %lu sends, %lu faults\n", events, frames, sends,
              faults);
  EXPECT_GT(frames, 200u * 500);
  EXPECT_GT(sends, 200u * 100);
  EXPECT_GT(faults, 200u * 10);
}

TEST(Simulator, ASeedReproducesItsRunByteForByte) {
  const Report first = run({.seed = 17, .keep_trace = true});
  const Report second = run({.seed = 17, .keep_trace = true});
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_NE(first.trace_hash, run({.seed = 18}).trace_hash);
}

}  // namespace
}  // namespace holdfast::sim
