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

/// `docs/store-format.md`, "A worked example".
TEST(StoreFormat, IsAsItsWorkedExampleSays) {
  SqliteSubject s;
  core::AppendFrame message =
      frame("+15550000001", 0, R"({"envelope":{},"account":"+15550000001"})");
  message.frame.received_at_ms = 1'700'000'000'500;
  message.frame.server_received_ms = 1'700'000'000'300;
  message.frame.identity = {0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 0x5f, 0x1e,
                            0x77, 0x10, 0xa3, 0x09, 0xc4, 0xd2, 0x6e, 0x91};
  applied(s, batch({message, message, core::CountEphemeral{"+15550000001", 2}}));
  applied(s, batch({core::PutCursor{"+15550000001", "", 1}}));
  core::AddSend hello =
      add_send("+15550000001", {"+15550000002"}, core::IdempotencyKey{"order-17", "hash"});
  hello.body = R"({"message":"Hello"})";
  hello.entries[0].created_at_ms = 1'700'000'001'000;
  applied(s, batch({hello}));
  core::Entry e = entries(s, {})[0];
  e.attempts = 1;
  core::UpdateEntry sending = update(e, core::EntryState::sending, "attempt 1");
  sending.at_ms = 1'700'000'001'002;
  core::UpdateEntry sent = update(sending.entry, core::EntryState::sent, "the bridge says SUCCESS");
  sent.entry.timestamp = 1'700'000'001'450;
  sent.at_ms = 1'700'000'001'451;
  applied(s, batch({sending, sent}));
  s.close();

  const auto holds = [&](const std::string& table, const std::string& condition) {
    EXPECT_EQ(sql(s.file(), "SELECT count(*) FROM " + table + " WHERE " + condition), 1)
        << table << ": " << condition;
  };
  holds("accounts",
        "account = 1 AND name = '+15550000001' AND last_seq = 1 AND received = 4 AND "
        "duplicates = 1 AND ephemeral = 2 AND trimmed_up_to = 0");
  holds("frames",
        "key = 1099511627777 AND kind = 0 AND received_at_ms = 1700000000500 AND "
        "server_received_ms = 1700000000300 AND identity = x'018bcfe568005f1e7710a309c4d26e91' "
        "AND CAST(bytes AS TEXT) = '{\"envelope\":{},\"account\":\"+15550000001\"}'");
  holds("identities", "account = 1 AND hex(identity) LIKE '018BCFE5%' AND seq = 1");
  holds("cursors", "account = 1 AND consumer = '' AND seq = 1");
  holds("entries",
        "seq = 1 AND first_seq = 1 AND parts = 1 AND account = 1 AND "
        "recipient = '+15550000002' AND operation = 0 AND state = 2 AND attempts = 1 AND "
        "created_at_ms = 1700000001000 AND timestamp = 1700000001450 AND body_bytes = 19");
  holds("bodies", "first_seq = 1 AND CAST(body AS TEXT) = '{\"message\":\"Hello\"}'");
  holds("ledger", "n = 1 AND from_state IS NULL AND to_state = 0 AND at_ms = 1700000001000");
  holds("ledger", "n = 2 AND from_state = 0 AND to_state = 1 AND at_ms = 1700000001002");
  holds("ledger", "n = 3 AND from_state = 1 AND to_state = 2 AND at_ms = 1700000001451");
  holds("idempotency", "account = 1 AND key = 'order-17' AND first_seq = 1");
  holds("meta", "key = 'epoch' AND value > 0");
  holds("meta", "key = 'last_entry_seq' AND value = 1");
  holds("meta", "key = 'probes' AND value = 0");
  EXPECT_EQ(sql(s.file(), "PRAGMA application_id"), 0x48667374);
  EXPECT_EQ(sql(s.file(), "PRAGMA user_version"), 1);
  EXPECT_EQ(sql(s.file(), "PRAGMA page_size"), 4'096);
}

TEST(FrameKey, HoldsAccountAndSequence) {
  EXPECT_EQ(frame_key(1, 5), 1'099'511'627'781);
  EXPECT_EQ(seq_of_key(frame_key(account_number_max, sequence_max)), sequence_max);
  EXPECT_GT(frame_key(account_number_max, sequence_max), 0);
  EXPECT_LT(frame_key(1, sequence_max), frame_key(2, 0));
}

}  // namespace
}  // namespace holdfast::store
