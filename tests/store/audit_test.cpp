// G3: the audit proves what it says, and sees what somebody did to the file.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "support.hpp"

namespace holdfast::store {
namespace {

using core::EntryState;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A store with some of everything, stopped, that can be broken.
class BrokenStore : public ::testing::Test {
 protected:
  BrokenStore() {
    for (std::uint64_t i = 1; i <= 10; ++i) applied(s, batch({frame(ann, i), frame(bob, i)}));
    applied(s, batch({frame(ann, 1), core::CountEphemeral{bob, 3}, core::PutCursor{ann, "", 10}}));
    applied(s, batch({core::TrimFrames{ann, 2, 0}}));
    applied(s, batch({add_send(ann, {"a"}, core::IdempotencyKey{"key", "hash"})}));
    applied(s, batch({add_send(ann, {"b", "c"})}));
    applied(s, batch({update(entry(1, EntryState::queued), EntryState::sending)}));
    applied(s, batch({update(entry(1, EntryState::sending), EntryState::sent)}));
    s.close();
  }

  /// The problems after `statements` were run on the file.
  std::vector<std::string> after(const std::string& statements) {
    sql(s.file(), statements);
    const auto report = audit(s.dir());
    EXPECT_TRUE(report) << report.error().message;
    return report ? report->problems : std::vector<std::string>{};
  }

  SqliteSubject s;
};

TEST_F(BrokenStore, IsSoundBeforeItIsBroken) { EXPECT_THAT(after("SELECT 1"), IsEmpty()); }

TEST_F(BrokenStore, MissesADeletedFrame) {
  const auto problems = after("DELETE FROM frames WHERE key = (1 << 40) + 5");
  EXPECT_THAT(problems, Contains(HasSubstr(ann + ": frame 5 is missing")));
  EXPECT_THAT(problems, Contains(HasSubstr("received 11 is not stored 9 + duplicate 1")));
}

TEST_F(BrokenStore, MissesTheLastFrames) {
  EXPECT_THAT(after("DELETE FROM frames WHERE key >= (2 << 40) + 9"),
              Contains(HasSubstr(bob + ": frame 9 to 10 are missing")));
}

TEST_F(BrokenStore, MissesTheOldestFrameThatShouldBeThere) {
  EXPECT_THAT(after("DELETE FROM frames WHERE key = (1 << 40) + 3"),
              Contains(HasSubstr("frame 3 is missing")));
}

TEST_F(BrokenStore, SeesAFrameTooMany) {
  EXPECT_THAT(after("INSERT INTO frames SELECT key + 5, kind, 0, NULL, zeroblob(16), bytes "
                    "FROM frames WHERE key = (1 << 40) + 10"),
              Contains(HasSubstr("frame 15 is there, but the last one given is 10")));
  EXPECT_THAT(after("INSERT INTO frames VALUES((1 << 40) + 1, 0, 0, NULL, zeroblob(16), x'00')"),
              Contains(HasSubstr("frame 1 is there though trimmed")));
}

TEST_F(BrokenStore, SeesCountersThatDoNotAddUp) {
  EXPECT_THAT(after("UPDATE accounts SET duplicates = duplicates + 1 WHERE account = 1"),
              Contains(HasSubstr("received 11 is not stored 10 + duplicate 2 + ephemeral 0")));
}

TEST_F(BrokenStore, MissesADeletedEntry) {
  const auto problems = after("DELETE FROM entries WHERE seq = 2");
  EXPECT_THAT(problems, Contains(HasSubstr("entry 2 is missing")));
  EXPECT_THAT(problems, Contains(HasSubstr("the ledger tells of entry 2, which is not there")));
  EXPECT_THAT(problems, Contains("accepted 3 is not the 2 entries in all states"));
  EXPECT_THAT(problems, Contains(HasSubstr("not part of the send they name: 1")));
}

TEST_F(BrokenStore, MissesTheLastEntry) {
  EXPECT_THAT(after("DELETE FROM entries WHERE seq = 3; DELETE FROM ledger WHERE entry = 3"),
              Contains("entry 3 is missing"));
}

TEST_F(BrokenStore, MissesADeletedLedgerRow) {
  EXPECT_THAT(after("DELETE FROM ledger WHERE entry = 1 AND n = 2"),
              Contains(HasSubstr("goes on from sending, though it had arrived at queued")));
  EXPECT_THAT(after("DELETE FROM ledger WHERE entry = 2"),
              Contains("entry 2 is queued, but its ledger ends at nothing"));
}

TEST_F(BrokenStore, SeesALedgerRowTooMany) {
  EXPECT_THAT(after("INSERT INTO ledger VALUES(1, 4, 2, 0, 0, 'again')"),
              Contains(HasSubstr("has queued after sent, which cannot be")));
}

TEST_F(BrokenStore, SeesAStateThatTheLedgerDoesNotExplain) {
  EXPECT_THAT(after("UPDATE entries SET state = 3 WHERE seq = 1"),
              Contains("entry 1 is failed, but its ledger ends at sent"));
  EXPECT_THAT(after("UPDATE entries SET state = 42 WHERE seq = 1"),
              Contains(HasSubstr("in state 42, which does not exist")));
}

TEST_F(BrokenStore, MissesBodiesIdentitiesAndWhatKeysAndCursorsPointTo) {
  const auto problems = after(
      "DELETE FROM bodies WHERE first_seq = 2; DELETE FROM identities WHERE seq = 7;"
      "UPDATE idempotency SET first_seq = 9; UPDATE cursors SET seq = 11");
  EXPECT_THAT(problems, SizeIs(4));
  EXPECT_THAT(problems, Contains("sends without a body: 1"));
  EXPECT_THAT(problems, Contains("idempotency keys of sends that are not there: 1"));
  EXPECT_THAT(problems, Contains("cursors beyond the last frame of their account: 1"));
  EXPECT_THAT(problems, Contains(HasSubstr("without an identity: 2")));
}

TEST_F(BrokenStore, TellsAHundredProblemsAndCountsTheRest) {
  const auto problems = after(
      "INSERT INTO ledger WITH RECURSIVE c(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM c "
      "WHERE i < 299) SELECT i, 1, NULL, 0, 0, '' FROM c");
  ASSERT_THAT(problems, SizeIs(101));
  EXPECT_EQ(problems.back(), "… and 100 more problems");
}

TEST(Audit, FindsALiveStoreSoundWhileItIsWritten) {
  SqliteSubject s;
  applied(s, batch({frame(ann, 1), add_send(ann, {"a"})}));
  std::atomic<int> audits = 0;
  std::vector<std::string> problems;
  std::thread auditor{[&] {
    while (audits < 20) {
      const auto report = audit(s.dir());
      if (!report) problems.push_back(report.error().message);
      if (report) problems.insert(problems.end(), report->problems.begin(), report->problems.end());
      ++audits;
    }
  }};
  std::uint64_t next = 1;
  while (audits < 20) {
    ++next;
    applied(s, batch({frame(ann, next), frame(ann, next), add_send(bob, {"a", "b"})}));
    applied(s, batch({update(entry(2 * next - 2, EntryState::queued), EntryState::sending)}));
  }
  auditor.join();
  EXPECT_THAT(problems, IsEmpty());
}

TEST(Audit, SaysWhereThereIsNoStore) {
  TempDir temp;
  const auto report = audit(temp.path());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::not_found);
  EXPECT_THAT(report.error().message, HasSubstr("there is no store at"));
  EXPECT_TRUE(std::filesystem::is_empty(temp.path()));
}

TEST(Audit, ReadsWhatACrashLeftWithoutChangingIt) {
  SqliteSubject s;
  for (std::uint64_t i = 1; i <= 5; ++i) applied(s, batch({frame(ann, i)}));
  TempDir crashed;
  std::filesystem::copy(s.file(), crashed / "holdfast.db");
  std::filesystem::copy(s.wal(), crashed / "holdfast.db-wal");
  const auto size = std::filesystem::file_size(crashed / "holdfast.db");
  const auto report = audit(crashed.path());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->inbound.at(0).stored, 5U);
  EXPECT_EQ(std::filesystem::file_size(crashed / "holdfast.db"), size);
  EXPECT_TRUE(std::filesystem::exists(crashed / "holdfast.db-wal"));
}

}  // namespace
}  // namespace holdfast::store
