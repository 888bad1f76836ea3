// G1 and G12 at the disk: what was reported is there, whatever ended the process.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>

#include "fault_vfs.hpp"
#include "support.hpp"

namespace holdfast::store {
namespace {

using ::testing::IsEmpty;

StoreOptions on_the_fault_vfs() {
  static_cast<void>(FaultVfs::instance());
  StoreOptions options;
  options.vfs = FaultVfs::name;
  options.check_at_start = false;
  options.checkpoint_pages = 12;  // checkpoints and restarts of the WAL come in between
  return options;
}

/// Expects that the store in `dir` opens, is sound, and has frames 1 … at least `reported`, whose
/// bytes name their sequence.
void expect_sound(const std::filesystem::path& dir, core::Seq reported) {
  {
    Pump pump;
    StoreOptions options;
    options.check_at_start = false;
    auto store = open_sqlite_store(dir, options, pump.executor());
    ASSERT_TRUE(store) << store.error().message;
    std::optional<Result<FramePage>> page;
    (*store)->read_frames({.account = ann, .count_max = 100'000, .bytes_max = 1 << 30},
                          [&](Result<FramePage> result) { page = std::move(result); });
    ASSERT_TRUE(pump.run_until([&] { return page.has_value(); }));
    ASSERT_TRUE(*page) << page->error().message;
    ASSERT_GE((*page)->frames.size(), reported);
    core::Seq seq = 0;
    for (const core::Frame& frame : (*page)->frames) {
      ASSERT_EQ(frame.seq, ++seq);
      ASSERT_TRUE(frame.bytes->starts_with(std::to_string(seq) + ":"));
    }
  }
  const auto report = audit(dir);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->problems, IsEmpty());
}

core::Batch numbered_batch(std::uint64_t number, std::size_t size) {
  return batch({frame(ann, number, std::to_string(number) + ":" + std::string(size, 'x'))});
}

TEST(PowerCut, LosesNothingThatWasReported) {
  TempDir temp;
  const auto dir = temp / "data";
  Pump pump;
  StoreOptions options = on_the_fault_vfs();
  { ASSERT_TRUE(open_sqlite_store(dir, {}, pump.executor())); }
  FaultVfs::instance().take_as_synced(dir);
  auto store = open_sqlite_store(dir, options, pump.executor());
  ASSERT_TRUE(store) << store.error().message;

  std::mt19937_64 random{7};
  std::uint64_t submitted = 0, reported = 0;
  for (int cut = 0; cut < 40; ++cut) {
    const std::uint64_t more = 1 + random() % 30;
    for (std::uint64_t i = 0; i < more; ++i) {
      (*store)->commit(numbered_batch(++submitted, random() % 3'000),
                       [&](const Result<core::Applied>& result) {
                         ASSERT_TRUE(result) << result.error().message;
                         ++reported;
                       });
    }
    // In the middle of it: some of them are reported, others on their way.
    const std::uint64_t enough = reported + random() % (submitted - reported + 1);
    ASSERT_TRUE(pump.run_until([&] { return reported >= enough; }));
    for (const auto left :
         {FaultVfs::Left::synced, FaultVfs::Left::wal_as_written, FaultVfs::Left::db_as_written}) {
      const auto after =
          temp / ("cut-" + std::to_string(cut) + "-" + std::to_string(static_cast<int>(left)));
      FaultVfs::instance().cut_power(dir, after, left);
      expect_sound(after, reported);
      if (HasFatalFailure()) return;
      std::filesystem::remove_all(after);
    }
  }
  ASSERT_TRUE(pump.run_until([&] { return reported == submitted; }));
}

/// Commits frames until it is killed; writes a byte to `report_to` for each completion.
[[noreturn]] void commit_for_ever(const std::filesystem::path& dir, int report_to) {
  Pump pump;
  StoreOptions options;
  options.checkpoint_pages = 12;
  auto store = open_sqlite_store(dir, options, pump.executor());
  if (!store) ::_exit(1);
  std::uint64_t next =
      (*store)->recover()->accounts.empty() ? 1 : (*store)->recover()->accounts[0].last_seq + 1;
  std::uint64_t waiting = 0;
  for (;;) {
    for (; waiting < 20; ++waiting, ++next) {
      (*store)->commit(numbered_batch(next, 500), [&](const Result<core::Applied>& result) {
        if (!result || ::write(report_to, "x", 1) != 1) ::_exit(1);
        --waiting;
      });
    }
    const std::uint64_t before = waiting;
    pump.run_until([&] { return waiting < before; });
  }
}

TEST(Kill, LosesNothingThatWasReported) {
  TempDir temp;
  const auto dir = temp / "data";
  core::Seq known = 0;
  std::mt19937_64 random{11};
  for (int round = 0; round < 20; ++round) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      commit_for_ever(dir, pipe[1]);
    }
    ::close(pipe[1]);
    const auto enough = static_cast<ssize_t>(1 + random() % 200);
    ssize_t reported = 0;
    std::array<char, 256> buffer{};
    for (ssize_t count = 1; count > 0;) {
      count = ::read(pipe[0], buffer.data(), buffer.size());
      reported += count;
      if (reported >= enough) ::kill(child, SIGKILL);
    }
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child gave up";
    expect_sound(dir, known + static_cast<core::Seq>(reported));
    if (HasFatalFailure()) return;
    known += static_cast<core::Seq>(reported);
    // Some were durable and not reported: the next child goes on behind them.
    known = audit(dir)->inbound[0].last_seq;
  }
}

TEST(Stop, MakesDurableWhatWasCommitted) {
  SqliteSubject s;
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    s.store().commit(numbered_batch(i, 10), [](const Result<core::Applied>&) {});
  }
  s.close();
  expect_sound(s.dir(), 1'000);
}

// --- A disk that fails --------------------------------------------------------------------------

TEST(FailedSync, AppliesNothingAndGoesOnByItself) {
  SqliteSubject s{on_the_fault_vfs()};
  applied(s, numbered_batch(1, 10));
  FaultVfs::instance().fail_syncs("-wal", 2);  // the commit, and the one that overwrites it
  const auto failed = commit(s, numbered_batch(2, 10));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::store_failed);
  EXPECT_FALSE(s.store().status().writable);
  EXPECT_EQ(s.store().status().problem, failed.error().message);
  const auto page = frames(s, {.account = ann});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->read_up_to, 1U);
  EXPECT_EQ(applied(s, numbered_batch(2, 10)).frame_seqs.at(0), 2U);
  EXPECT_TRUE(s.store().status().writable);
  EXPECT_EQ(s.store().status().problem, "");
  s.close();
  expect_sound(s.dir(), 2);
}

class FailedSyncWith : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Errno, FailedSyncWith, ::testing::Values(EIO, ENOSPC, EDQUOT));

TEST_P(FailedSyncWith, LeavesNoTransactionThatComesToLifeInACrash) {
  SqliteSubject s{on_the_fault_vfs()};
  applied(s, numbered_batch(1, 10));
  FaultVfs::instance().fail_syncs("-wal", 1, GetParam());
  const auto failed = commit(s, batch({add_send(ann, {bob})}));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, GetParam() == EIO ? Errc::store_failed : Errc::store_full);
  // The process dies now; everything that it wrote is still in the system's memory.
  TempDir after;
  std::filesystem::copy(s.file(), after / "holdfast.db");
  std::filesystem::copy(s.wal(), after / "holdfast.db-wal");
  const auto report = audit(after.path());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->accepted, 0U);
  EXPECT_EQ(report->inbound.at(0).last_seq, 1U);
  EXPECT_THAT(report->problems, IsEmpty());
}

TEST(FailedWrite, FailsEachBatchOfTheGroupAndNoLaterOne) {
  SqliteSubject s{on_the_fault_vfs()};
  FaultVfs::instance().fail_writes("-wal", 1);
  std::vector<bool> results;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    s.store().commit(numbered_batch(i, 10), [&](const Result<core::Applied>& result) {
      results.push_back(result.has_value());
    });
  }
  ASSERT_TRUE(s.run_until([&] { return results.size() == 300; }));
  // Failures first, then successes; each group holds 64 at most.
  const auto failures = std::count(results.begin(), results.end(), false);
  EXPECT_GE(failures, 1);
  EXPECT_LE(failures, 64);
  EXPECT_TRUE(std::is_sorted(results.begin(), results.end()));
  EXPECT_EQ(audit(s.dir())->inbound.at(0).received, 300U - static_cast<std::uint64_t>(failures));
}

TEST(FailedCheckpoint, LosesNothingAndIsMadeUpForLater) {
  SqliteSubject s{on_the_fault_vfs()};
  FaultVfs::instance().fail_syncs("holdfast.db", 3);
  for (std::uint64_t i = 1; i <= 200; ++i) applied(s, numbered_batch(i, 1'000));
  EXPECT_TRUE(s.store().status().writable);
  s.close();
  expect_sound(s.dir(), 200);
}

// --- Bounds -------------------------------------------------------------------------------------

TEST(WriteAheadLog, StaysBoundedUnderLoad) {
  StoreOptions options;
  options.check_at_start = false;
  options.checkpoint_pages = 50;
  SqliteSubject s{options};
  std::uintmax_t largest = 0;
  std::uint64_t next = 0;
  for (int round = 0; round < 150; ++round) {
    std::size_t done = 0;
    for (int i = 0; i < 32; ++i) {
      s.store().commit(numbered_batch(++next, 1'000), [&](const Result<core::Applied>& result) {
        ASSERT_TRUE(result);
        ++done;
      });
    }
    ASSERT_TRUE(s.run_until([&] { return done == 32; }));
    largest = std::max(largest, std::filesystem::file_size(s.wal()));
  }
  // 150 rounds wrote some 2,500 pages.
  EXPECT_LT(largest, 1'000U * 4'096U);
}

TEST(WriteAheadLog, IsCutByForceWhereReadersHeldItUp) {
  StoreOptions options;
  options.check_at_start = false;
  options.checkpoint_pages = 50;
  options.wal_bytes_max = 300 * 4'096;
  SqliteSubject s{options};
  sqlite3* outsider = nullptr;
  applied(s, numbered_batch(1, 10));
  sqlite3_open_v2(s.file().c_str(), &outsider, SQLITE_OPEN_READONLY, nullptr);
  sqlite3_exec(outsider, "BEGIN; SELECT count(*) FROM frames", nullptr, nullptr, nullptr);
  std::uint64_t next = 1;
  while (std::filesystem::file_size(s.wal()) < options.wal_bytes_max + 200 * 4'096) {
    applied(s, numbered_batch(++next, 3'000));
  }
  sqlite3_exec(outsider, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(outsider);
  const auto held_up = std::filesystem::file_size(s.wal());
  for (int i = 0; i < 400 && std::filesystem::file_size(s.wal()) >= held_up; ++i) {
    applied(s, numbered_batch(++next, 3'000));
  }
  EXPECT_LT(std::filesystem::file_size(s.wal()), options.wal_bytes_max);
}

TEST(Writer, RefusesABatchWhenTooMuchWaitsAndKeepsTheOrder) {
  StoreOptions options;
  options.check_at_start = false;
  options.waiting_bytes_max = 10'000;
  SqliteSubject s{options};
  std::vector<std::uint64_t> order;
  std::uint64_t refused = 0;
  for (std::uint64_t i = 1; i <= 2'000; ++i) {
    s.store().commit(numbered_batch(i, 3'000), [&, i](const Result<core::Applied>& result) {
      order.push_back(i);
      if (result) return;
      EXPECT_EQ(result.error().code, Errc::queue_full);
      ++refused;
    });
  }
  ASSERT_TRUE(s.run_until([&] { return order.size() == 2'000; }));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_GT(refused, 0U);
  EXPECT_TRUE(s.store().status().writable);
  EXPECT_EQ(audit(s.dir())->inbound.at(0).received, 2'000U - refused);
}

}  // namespace
}  // namespace holdfast::store
