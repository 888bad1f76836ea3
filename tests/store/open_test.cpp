// What a start finds in the data directory, and what it says about it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <store/data_dir.hpp>
#include <thread>

#include "support.hpp"

namespace holdfast::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Opens and closes; "opened", or the code and the sentence.
std::string try_open(const std::filesystem::path& dir) {
  Pump pump;
  const auto store = open_sqlite_store(dir, {}, pump.executor());
  return store ? "opened"
               : std::string{to_string(store.error().code)} + ": " + store.error().message;
}

unsigned mode_of(const std::filesystem::path& file) {
  struct stat info {};
  ::stat(file.c_str(), &info);
  return info.st_mode & 07777U;
}

/// Continues as a user to whom file modes apply.
void become_ordinary() {
  if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(3);
}

void fill(const std::filesystem::path& dir, std::uint64_t frames) {
  Pump pump;
  auto store = open_sqlite_store(dir, {}, pump.executor());
  ASSERT_TRUE(store) << store.error().message;
  for (std::uint64_t i = 1; i <= frames; ++i) {
    (*store)->commit(batch({frame(ann, i, std::string(1'000, 'x'))}),
                     [](const Result<core::Applied>&) {});
  }
}

TEST(Open, CreatesAPrivateDirectoryAndFile) {
  TempDir temp;
  const auto dir = temp / "a/b/data/";
  EXPECT_EQ(try_open(dir), "opened");
  EXPECT_EQ(mode_of(dir), 0700U);
  EXPECT_EQ(mode_of(dir / "holdfast.db"), 0600U);
  EXPECT_EQ(mode_of(dir / "lock"), 0600U);
  EXPECT_EQ(try_open(dir), "opened");
}

TEST(Open, MakesADirectoryOfOursPrivate) {
  TempDir temp;
  const auto dir = temp / "data";
  EXPECT_EQ(try_open(dir), "opened");
  ::chmod(dir.c_str(), 0755);
  ::chmod((dir / "holdfast.db").c_str(), 0644);
  EXPECT_EQ(try_open(dir), "opened");
  EXPECT_EQ(mode_of(dir), 0700U);
  EXPECT_EQ(mode_of(dir / "holdfast.db"), 0600U);
}

TEST(Open, RefusesADirectoryOfSomebodyElse) {
  TempDir temp;
  const auto dir = temp / "data";
  std::filesystem::create_directory(dir);
  std::filesystem::path foreign = dir;
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(dir.c_str(), 65534, 65534), 0);
  } else {
    foreign = "/tmp";
  }
  EXPECT_THAT(try_open(foreign), AllOf(HasSubstr("invalid_argument"), HasSubstr("belongs to user"),
                                       HasSubstr(foreign.string())));
}

TEST(Open, RefusesAFileInPlaceOfTheDirectory) {
  TempDir temp;
  std::ofstream{temp / "data"} << "x";
  EXPECT_THAT(try_open(temp / "data"), HasSubstr("is a file: --data-dir needs a directory"));
}

TEST(Open, SaysWhichProcessHoldsTheDirectory) {
  TempDir temp;
  const auto dir = temp / "data";
  std::array<int, 2> up{}, down{};
  ASSERT_EQ(::pipe(up.data()), 0);
  ASSERT_EQ(::pipe(down.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(down[1]);
    Pump pump;
    auto store = open_sqlite_store(dir, {}, pump.executor());
    char byte = store ? 'y' : 'n';
    if (::write(up[1], &byte, 1) != 1) ::_exit(1);
    [[maybe_unused]] const ssize_t end = ::read(down[0], &byte, 1);
    store = Error{Errc::cancelled, ""};
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(up[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  EXPECT_THAT(try_open(dir), AllOf(HasSubstr("store_busy"), HasSubstr(dir.string()),
                                   HasSubstr("(pid " + std::to_string(child) + ")")));
  for (const int fd : {up[0], up[1], down[0], down[1]}) ::close(fd);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(try_open(dir), "opened");
}

TEST(Open, RefusesASecondStoreOfTheSameProcess) {
  SqliteSubject s;
  EXPECT_THAT(try_open(s.dir()), HasSubstr("store_busy"));
  applied(s, batch({frame(ann, 1)}));
}

TEST(Open, RefusesGarbage) {
  TempDir temp;
  const auto dir = temp / "data";
  std::filesystem::create_directory(dir);
  std::string garbage;
  for (unsigned i = 0; i < 20'000; ++i) garbage += static_cast<char>(i * 2'654'435'761U >> 24);
  std::ofstream{dir / "holdfast.db", std::ios::binary} << garbage;
  EXPECT_THAT(try_open(dir), AllOf(HasSubstr("store_corrupt"), HasSubstr("is not a Holdfast store"),
                                   HasSubstr("--data-dir")));
}

TEST(Open, RefusesAnotherProgramsDatabaseAndLeavesItAlone) {
  TempDir temp;
  const auto dir = temp / "data";
  std::filesystem::create_directory(dir);
  sql(dir / "holdfast.db", "CREATE TABLE mine(x); PRAGMA user_version = 1");
  EXPECT_THAT(try_open(dir), HasSubstr("is not a Holdfast store"));
  EXPECT_EQ(sql(dir / "holdfast.db", "PRAGMA journal_mode = DELETE; SELECT count(*) FROM mine"), 0);
}

TEST(Open, RefusesATruncatedFile) {
  TempDir temp;
  const auto dir = temp / "data";
  fill(dir, 200);
  std::filesystem::resize_file(dir / "holdfast.db", 40'000);
  EXPECT_THAT(try_open(dir),
              AllOf(HasSubstr("store_corrupt"), HasSubstr("is damaged"), HasSubstr("backup")));
  std::filesystem::resize_file(dir / "holdfast.db", 50);
  EXPECT_THAT(try_open(dir), HasSubstr("store_corrupt"));
}

TEST(Open, TakesAnEmptyFileForDamageAndNotForANewStore) {
  TempDir temp;
  const auto dir = temp / "data";
  fill(dir, 1);
  std::filesystem::resize_file(dir / "holdfast.db", 0);
  EXPECT_THAT(try_open(dir), AllOf(HasSubstr("store_corrupt"), HasSubstr("is empty")));
}

TEST(Open, RefusesToStartAnewNextToTheLogOfALostFile) {
  TempDir temp;
  const auto dir = temp / "data";
  std::filesystem::create_directory(dir);
  std::ofstream{dir / "holdfast.db-wal"} << "x";
  EXPECT_THAT(try_open(dir), AllOf(HasSubstr("store_corrupt"), HasSubstr("is missing but")));
}

TEST(Open, StartsAgainWhereACrashCutTheCreationShort) {
  TempDir temp;
  const auto dir = temp / "data";
  std::filesystem::create_directory(dir);
  std::ofstream{dir / "holdfast.db.new"} << "half of a";
  std::ofstream{dir / "holdfast.db.new-wal"} << "store";
  EXPECT_EQ(try_open(dir), "opened");
  EXPECT_FALSE(std::filesystem::exists(dir / "holdfast.db.new"));
}

TEST(Open, RefusesANewerSchema) {
  TempDir temp;
  const auto dir = temp / "data";
  fill(dir, 1);
  sql(dir / "holdfast.db", "PRAGMA user_version = 99");
  EXPECT_THAT(try_open(dir), AllOf(HasSubstr("store_too_new"), HasSubstr("schema 99"),
                                   HasSubstr("run the newer version")));
  EXPECT_EQ(audit(dir).error().code, Errc::store_too_new);
}

TEST(Open, SaysThatTheFileIsReadOnly) {
  EXPECT_EQ(in_child([] {
              become_ordinary();
              TempDir temp;
              const auto dir = temp / "data";
              fill(dir, 1);
              ::chmod((dir / "holdfast.db").c_str(), 0400);
              const std::string said = try_open(dir);
              const bool right = said.starts_with("store_read_only: ") &&
                                 said.find("holdfast.db cannot be written") != std::string::npos;
              return right ? "" : said;
            }),
            "");
}

TEST(Open, SaysThatTheDirectoryCannotBeMade) {
  EXPECT_EQ(in_child([] {
              become_ordinary();
              TempDir temp;
              ::chmod(temp.path().c_str(), 0500);
              const std::string said = try_open(temp / "data");
              ::chmod(temp.path().c_str(), 0700);
              return said.starts_with("store_read_only: ") ? "" : said;
            }),
            "");
}

TEST(Open, TakesFilesOfAnEarlierUmaskBack) {
  EXPECT_EQ(in_child([] {
              ::umask(0);
              TempDir temp;
              fill(temp / "data", 1);
              const unsigned mode = mode_of(temp / "data/holdfast.db");
              return mode == 0600 ? "" : std::to_string(mode);
            }),
            "");
}

TEST(Open, GivesEveryNewStoreAnEpochOfItsOwn) {
  SqliteSubject one, other;
  EXPECT_NE(recovered(one).epoch, recovered(other).epoch);
}

// --- Damage that a start does not look for ------------------------------------------------------

/// Waits for the background check.
std::string check_of(Store& store) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  std::string check;
  do {
    check = store.status().check;
    std::this_thread::yield();
  } while ((check == "running" || check == "not run") &&
           std::chrono::steady_clock::now() < deadline);
  return check;
}

TEST(QuickCheck, RunsInTheBackgroundAndFindsASoundStoreSound) {
  SqliteSubject s;
  EXPECT_EQ(check_of(s.store()), "ok");
}

TEST(QuickCheck, FindsADamagedPageWhileTheRestServes) {
  TempDir temp;
  const auto dir = temp / "data";
  fill(dir, 2'000);
  {
    std::fstream file{dir / "holdfast.db", std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(100 * 4'096);
    file << std::string(4'096, '\x5a');
  }
  Pump pump;
  auto store = open_sqlite_store(dir, {}, pump.executor());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_THAT(check_of(**store), AllOf(HasSubstr("damaged"), HasSubstr("backup")));
  std::optional<Errc> read;
  std::optional<bool> written;
  (*store)->read_frames(
      {.account = ann, .count_max = 10'000, .bytes_max = 1 << 30},
      [&](const Result<FramePage>& page) { read = page ? Errc::not_found : page.error().code; });
  (*store)->commit(batch({frame(bob, 1)}),
                   [&](const Result<core::Applied>& result) { written = result.has_value(); });
  ASSERT_TRUE(pump.run_until([&] { return read && written; }));
  EXPECT_EQ(read, Errc::store_corrupt);
  EXPECT_EQ(written, true);
}

TEST(QuickCheck, DoesNotHoldUpAStop) {
  TempDir temp;
  fill(temp / "data", 2'000);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(try_open(temp / "data"), "opened");
}

TEST(Status, TellsTheSizeAndTheRoomLeft) {
  SqliteSubject s;
  const StoreStatus status = s.store().status();
  EXPECT_GT(status.bytes, 4'096U);
  EXPECT_GT(status.disk_free_bytes, 0U);
  EXPECT_EQ(status.commits, 0U);
  applied(s, batch({frame(ann, 1)}));
  EXPECT_EQ(s.store().status().commits, 1U);
  EXPECT_GT(s.store().status().commit_ms_p50, 0.0);
  EXPECT_GE(s.store().status().commit_ms_p99, s.store().status().commit_ms_p50);
}

}  // namespace
}  // namespace holdfast::store
