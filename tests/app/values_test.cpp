#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <app/values.hpp>
#include <array>
#include <holdfast/rate_limiter.hpp>

namespace holdfast::app {
namespace {

using testing::HasSubstr;

constexpr core::Duration ten_minutes{600'000};

TEST(Duration, IsANumberAndAUnit) {
  EXPECT_EQ((*parse_duration("500ms", ten_minutes)).count(), 500);
  EXPECT_EQ((*parse_duration("3s", ten_minutes)).count(), 3'000);
  EXPECT_EQ((*parse_duration("1.5s", ten_minutes)).count(), 1'500);
  EXPECT_EQ((*parse_duration("2min", ten_minutes)).count(), 120'000);
  EXPECT_EQ((*parse_duration("0s", ten_minutes)).count(), 0);
}

TEST(Duration, NeedsAUnitUnlessItIsZero) {
  EXPECT_EQ((*parse_duration("0", ten_minutes)).count(), 0);
  const auto bare = parse_duration("3", ten_minutes);
  ASSERT_FALSE(bare);
  EXPECT_THAT(bare.error().message, HasSubstr("such as 500ms or 3s"));
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "s", "-3s", "3 s", "3sec", "3S", "three", "1e3s", ".5s", "1..5s",
                           "inf", "nan", "0x3s", "3s3s"}) {
    EXPECT_FALSE(parse_duration(text, ten_minutes)) << text;
  }
}

TEST(Duration, HasAnUpperBoundThatTheErrorNames) {
  EXPECT_TRUE(parse_duration("10min", ten_minutes));
  const auto longer = parse_duration("601s", ten_minutes);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().message, "601s is too long; the most is 10 min");
  EXPECT_FALSE(parse_duration("99999999999999999999999999min", ten_minutes));
}

TEST(Rate, IsCountedPerSecondMinuteOrHour) {
  EXPECT_DOUBLE_EQ(*parse_rate("2/s"), 2);
  EXPECT_DOUBLE_EQ(*parse_rate("60/min"), 1);
  EXPECT_DOUBLE_EQ(*parse_rate("90/h"), 0.025);
  EXPECT_DOUBLE_EQ(*parse_rate("0.5/s"), 0.5);
  EXPECT_EQ(*parse_rate("unlimited"), unlimited_rate);
}

TEST(Rate, SaysWhatToWriteInstead) {
  for (const char* text : {"", "2", "/s", "2/", "2/sec", "-1/s", "many", "Unlimited", "1e9/s"}) {
    const auto rate = parse_rate(text);
    ASSERT_FALSE(rate) << text;
    EXPECT_THAT(rate.error().message, HasSubstr("such as 60/min or 2/s, or unlimited"));
  }
}

TEST(Rate, IsNeitherZeroNorBeyondMeasure) {
  EXPECT_FALSE(parse_rate("0/s"));
  EXPECT_FALSE(parse_rate("0.001/h"));
  EXPECT_THAT(parse_rate("2000000/s").error().message, HasSubstr("write unlimited"));
}

TEST(Burst, IsAWholeNumberFromOne) {
  EXPECT_EQ(*parse_burst("1"), 1u);
  EXPECT_EQ(*parse_burst("1000000"), 1'000'000u);
  for (const char* text : {"", "0", "-1", "1.5", "1000001", "many", "99999999999999999999"}) {
    EXPECT_FALSE(parse_burst(text)) << text;
  }
}

TEST(Account, IsANumberWithItsCountryCode) {
  EXPECT_EQ(*parse_account("+15550100001"), "+15550100001");
  EXPECT_EQ(*parse_account("+12345"), "+12345");
  EXPECT_EQ(*parse_account("+123456789012345"), "+123456789012345");
}

TEST(Account, IsAnAciInLowerCase) {
  EXPECT_EQ(*parse_account("0A1B2C3D-0000-4000-8000-00000000000F"),
            "0a1b2c3d-0000-4000-8000-00000000000f");
}

TEST(Account, SaysWhatIsWrongWithANumber) {
  const auto why = [](const char* text) { return parse_account(text).error().message; };
  EXPECT_THAT(why("15550100001"), HasSubstr("does not start with '+'"));
  EXPECT_THAT(why("+1555 0100001"), HasSubstr("only be digits"));
  EXPECT_THAT(why("+1234"), HasSubstr("it has 4 digits"));
  EXPECT_THAT(why("+1234567890123456"), HasSubstr("it has 16 digits"));
  EXPECT_THAT(why("+05550100001"), HasSubstr("no country code starts with 0"));
  EXPECT_THAT(why(""), HasSubstr("such as +15550100001"));
  EXPECT_FALSE(parse_account("0a1b2c3d-0000-4000-8000-00000000000"));
  EXPECT_FALSE(parse_account("0a1b2c3d-0000-4000-8000-00000000000g"));
}

TEST(UnknownWord, SuggestsTheNearestOne) {
  constexpr std::array<std::string_view, 3> known{"listen", "data_dir", "pacing"};
  EXPECT_EQ(unknown_word("lissten", known), "\"lissten\"; did you mean \"listen\"?");
  EXPECT_EQ(unknown_word("datadir", known), "\"datadir\"; did you mean \"data_dir\"?");
}

TEST(UnknownWord, ListsAllWhereNoneIsNear) {
  constexpr std::array<std::string_view, 3> known{"listen", "data_dir", "pacing"};
  EXPECT_EQ(unknown_word("colour", known), "\"colour\"; known are listen, data_dir and pacing");
}

TEST(Redacted, ShowsTheLastTwoCharacters) {
  EXPECT_EQ(redacted("+15550100042"), "…42");
  EXPECT_EQ(redacted("42"), "…");
  EXPECT_EQ(redacted(""), "…");
}

}  // namespace
}  // namespace holdfast::app
