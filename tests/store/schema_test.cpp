#include <gmock/gmock.h>

#include <array>
#include <fstream>
#include <store/sqlite_schema.hpp>

#include "support.hpp"

namespace holdfast::store {
namespace {

using ::testing::HasSubstr;

constexpr Migration first{1, "CREATE TABLE one(x); INSERT INTO one VALUES(7)"};
constexpr Migration second{2, "CREATE TABLE two(x); INSERT INTO two SELECT x + 1 FROM one"};
constexpr Migration broken{3, "CREATE TABLE three(x); INSERT INTO nowhere VALUES(1)"};

class Migrations : public ::testing::Test {
 protected:
  Migrations() {
    std::ofstream{temp / "db"};
    db = *Db::open(temp / "db", {});
  }

  TempDir temp;
  std::unique_ptr<Db> db;
};

TEST_F(Migrations, BringANewFileToTheLastVersionStepByStep) {
  constexpr std::array steps{first, second};
  ASSERT_TRUE(migrate(*db, steps));
  EXPECT_EQ(db->integer("PRAGMA user_version"), 2);
  EXPECT_EQ(db->integer("SELECT x FROM two"), 8);
}

TEST_F(Migrations, BringAnOlderFileUpAndKeepItsRows) {
  constexpr std::array old_steps{first};
  constexpr std::array new_steps{first, second};
  ASSERT_TRUE(migrate(*db, old_steps));
  db->run("UPDATE one SET x = 41");
  ASSERT_TRUE(migrate(*db, new_steps));
  ASSERT_TRUE(migrate(*db, new_steps));
  EXPECT_EQ(db->integer("SELECT x FROM two"), 42);
}

TEST_F(Migrations, LeaveAFileAtTheLastStepThatWorked) {
  constexpr std::array steps{first, second, broken};
  const auto migrated = migrate(*db, steps);
  ASSERT_FALSE(migrated);
  EXPECT_THAT(migrated.error().message, HasSubstr("nowhere"));
  db->clear();
  EXPECT_EQ(db->integer("PRAGMA user_version"), 2);
  EXPECT_EQ(db->integer("SELECT count(*) FROM sqlite_schema WHERE name = 'three'"), 0);
}

TEST_F(Migrations, RefuseANewerFileAndLeaveItAlone) {
  constexpr std::array steps{first};
  db->run("PRAGMA user_version = 2");
  const auto migrated = migrate(*db, steps);
  ASSERT_FALSE(migrated);
  EXPECT_EQ(migrated.error().code, Errc::store_too_new);
  EXPECT_EQ(db->integer("SELECT count(*) FROM sqlite_schema"), 0);
}

TEST_F(Migrations, OfTheStoreAreNumberedWithoutGaps) {
  std::int64_t version = 0;
  for (const Migration& step : migrations()) EXPECT_EQ(step.to, ++version);
}

TEST(FrameKey, HoldsAccountAndSequence) {
  EXPECT_EQ(frame_key(1, 5), 1'099'511'627'781);
  EXPECT_EQ(seq_of_key(frame_key(account_number_max, sequence_max)), sequence_max);
  EXPECT_GT(frame_key(account_number_max, sequence_max), 0);
  EXPECT_LT(frame_key(1, sequence_max), frame_key(2, 0));
}

}  // namespace
}  // namespace holdfast::store
