// What every store promises, whatever it is made of.
#include <gmock/gmock.h>

#include "support.hpp"

namespace holdfast::store {
namespace {

using core::EntryState;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <typename T>
class StoreContract : public ::testing::Test {
 protected:
  T subject;
};

using Subjects = ::testing::Types<MemorySubject, SqliteSubject>;
class Names {
 public:
  template <typename T>
  static std::string GetName(int) {
    return std::is_same_v<T, MemorySubject> ? "Memory" : "Sqlite";
  }
};
TYPED_TEST_SUITE(StoreContract, Subjects, Names);

std::vector<core::Seq> seqs(const std::vector<core::Frame>& frames) {
  std::vector<core::Seq> seqs;
  for (const core::Frame& frame : frames) seqs.push_back(frame.seq);
  return seqs;
}

std::vector<core::Seq> seqs(const std::vector<core::Entry>& entries) {
  std::vector<core::Seq> seqs;
  for (const core::Entry& entry : entries) seqs.push_back(entry.seq);
  return seqs;
}

// --- Inbound ------------------------------------------------------------------------------------

TYPED_TEST(StoreContract, NumbersFramesDenselyPerAccount) {
  auto& s = this->subject;
  EXPECT_THAT(applied(s, batch({frame(ann, 1), frame(bob, 2), frame(ann, 3)})).frame_seqs,
              ElementsAre(1, 1, 2));
  EXPECT_THAT(applied(s, batch({frame(ann, 4), frame(bob, 5)})).frame_seqs, ElementsAre(3, 2));
}

TYPED_TEST(StoreContract, StoresARepeatedIdentityOnceWithinAndAcrossBatches) {
  auto& s = this->subject;
  EXPECT_THAT(applied(s, batch({frame(ann, 1), frame(ann, 1), frame(ann, 2)})).frame_seqs,
              ElementsAre(1, 0, 2));
  EXPECT_THAT(applied(s, batch({frame(ann, 2), frame(ann, 3)})).frame_seqs, ElementsAre(0, 3));
  s.reopen();
  EXPECT_THAT(applied(s, batch({frame(ann, 1), frame(ann, 4)})).frame_seqs, ElementsAre(0, 4));
  const core::Recovered start = recovered(s);
  ASSERT_EQ(start.accounts.size(), 1U);
  EXPECT_EQ(start.accounts[0].duplicates, 3U);
  EXPECT_EQ(start.accounts[0].last_seq, 4U);
}

TYPED_TEST(StoreContract, StoresTheSameIdentityOnceForEachAccount) {
  EXPECT_THAT(applied(this->subject, batch({frame(ann, 1), frame(bob, 1)})).frame_seqs,
              ElementsAre(1, 1));
}

TYPED_TEST(StoreContract, NeverTakesFramesOfUnknownIdentityForRepeats) {
  core::AppendFrame nameless = frame(ann, 1);
  nameless.frame.identity = {};
  EXPECT_THAT(applied(this->subject, batch({nameless, nameless})).frame_seqs, ElementsAre(1, 2));
}

TYPED_TEST(StoreContract, GivesFramesBackAsTheyCame) {
  auto& s = this->subject;
  core::AppendFrame given = frame(ann, 7, std::string{"{\"a\":\"\0\xff\"}", 10});
  given.frame.kind = core::FrameKind::receipt;
  given.frame.server_received_ms = 1'234;
  applied(s, batch({given, frame(ann, 8, "")}));
  const auto page = frames(s, {.account = ann});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->frames.size(), 2U);
  const core::Frame& first = page->frames[0];
  EXPECT_EQ(first.seq, 1U);
  EXPECT_EQ(first.received_at_ms, given.frame.received_at_ms);
  EXPECT_EQ(first.kind, core::FrameKind::receipt);
  EXPECT_EQ(first.identity, identity(7));
  EXPECT_EQ(first.server_received_ms, 1'234);
  EXPECT_EQ(*first.bytes, *given.frame.bytes);
  EXPECT_EQ(page->frames[1].server_received_ms, std::nullopt);
  EXPECT_EQ(*page->frames[1].bytes, "");
}

TYPED_TEST(StoreContract, ReadsFramesOfOneAccountAfterASequenceInOrder) {
  auto& s = this->subject;
  for (std::uint64_t i = 1; i <= 5; ++i) applied(s, batch({frame(ann, i), frame(bob, i)}));
  const auto page = frames(s, {.account = ann, .after = 2});
  ASSERT_TRUE(page);
  EXPECT_THAT(seqs(page->frames), ElementsAre(3, 4, 5));
  EXPECT_EQ(page->read_up_to, 5U);
  const auto nothing = frames(s, {.account = ann, .after = 5});
  ASSERT_TRUE(nothing);
  EXPECT_THAT(nothing->frames, IsEmpty());
  EXPECT_EQ(nothing->read_up_to, 5U);
  const auto nobody = frames(s, {.account = "+15550000009", .after = 3});
  ASSERT_TRUE(nobody);
  EXPECT_THAT(nobody->frames, IsEmpty());
}

TYPED_TEST(StoreContract, EndsAPageAtItsCountAndAtItsBytesButReturnsOneFrameAtLeast) {
  auto& s = this->subject;
  for (std::uint64_t i = 1; i <= 4; ++i) applied(s, batch({frame(ann, i, std::string(100, 'x'))}));
  const auto by_count = frames(s, {.account = ann, .count_max = 3});
  const auto by_bytes = frames(s, {.account = ann, .bytes_max = 250});
  const auto tiny = frames(s, {.account = ann, .after = 1, .bytes_max = 1});
  ASSERT_TRUE(by_count && by_bytes && tiny);
  EXPECT_THAT(seqs(by_count->frames), ElementsAre(1, 2, 3));
  EXPECT_EQ(by_count->read_up_to, 3U);
  EXPECT_THAT(seqs(by_bytes->frames), ElementsAre(1, 2));
  EXPECT_EQ(by_bytes->read_up_to, 2U);
  EXPECT_THAT(seqs(tiny->frames), ElementsAre(2));
}

TYPED_TEST(StoreContract, PassesOverMalformedFramesUnlessAskedForThem) {
  auto& s = this->subject;
  core::AppendFrame bad = frame(ann, 2);
  bad.frame.kind = core::FrameKind::malformed;
  core::AppendFrame worse = frame(ann, 4);
  worse.frame.kind = core::FrameKind::malformed;
  applied(s, batch({frame(ann, 1), bad, frame(ann, 3), worse}));
  const auto without = frames(s, {.account = ann});
  const auto with = frames(s, {.account = ann, .with_malformed = true});
  ASSERT_TRUE(without && with);
  EXPECT_THAT(seqs(without->frames), ElementsAre(1, 3));
  EXPECT_EQ(without->read_up_to, 4U);
  EXPECT_THAT(seqs(with->frames), ElementsAre(1, 2, 3, 4));
}

TYPED_TEST(StoreContract, RemembersCursorsAndCountsAcrossARestart) {
  auto& s = this->subject;
  applied(s, batch({frame(ann, 1), frame(ann, 2), core::CountEphemeral{ann, 5}}));
  applied(s, batch({core::PutCursor{ann, "", 1}, core::PutCursor{ann, "named", 2}}));
  applied(s, batch({core::PutCursor{ann, "", 2}, core::CountEphemeral{ann, 1}}));
  const std::uint64_t epoch = recovered(s).epoch;
  s.reopen();
  const core::Recovered start = recovered(s);
  EXPECT_EQ(start.epoch, epoch);
  EXPECT_NE(epoch, 0U);
  EXPECT_EQ(epoch >> 63, 0U);
  ASSERT_EQ(start.accounts.size(), 1U);
  EXPECT_EQ(start.accounts[0].account, ann);
  EXPECT_EQ(start.accounts[0].cursor, 2U);
  EXPECT_EQ(start.accounts[0].ephemeral, 6U);
  EXPECT_EQ(start.accounts[0].first_seq, 1U);
}

TYPED_TEST(StoreContract, TrimsTheOldestFramesAndGoesOnNumbering) {
  auto& s = this->subject;
  for (std::uint64_t i = 1; i <= 5; ++i) applied(s, batch({frame(ann, i), frame(bob, i)}));
  applied(s, batch({core::TrimFrames{ann, 3, 10'000}}));
  applied(s, batch({core::TrimFrames{ann, 2, 10'000}}));  // already gone
  s.reopen();
  const auto page = frames(s, {.account = ann});
  ASSERT_TRUE(page);
  EXPECT_THAT(seqs(page->frames), ElementsAre(4, 5));
  EXPECT_EQ(recovered(s).accounts[0].first_seq, 4U);
  EXPECT_EQ(recovered(s).accounts[1].first_seq, 1U);
  applied(s, batch({core::TrimFrames{ann, 100, 10'000}}));
  EXPECT_THAT(applied(s, batch({frame(ann, 6)})).frame_seqs, ElementsAre(6));
  EXPECT_EQ(recovered(s).accounts[0].first_seq, 6U);
  const auto report = s.audit();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->problems, IsEmpty());
}

TYPED_TEST(StoreContract, KnowsIdentitiesOfTrimmedFramesForThirtyDaysMore) {
  auto& s = this->subject;
  constexpr std::int64_t day = 24LL * 3'600'000;
  applied(s, batch({frame(ann, 1), frame(ann, 2), frame(ann, 3)}));
  applied(s, batch({core::TrimFrames{ann, 1, 0}}));
  applied(s, batch({core::TrimFrames{ann, 2, 10 * day}}));
  EXPECT_THAT(applied(s, batch({frame(ann, 1)})).frame_seqs, ElementsAre(0));
  applied(s, batch({core::TrimFrames{ann, 2, 30 * day}}));
  EXPECT_THAT(applied(s, batch({frame(ann, 1), frame(ann, 2), frame(ann, 3)})).frame_seqs,
              ElementsAre(4, 0, 0));
  applied(s, batch({core::TrimFrames{ann, 2, 40 * day}}));
  EXPECT_THAT(applied(s, batch({frame(ann, 2)})).frame_seqs, ElementsAre(5));
}

// --- Outbound -----------------------------------------------------------------------------------

TYPED_TEST(StoreContract, NumbersEntriesDenselyOverAllAccounts) {
  auto& s = this->subject;
  EXPECT_EQ(applied(s, batch({add_send(ann, {"a"})})).first_entry_seq, 1U);
  EXPECT_EQ(applied(s, batch({add_send(bob, {"b", "c", "d"})})).first_entry_seq, 2U);
  EXPECT_EQ(applied(s, batch({add_send(ann, {"e"})})).first_entry_seq, 5U);
  const auto all = entries(s, {});
  EXPECT_THAT(seqs(all), ElementsAre(5, 4, 3, 2, 1));
  EXPECT_EQ(all[2].first_seq, 2U);
  EXPECT_EQ(all[2].parts, 3U);
  EXPECT_EQ(all[2].recipient, "c");
}

TYPED_TEST(StoreContract, GivesASendBackWithItsBodyAndHistory) {
  auto& s = this->subject;
  applied(s, batch({add_send(ann, {"x"})}));
  core::AddSend given = add_send(ann, {"a", "group.b"});
  given.body = std::string{"\0{}", 3};
  given.entries[1].operation = core::Operation::reaction;
  applied(s, batch({given}));
  const auto parts = send(s, 2);
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 2U);
  const core::Entry& second = (*parts)[1].entry;
  EXPECT_EQ(second.seq, 3U);
  EXPECT_EQ(second.first_seq, 2U);
  EXPECT_EQ(second.account, ann);
  EXPECT_EQ(second.recipient, "group.b");
  EXPECT_EQ(second.operation, core::Operation::reaction);
  EXPECT_EQ(second.state, EntryState::queued);
  EXPECT_EQ(second.created_at_ms, 1'000);
  EXPECT_EQ(second.expires_at_ms, 2'000);
  EXPECT_EQ(second.provisional_timestamp, 1'001);
  EXPECT_EQ(second.body_bytes, 3U);
  ASSERT_EQ((*parts)[1].history.size(), 1U);
  EXPECT_EQ((*parts)[1].history[0].from, std::nullopt);
  EXPECT_EQ((*parts)[1].history[0].to, EntryState::queued);
  EXPECT_EQ((*parts)[1].history[0].at_ms, 1'000);
  const auto stored = body(s, 2);
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored, given.body);
}

TYPED_TEST(StoreContract, FindsNothingWhereNoSendStarts) {
  auto& s = this->subject;
  applied(s, batch({add_send(ann, {"a", "b"})}));
  EXPECT_EQ(send(s, 2).error().code, Errc::not_found);
  EXPECT_EQ(send(s, 9).error().code, Errc::not_found);
  EXPECT_EQ(send(s, UINT64_MAX).error().code, Errc::not_found);
  EXPECT_EQ(body(s, 2).error().code, Errc::not_found);
}

TYPED_TEST(StoreContract, WritesALedgerRowForEachTransitionAndNoneForOtherChanges) {
  auto& s = this->subject;
  applied(s, batch({add_send(ann, {"a"})}));
  core::Entry e = entries(s, {})[0];
  e.attempts = 1;
  core::UpdateEntry sending = update(e, EntryState::sending, "the bridge is there");
  applied(s, batch({sending}));
  e = sending.entry;
  e.error = "slow";
  applied(s, batch({update(e, EntryState::sending)}));
  core::UpdateEntry unknown = update(e, EntryState::unknown, "no answer");
  unknown.entry.possible_duplicate = true;
  unknown.entry.out_of_order = true;
  unknown.entry.timestamp = 77;
  unknown.entry.recipient = "aci";
  core::UpdateEntry sent = update(unknown.entry, EntryState::sent, "a receipt came");
  applied(s, batch({unknown, sent}));
  s.reopen();
  const auto parts = send(s, 1);
  ASSERT_TRUE(parts);
  const core::Entry& now = (*parts)[0].entry;
  EXPECT_EQ(now.state, EntryState::sent);
  EXPECT_EQ(now.attempts, 1U);
  EXPECT_EQ(now.error, "slow");
  EXPECT_EQ(now.timestamp, 77);
  EXPECT_EQ(now.recipient, "aci");
  EXPECT_TRUE(now.possible_duplicate);
  EXPECT_TRUE(now.out_of_order);
  const auto& history = (*parts)[0].history;
  ASSERT_EQ(history.size(), 4U);
  EXPECT_EQ(history[1].from, EntryState::queued);
  EXPECT_EQ(history[1].to, EntryState::sending);
  EXPECT_EQ(history[1].why, "the bridge is there");
  EXPECT_EQ(history[3].to, EntryState::sent);
  EXPECT_EQ(history[3].at_ms, 1'500);
}

TYPED_TEST(StoreContract, RecoversEntriesThatAreNotTerminalBySequence) {
  auto& s = this->subject;
  for (int i = 0; i < 6; ++i) applied(s, batch({add_send(ann, {"a"})}));
  auto all = entries(s, {});  // 6 … 1
  applied(s, batch({update(all[5], EntryState::sending)}));
  applied(s, batch({update(all[4], EntryState::cancelled)}));
  applied(s, batch({update(all[3], EntryState::sending)}));
  all[3].state = EntryState::sending;
  applied(s, batch({update(all[3], EntryState::unknown)}));
  all[3].state = EntryState::unknown;
  applied(s, batch({update(all[3], EntryState::held)}));
  applied(s, batch({update(all[2], EntryState::expired)}));
  s.reopen();
  const core::Recovered start = recovered(s);
  EXPECT_THAT(seqs(start.pending), ElementsAre(1, 3, 5, 6));
  EXPECT_EQ(start.pending[0].state, EntryState::sending);
  EXPECT_EQ(start.pending[1].state, EntryState::held);
  EXPECT_EQ(start.pending[0].account, ann);
}

TYPED_TEST(StoreContract, ListsEntriesByStateAndAccountNewestFirst) {
  auto& s = this->subject;
  for (const auto& account : {ann, bob, ann, bob, ann}) {
    applied(s, batch({add_send(account, {"a"})}));
  }
  const auto all = entries(s, {});
  applied(s, batch({update(all[0], EntryState::cancelled)}));
  applied(s, batch({update(all[4], EntryState::cancelled)}));
  EXPECT_THAT(seqs(entries(s, {.state = EntryState::cancelled})), ElementsAre(5, 1));
  EXPECT_THAT(seqs(entries(s, {.account = ann, .state = EntryState::queued})), ElementsAre(3));
  EXPECT_THAT(seqs(entries(s, {.account = bob})), ElementsAre(4, 2));
  EXPECT_THAT(seqs(entries(s, {.before = 4, .count_max = 2})), ElementsAre(3, 2));
  EXPECT_THAT(entries(s, {.account = "+15550000009"}), IsEmpty());
}

// --- Idempotency --------------------------------------------------------------------------------

TYPED_TEST(StoreContract, AppliesNothingOfABatchWhoseKeyIsKnown) {
  auto& s = this->subject;
  const core::IdempotencyKey key{"key", "hash"};
  applied(s, batch({add_send(ann, {"x"})}));
  EXPECT_EQ(applied(s, batch({add_send(ann, {"a"}, key)})).known, std::nullopt);
  for (int restart = 0; restart < 2; ++restart) {
    const core::Applied again = applied(s, batch({frame(ann, 1), add_send(ann, {"a"}, key)}));
    ASSERT_TRUE(again.known);
    EXPECT_EQ(again.known->first_seq, 2U);
    EXPECT_EQ(again.known->body_hash, "hash");
    EXPECT_EQ(again.first_entry_seq, 0U);
    EXPECT_THAT(again.frame_seqs, IsEmpty());
    s.reopen();
  }
  const auto page = frames(s, {.account = ann});
  ASSERT_TRUE(page);
  EXPECT_THAT(page->frames, IsEmpty());
  EXPECT_THAT(seqs(entries(s, {})), ElementsAre(2, 1));
}

TYPED_TEST(StoreContract, TellsWhichBodyAKeyWasUsedWith) {
  auto& s = this->subject;
  applied(s, batch({add_send(ann, {"a"}, core::IdempotencyKey{"key", "one"})}));
  const auto other = applied(s, batch({add_send(ann, {"a"}, core::IdempotencyKey{"key", "two"})}));
  ASSERT_TRUE(other.known);
  EXPECT_EQ(other.known->body_hash, "one");
}

TYPED_TEST(StoreContract, KeepsTheKeysOfAccountsApart) {
  auto& s = this->subject;
  const core::IdempotencyKey key{"key", "hash"};
  applied(s, batch({add_send(ann, {"a"}, key)}));
  EXPECT_EQ(applied(s, batch({add_send(bob, {"a"}, key)})).known, std::nullopt);
}

TYPED_TEST(StoreContract, SeesAKeyOfTheSameGroup) {
  auto& s = this->subject;
  const core::IdempotencyKey key{"key", "hash"};
  std::vector<core::Applied> results;
  for (int i = 0; i < 8; ++i) {
    s.store().commit(batch({add_send(ann, {"a"}, key)}),
                     [&](Result<core::Applied> result) { results.push_back(*result); });
  }
  ASSERT_TRUE(s.run_until([&] { return results.size() == 8; }));
  EXPECT_EQ(results[0].first_entry_seq, 1U);
  for (std::size_t i = 1; i < 8; ++i) {
    ASSERT_TRUE(results[i].known);
    EXPECT_EQ(results[i].known->first_seq, 1U);
  }
  EXPECT_EQ(entries(s, {}).size(), 1U);
}

// --- Batches ------------------------------------------------------------------------------------

TYPED_TEST(StoreContract, AppliesABatchWithAStaleUpdateNotAtAll) {
  auto& s = this->subject;
  applied(s, batch({add_send(ann, {"a"})}));
  const auto stale = update(entry(1, EntryState::unknown), EntryState::sent);
  const auto refused =
      commit(s, batch({frame(ann, 1), add_send(ann, {"b"}), core::PutCursor{ann, "", 1}, stale}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("entry 1 is not unknown"));
  EXPECT_EQ(
      commit(s, batch({update(entry(9, EntryState::queued), EntryState::sending)})).error().code,
      Errc::conflict);
  const core::Recovered start = recovered(s);
  EXPECT_EQ(start.accounts[0].last_seq, 0U);
  EXPECT_EQ(start.accounts[0].cursor, 0U);
  EXPECT_THAT(seqs(start.pending), ElementsAre(1));
  EXPECT_THAT(applied(s, batch({frame(ann, 1)})).frame_seqs, ElementsAre(1));
  EXPECT_EQ(applied(s, batch({add_send(ann, {"b"})})).first_entry_seq, 2U);
}

TYPED_TEST(StoreContract, LetsNoBatchSufferForABadOneOfItsGroup) {
  auto& s = this->subject;
  std::vector<std::string> results;
  const auto note = [&](const Result<core::Applied>& result) {
    results.push_back(result ? std::to_string(result->frame_seqs[0])
                             : to_string(result.error().code));
  };
  for (std::uint64_t i = 1; i <= 6; ++i) {
    core::Batch one = batch({frame(ann, i)});
    if (i == 3) one.changes.push_back(update(entry(1, EntryState::unknown), EntryState::sent));
    s.store().commit(std::move(one), note);
  }
  ASSERT_TRUE(s.run_until([&] { return results.size() == 6; }));
  EXPECT_THAT(results, ElementsAre("1", "2", "conflict", "3", "4", "5"));
  const auto report = s.audit();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->problems, IsEmpty());
}

TYPED_TEST(StoreContract, RunsCompletionsInTheOrderOfSubmission) {
  auto& s = this->subject;
  std::vector<int> order;
  for (int i = 0; i < 500; ++i) {
    s.store().commit(batch({frame(ann, static_cast<std::uint64_t>(i % 50 + 1))}),
                     [&order, i](const Result<core::Applied>& result) {
                       EXPECT_TRUE(result);
                       order.push_back(i);
                     });
  }
  ASSERT_TRUE(s.run_until([&] { return order.size() == 500; }));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TYPED_TEST(StoreContract, CanCommitAndReadFromACompletion) {
  auto& s = this->subject;
  std::optional<core::Seq> read;
  s.store().commit(batch({frame(ann, 1)}), [&](const Result<core::Applied>&) {
    s.store().commit(batch({frame(ann, 2)}), [&](const Result<core::Applied>&) {
      s.store().read_frames({.account = ann},
                            [&](Result<FramePage> page) { read = page->read_up_to; });
    });
  });
  ASSERT_TRUE(s.run_until([&] { return read.has_value(); }));
  EXPECT_EQ(read, 2U);
}

TYPED_TEST(StoreContract, TakesAnEmptyBatchForAProbe) {
  auto& s = this->subject;
  const std::uint64_t before = s.store().status().commits;
  EXPECT_TRUE(commit(s, {}));
  EXPECT_EQ(s.store().status().commits, before + 1);
  EXPECT_TRUE(s.store().status().writable);
}

TYPED_TEST(StoreContract, AuditsWhatWasDoneToIt) {
  auto& s = this->subject;
  applied(s, batch({frame(ann, 1), frame(ann, 2), frame(ann, 2), core::CountEphemeral{ann, 4}}));
  applied(s, batch({core::TrimFrames{ann, 1, 0}, add_send(ann, {"a", "b"})}));
  applied(s, batch({update(entries(s, {})[0], EntryState::cancelled)}));
  const auto report = s.audit();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->problems, IsEmpty());
  ASSERT_EQ(report->inbound.size(), 1U);
  const auto& inbound = report->inbound[0];
  EXPECT_EQ(inbound.received, 7U);
  EXPECT_EQ(inbound.stored, 2U);
  EXPECT_EQ(inbound.duplicate, 1U);
  EXPECT_EQ(inbound.ephemeral, 4U);
  EXPECT_EQ(inbound.trimmed, 1U);
  EXPECT_EQ(inbound.first_seq, 2U);
  EXPECT_EQ(inbound.last_seq, 2U);
  EXPECT_EQ(report->accepted, 2U);
  std::uint64_t cancelled = 0, queued = 0;
  for (const auto& [state, count] : report->entries) {
    if (state == EntryState::cancelled) cancelled = count;
    if (state == EntryState::queued) queued = count;
  }
  EXPECT_EQ(cancelled, 1U);
  EXPECT_EQ(queued, 1U);
}

TYPED_TEST(StoreContract, EndsTheProcessOverAnIllegalTransition) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(this->subject.store().commit(
                   batch({update(entry(1, EntryState::sent), EntryState::queued)}), {}),
               "a bug: .*is_legal");
}

}  // namespace
}  // namespace holdfast::store
