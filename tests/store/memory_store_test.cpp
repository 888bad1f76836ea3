#include <gmock/gmock.h>

#include "support.hpp"

namespace holdfast::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Noted {
  std::vector<std::string> results;
  Callback<core::Applied> note() {
    return [this](const Result<core::Applied>& result) {
      results.push_back(result ? "done" : to_string(result.error().code));
    };
  }
};

TEST(MemoryStore, ReportsNothingBeforeItIsSynced) {
  MemoryStore store;
  Noted noted;
  store.commit(batch({frame(ann, 1)}), noted.note());
  EXPECT_THAT(noted.results, IsEmpty());
  EXPECT_EQ(store.recover()->accounts.size(), 0U);
  EXPECT_EQ(store.sync(), 1U);
  EXPECT_THAT(noted.results, ElementsAre("done"));
  EXPECT_EQ(store.recover()->accounts[0].last_seq, 1U);
}

TEST(MemoryStore, ForgetsInACrashWhatWasNotSynced) {
  MemoryStore store;
  Noted noted;
  store.commit(batch({frame(ann, 1)}), noted.note());
  store.sync();
  store.commit(batch({frame(ann, 2)}), noted.note());
  store.read_frames({.account = ann}, [](const Result<FramePage>&) { FAIL(); });
  store.crash();
  store.run();
  EXPECT_THAT(noted.results, ElementsAre("done"));
  EXPECT_EQ(store.recover()->accounts[0].last_seq, 1U);
}

TEST(MemoryStore, CanKeepInACrashWhatNobodyWasToldOf) {
  MemoryStore store;
  Noted noted;
  for (std::uint64_t i = 1; i <= 3; ++i) store.commit(batch({frame(ann, i)}), noted.note());
  store.crash(2);
  store.run();
  EXPECT_THAT(noted.results, IsEmpty());
  EXPECT_EQ(store.recover()->accounts[0].last_seq, 2U);
  EXPECT_THAT(store.audit().problems, IsEmpty());
}

TEST(MemoryStore, SyncsOneBatchAtATimeWhenStepped) {
  MemoryStore store;
  Noted noted;
  for (std::uint64_t i = 1; i <= 3; ++i) store.commit(batch({frame(ann, i)}), noted.note());
  EXPECT_TRUE(store.step());
  EXPECT_EQ(noted.results.size(), 1U);
  EXPECT_EQ(store.batches_waiting(), 2U);
  store.run();
  EXPECT_FALSE(store.step());
}

TEST(MemoryStore, LeavesWhatACompletionCommitsToTheNextSync) {
  MemoryStore store;
  Noted noted;
  store.commit(batch({frame(ann, 1)}), [&](const Result<core::Applied>&) {
    store.commit(batch({frame(ann, 2)}), noted.note());
  });
  EXPECT_EQ(store.sync(), 1U);
  EXPECT_THAT(noted.results, IsEmpty());
  EXPECT_EQ(store.sync(), 1U);
  EXPECT_THAT(noted.results, ElementsAre("done"));
}

TEST(MemoryStore, FailsAWholeGroupWithNothingApplied) {
  MemoryStore store;
  Noted noted;
  store.fail_next({Errc::store_failed, "the disk is gone"});
  for (std::uint64_t i = 1; i <= 2; ++i) store.commit(batch({frame(ann, i)}), noted.note());
  store.sync();
  EXPECT_THAT(noted.results, ElementsAre("store_failed", "store_failed"));
  EXPECT_FALSE(store.status().writable);
  EXPECT_EQ(store.status().problem, "the disk is gone");
  EXPECT_EQ(store.recover()->accounts.size(), 0U);
  store.commit(batch({frame(ann, 1)}), noted.note());
  store.sync();
  EXPECT_EQ(noted.results.back(), "done");
  EXPECT_TRUE(store.status().writable);
}

TEST(MemoryStore, IsFullUntilThereIsRoomAgain) {
  MemoryStore store;
  Noted noted;
  store.set_full(true);
  store.commit({}, noted.note());
  store.sync();
  store.set_full(false);
  store.commit({}, noted.note());
  store.sync();
  EXPECT_THAT(noted.results, ElementsAre("store_full", "done"));
}

}  // namespace
}  // namespace holdfast::store
