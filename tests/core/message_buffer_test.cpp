#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <holdfast/message_buffer.hpp>
#include <memory>
#include <random>
#include <string>

namespace holdfast {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr TimePoint t0{1h};

using Buffer = MessageBuffer<int>;

Buffer with_count(std::size_t count_max, OverflowPolicy policy = OverflowPolicy::reject) {
  return Buffer{{.count_max = count_max, .overflow = policy}};
}

Buffer with_bytes(std::size_t bytes_max, OverflowPolicy policy = OverflowPolicy::reject) {
  return Buffer{{.bytes_max = bytes_max, .overflow = policy}};
}

TEST(MessageBuffer, GivesItemsBackInTheOrderTheyCame) {
  Buffer buffer = with_count(10);
  for (int i = 1; i <= 4; ++i) EXPECT_TRUE(buffer.push(i, 1, t0).accepted);
  ASSERT_NE(buffer.front(), nullptr);
  EXPECT_EQ(*buffer.front(), 1);
  EXPECT_EQ(buffer.pop(), 1);
  EXPECT_EQ(buffer.pop(), 2);
  EXPECT_THAT(buffer.drain(), ElementsAre(3, 4));
}

TEST(MessageBuffer, IsEmptyAfterDraining) {
  Buffer buffer = with_count(10);
  (void)buffer.push(1, 100, t0);
  (void)buffer.drain();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.size(), 0U);
  EXPECT_EQ(buffer.bytes(), 0U);
  EXPECT_EQ(buffer.front(), nullptr);
  EXPECT_EQ(buffer.pop(), std::nullopt);
  EXPECT_THAT(buffer.drain(), IsEmpty());
}

TEST(MessageBuffer, CountsItemsAndBytes) {
  Buffer buffer = with_count(10);
  (void)buffer.push(1, 100, t0);
  (void)buffer.push(2, 20, t0);
  EXPECT_EQ(buffer.size(), 2U);
  EXPECT_EQ(buffer.bytes(), 120U);
  (void)buffer.pop();
  EXPECT_EQ(buffer.size(), 1U);
  EXPECT_EQ(buffer.bytes(), 20U);
}

TEST(MessageBuffer, RefusesTheNewItemAtItsCountAndHandsItBack) {
  Buffer buffer = with_count(2);
  (void)buffer.push(1, 1, t0);
  (void)buffer.push(2, 1, t0);
  const auto result = buffer.push(3, 1, t0);
  EXPECT_FALSE(result.accepted);
  EXPECT_EQ(result.refused, 3);
  EXPECT_THAT(result.overflowed, IsEmpty());
  EXPECT_THAT(buffer.drain(), ElementsAre(1, 2));
}

TEST(MessageBuffer, AcceptsExactlyItsBytesAndRefusesOneMore) {
  Buffer buffer = with_bytes(100);
  EXPECT_TRUE(buffer.push(1, 60, t0).accepted);
  EXPECT_FALSE(buffer.push(2, 41, t0).accepted);
  EXPECT_TRUE(buffer.push(3, 40, t0).accepted);
  EXPECT_EQ(buffer.bytes(), 100U);
  EXPECT_FALSE(buffer.push(4, 1, t0).accepted);
  EXPECT_TRUE(buffer.push(5, 0, t0).accepted);
}

TEST(MessageBuffer, DropsTheOldestAtItsCountAndReportsIt) {
  Buffer buffer = with_count(2, OverflowPolicy::drop_oldest);
  (void)buffer.push(1, 1, t0);
  (void)buffer.push(2, 1, t0);
  const auto result = buffer.push(3, 1, t0);
  EXPECT_TRUE(result.accepted);
  EXPECT_EQ(result.refused, std::nullopt);
  EXPECT_THAT(result.overflowed, ElementsAre(1));
  EXPECT_THAT(buffer.drain(), ElementsAre(2, 3));
}

TEST(MessageBuffer, DropsAsManyOfTheOldestAsTheBytesNeedAndNoMore) {
  Buffer buffer = with_bytes(100, OverflowPolicy::drop_oldest);
  for (int i = 1; i <= 5; ++i) (void)buffer.push(i, 20, t0);
  const auto result = buffer.push(6, 50, t0);
  EXPECT_THAT(result.overflowed, ElementsAre(1, 2, 3));
  EXPECT_THAT(buffer.drain(), ElementsAre(4, 5, 6));
}

TEST(MessageBuffer, DropsNothingForAnItemThatCanNeverFit) {
  Buffer buffer = with_bytes(100, OverflowPolicy::drop_oldest);
  (void)buffer.push(1, 20, t0);
  const auto result = buffer.push(2, 101, t0);
  EXPECT_FALSE(result.accepted);
  EXPECT_EQ(result.refused, 2);
  EXPECT_THAT(result.overflowed, IsEmpty());
  EXPECT_EQ(buffer.size(), 1U);
}

TEST(MessageBuffer, RefusesAnOversizedItemEvenWhenEmptyUnlessAllowed) {
  Buffer strict = with_bytes(100);
  EXPECT_FALSE(strict.push(1, 101, t0).accepted);

  Buffer lenient{{.bytes_max = 100, .allow_oversized_single = true}};
  EXPECT_TRUE(lenient.push(1, 101, t0).accepted);
  EXPECT_EQ(lenient.bytes(), 101U);
  EXPECT_FALSE(lenient.push(2, 1, t0).accepted) << "an oversized item stays alone";
  EXPECT_FALSE(lenient.push(3, 0, t0).accepted) << "an oversized item stays alone";
  EXPECT_EQ(lenient.pop(), 1);
  EXPECT_TRUE(lenient.push(4, 1, t0).accepted);
  EXPECT_FALSE(lenient.push(5, 101, t0).accepted) << "it is not empty";
}

TEST(MessageBuffer, DropsNothingForAnOversizedItem) {
  Buffer buffer{
      {.bytes_max = 100, .overflow = OverflowPolicy::drop_oldest, .allow_oversized_single = true}};
  (void)buffer.push(1, 10, t0);
  const auto result = buffer.push(2, 101, t0);
  EXPECT_FALSE(result.accepted) << "only an empty buffer takes it";
  EXPECT_THAT(result.overflowed, IsEmpty());
}

TEST(MessageBuffer, LetsAnOversizedItemGiveWayLikeAnyOther) {
  Buffer buffer{
      {.bytes_max = 100, .overflow = OverflowPolicy::drop_oldest, .allow_oversized_single = true}};
  (void)buffer.push(1, 500, t0);
  const auto result = buffer.push(2, 10, t0);
  EXPECT_TRUE(result.accepted);
  EXPECT_THAT(result.overflowed, ElementsAre(1));
  EXPECT_EQ(buffer.bytes(), 10U);
}

TEST(MessageBuffer, AcceptsNothingWithABoundOfNoItems) {
  for (const auto policy : {OverflowPolicy::reject, OverflowPolicy::drop_oldest}) {
    Buffer buffer{{.count_max = 0, .overflow = policy, .allow_oversized_single = true}};
    EXPECT_FALSE(buffer.push(1, 0, t0).accepted);
    EXPECT_TRUE(buffer.empty());
  }
}

TEST(MessageBuffer, DoesNotOverflowOnHugeSizes) {
  Buffer buffer{{.bytes_max = SIZE_MAX}};
  EXPECT_TRUE(buffer.push(1, SIZE_MAX - 1, t0).accepted);
  EXPECT_FALSE(buffer.push(2, 2, t0).accepted);
  EXPECT_TRUE(buffer.push(3, 1, t0).accepted);
}

TEST(MessageBuffer, ExpiresWhatIsAsOldAsItsTtl) {
  Buffer buffer{{.ttl = 10s}};
  (void)buffer.push(1, 5, t0);
  (void)buffer.push(2, 7, t0 + 1s);
  EXPECT_EQ(buffer.next_expiry(), t0 + 10s);
  EXPECT_THAT(buffer.expire(t0 + 10s - 1ms), IsEmpty());
  EXPECT_THAT(buffer.expire(t0 + 10s), ElementsAre(1));
  EXPECT_EQ(buffer.bytes(), 7U);
  EXPECT_EQ(buffer.next_expiry(), t0 + 11s);
  EXPECT_THAT(buffer.expire(t0 + 1h), ElementsAre(2));
  EXPECT_EQ(buffer.next_expiry(), std::nullopt);
}

TEST(MessageBuffer, KeepsItemsForEverWithoutATtl) {
  Buffer buffer = with_count(10);
  (void)buffer.push(1, 1, t0);
  EXPECT_EQ(buffer.next_expiry(), std::nullopt);
  EXPECT_THAT(buffer.expire(TimePoint::max()), IsEmpty());
}

TEST(MessageBuffer, MakesRoomByExpiryBeforeItDropsOrRefuses) {
  for (const auto policy : {OverflowPolicy::reject, OverflowPolicy::drop_oldest}) {
    Buffer buffer{{.count_max = 2, .ttl = 10s, .overflow = policy}};
    (void)buffer.push(1, 1, t0);
    (void)buffer.push(2, 1, t0 + 5s);
    const auto result = buffer.push(3, 1, t0 + 10s);
    EXPECT_TRUE(result.accepted);
    EXPECT_THAT(result.expired, ElementsAre(1));
    EXPECT_THAT(result.overflowed, IsEmpty());
  }
}

TEST(MessageBuffer, SurvivesExtremeTimes) {
  Buffer buffer{{.ttl = Duration::max()}};
  (void)buffer.push(1, 1, t0);
  EXPECT_EQ(buffer.next_expiry(), TimePoint::max());
  EXPECT_THAT(buffer.expire(TimePoint::max()), IsEmpty());

  Buffer backwards{{.ttl = 10s}};
  (void)backwards.push(1, 1, t0);
  EXPECT_THAT(backwards.expire(t0 - 30min), IsEmpty());
}

TEST(MessageBuffer, HoldsItemsThatCanOnlyBeMoved) {
  MessageBuffer<std::unique_ptr<std::string>> buffer{{.count_max = 1}};
  EXPECT_TRUE(buffer.push(std::make_unique<std::string>("first"), 5, t0).accepted);
  const auto result = buffer.push(std::make_unique<std::string>("second"), 6, t0);
  ASSERT_TRUE(result.refused);
  EXPECT_EQ(**result.refused, "second");
  EXPECT_EQ(**buffer.pop(), "first");
}

/// Everything that went in comes out exactly once, in order, by one of the four ways out; the
/// bounds hold at every moment.
TEST(MessageBuffer, LosesAndRepeatsNothing) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 rng{seed};
    const std::size_t count_max = 1 + rng() % 8;
    const std::size_t bytes_max = 50 + rng() % 100;
    Buffer::Options options{.count_max = count_max, .bytes_max = bytes_max};
    if (rng() % 2 == 0) options.ttl = 20ms;
    if (rng() % 2 == 0) options.overflow = OverflowPolicy::drop_oldest;
    options.allow_oversized_single = rng() % 2 == 0;
    Buffer buffer{options};

    std::deque<int> model;
    const auto left = [&model, seed](const std::vector<int>& items) {
      for (const int item : items) {
        ASSERT_FALSE(model.empty());
        ASSERT_EQ(item, model.front()) << "seed " << seed;
        model.pop_front();
      }
    };
    TimePoint now = t0;
    for (int next = 0; next < 500; ++next) {
      now += Duration{rng() % 10};
      switch (rng() % 8) {
        case 0:
          if (auto item = buffer.pop()) left({*item});
          break;
        case 1:
          left(buffer.expire(now));
          break;
        case 2:
          if (rng() % 10 == 0) left(buffer.drain());
          break;
        default: {
          const auto result = buffer.push(next, rng() % 200, now);
          left(result.expired);
          left(result.overflowed);
          ASSERT_NE(result.accepted, result.refused.has_value());
          if (result.accepted) model.push_back(next);
          if (!result.accepted) {
            ASSERT_EQ(result.refused, next);
            ASSERT_TRUE(result.overflowed.empty());
          }
        }
      }
      ASSERT_EQ(buffer.size(), model.size()) << "seed " << seed;
      ASSERT_LE(buffer.size(), count_max);
      if (buffer.bytes() > bytes_max) {
        ASSERT_TRUE(options.allow_oversized_single);
        ASSERT_EQ(buffer.size(), 1U);
      }
    }
    left(buffer.drain());
    ASSERT_TRUE(model.empty());
    ASSERT_EQ(buffer.bytes(), 0U);
  }
}

}  // namespace
}  // namespace holdfast
