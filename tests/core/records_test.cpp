#include <gtest/gtest.h>

#include <core/failure.hpp>
#include <core/records.hpp>
#include <random>
#include <set>
#include <string>

namespace holdfast::core {
namespace {

constexpr std::uint64_t epoch = 0x0123456789abcdef;

Entry entry_of(Seq seq, Seq first_seq, std::uint32_t parts) {
  Entry entry;
  entry.seq = seq;
  entry.first_seq = first_seq;
  entry.parts = parts;
  return entry;
}

TEST(Ids, NameASendByEpochAndFirstSequence) {
  EXPECT_EQ(send_id(epoch, entry_of(17, 17, 1)), "89abcdef-17");
  EXPECT_EQ(send_id(0x0a, entry_of(1, 1, 1)), "0000000a-1");
  EXPECT_EQ(send_id(epoch, entry_of(19, 17, 3)), "89abcdef-17") << "all parts share it";
}

TEST(Ids, NameAPartOnlyWhereThereAreSeveral) {
  EXPECT_EQ(entry_id(epoch, entry_of(17, 17, 1)), "89abcdef-17");
  EXPECT_EQ(entry_id(epoch, entry_of(17, 17, 3)), "89abcdef-17.1");
  EXPECT_EQ(entry_id(epoch, entry_of(19, 17, 3)), "89abcdef-17.3");
}

TEST(Ids, AreReadBackAsTheyWereWritten) {
  std::mt19937_64 rng{1};
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t any_epoch = rng();
    const Seq first_seq = (rng() >> (rng() % 63 + 1)) + 1;
    const auto parts = static_cast<std::uint32_t>(1 + rng() % 4);
    const Seq part = rng() % parts;
    const Entry entry = entry_of(first_seq + part, first_seq, parts);

    const auto send = parse_id(any_epoch, send_id(any_epoch, entry));
    ASSERT_TRUE(send);
    EXPECT_EQ(send->first_seq, first_seq);
    EXPECT_EQ(send->part, 0U);

    const auto one = parse_id(any_epoch, entry_id(any_epoch, entry));
    ASSERT_TRUE(one);
    EXPECT_EQ(one->first_seq, first_seq);
    EXPECT_EQ(one->part, parts == 1 ? 0 : part + 1);
  }
}

TEST(Ids, ReadTheLargestNumbersAndNoLargerOnes) {
  EXPECT_EQ(parse_id(epoch, "89abcdef-18446744073709551615")->first_seq, UINT64_MAX);
  EXPECT_FALSE(parse_id(epoch, "89abcdef-18446744073709551616"));
  EXPECT_EQ(parse_id(epoch, "89abcdef-1.4294967295")->part, UINT32_MAX);
  EXPECT_FALSE(parse_id(epoch, "89abcdef-1.4294967296"));
}

TEST(Ids, OfAnotherStoreAreNotRead) {
  EXPECT_TRUE(parse_id(epoch, "89abcdef-17"));
  EXPECT_FALSE(parse_id(epoch, "89abcdee-17"));
  EXPECT_FALSE(parse_id(epoch + 1, "89abcdef-17"));
}

TEST(Ids, ThatAreMalformedAreNotRead) {
  for (const char* text : {"",
                           "-",
                           "17",
                           "-17",
                           "89abcdef",
                           "89abcdef-",
                           "89abcdef-0",
                           "89abcdef-017",
                           "89abcdef--1",
                           "89abcdef-+1",
                           "89abcdef- 1",
                           "89abcdef-1 ",
                           "89abcdef-1.",
                           "89abcdef-1.0",
                           "89abcdef-1.01",
                           "89abcdef-.1",
                           "89abcdef-1.1.1",
                           "89abcdef-1.x",
                           "89abcdef-x",
                           "89abcdef-0x1",
                           "89ABCDEF-17",
                           "9abcdef-17",
                           "089abcdef-17",
                           " 89abcdef-17",
                           "89abcdef-17/history"}) {
    EXPECT_FALSE(parse_id(epoch, text)) << text;
  }
  EXPECT_FALSE(parse_id(epoch, std::string_view{"89abcdef-1\0", 11}));
}

/// Every value of an enumeration that ends with `last` has a spelling of its own, in snake_case.
template <typename Enum>
void expect_distinct_names(Enum last) {
  std::set<std::string> names;
  for (int value = 0; value <= static_cast<int>(last); ++value) {
    const std::string name = to_string(static_cast<Enum>(value));
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_FALSE(names.contains(to_string(static_cast<Enum>(static_cast<int>(last) + 1))));
}

TEST(Spellings, AreDistinctAndComplete) {
  expect_distinct_names(FrameKind::malformed);
  expect_distinct_names(EntryState::expired);
  expect_distinct_names(Operation::remote_delete);
  expect_distinct_names(Reason::stopped);
}

TEST(Spellings, OfTheApiAreStable) {
  EXPECT_STREQ(to_string(FrameKind::remote_delete), "remote_delete");
  EXPECT_STREQ(to_string(EntryState::queued), "queued");
  EXPECT_STREQ(to_string(EntryState::sending), "sending");
  EXPECT_STREQ(to_string(EntryState::sent), "sent");
  EXPECT_STREQ(to_string(EntryState::failed), "failed");
  EXPECT_STREQ(to_string(EntryState::unknown), "unknown");
  EXPECT_STREQ(to_string(EntryState::held), "held");
  EXPECT_STREQ(to_string(EntryState::cancelled), "cancelled");
  EXPECT_STREQ(to_string(EntryState::expired), "expired");
  EXPECT_STREQ(to_string(Operation::send), "send");
  EXPECT_STREQ(to_string(Reason::refused), "refused");
  EXPECT_STREQ(to_string(Reason::timed_out), "timed_out");
  EXPECT_STREQ(to_string(Reason::bridge_mode), "bridge_mode");
}

}  // namespace
}  // namespace holdfast::core
