// G9 at the disk: a full one is refused batch by batch, and everything goes on when there is room.
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support.hpp"

namespace holdfast::store {
namespace {

core::Batch big_batch(std::uint64_t number) {
  return batch({frame(ann, number, std::string(20'000, 'x'))});
}

/// Mounts a small disk at `at`, in a mount namespace of this process. False: not permitted here.
bool mount_small_disk(const std::filesystem::path& at) {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return false;
  if (user != 0) {
    std::ofstream{"/proc/self/setgroups"} << "deny";
    std::ofstream{"/proc/self/uid_map"} << user << ' ' << user << " 1";
    std::ofstream{"/proc/self/gid_map"} << group << ' ' << group << " 1";
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  std::filesystem::create_directory(at);
  return ::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=3m,mode=0700") == 0;
}

/// Commits until the disk is full (a checkpoint may make room once or twice), then frees space and
/// expects that the next commit passes. Returns what went wrong.
std::string fill_free_and_go_on(const std::filesystem::path& dir,
                                const std::function<void()>& free_space) {
  Pump pump;
  StoreOptions options;
  options.check_at_start = false;
  auto store = open_sqlite_store(dir, options, pump.executor());
  if (!store) return store.error().message;
  const auto commit_one = [&](std::uint64_t number) {
    std::optional<Result<core::Applied>> result;
    (*store)->commit(big_batch(number),
                     [&](Result<core::Applied> given) { result = std::move(given); });
    if (!pump.run_until([&] { return result.has_value(); })) std::abort();
    return *result;
  };

  std::uint64_t stored = 0;
  int failures_in_a_row = 0;
  for (int i = 0; failures_in_a_row < 20; ++i) {
    if (i == 5'000) return "the disk was never full";
    const auto result = commit_one(stored + 1);
    if (result) {
      if (result->frame_seqs[0] != ++stored) return "a failed commit took a sequence";
      failures_in_a_row = 0;
      continue;
    }
    ++failures_in_a_row;
    if (result.error().code != Errc::store_full) return result.error().message;
    if (result.error().message.find("full") == std::string::npos) return result.error().message;
    const StoreStatus status = (*store)->status();
    if (status.writable || status.problem != result.error().message) return "the status is wrong";
  }
  if (stored == 0) return "nothing fitted at all";

  free_space();
  const auto after = commit_one(stored + 1);
  if (!after) return "after space was freed: " + after.error().message;
  if (after->frame_seqs[0] != stored + 1) return "a failed commit took a sequence";
  if (!(*store)->status().writable) return "the status still says that it cannot be written";
  *store = nullptr;
  const auto report = audit(dir);
  if (!report) return report.error().message;
  if (report->inbound.at(0).received != stored + 1) return "the audit counts other frames";
  return report->problems.empty() ? "" : report->problems[0];
}

std::string full_file_size() {
  TempDir temp;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{.rlim_cur = 1'500'000, .rlim_max = limit.rlim_max};
  if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return "no limit can be set";
  return fill_free_and_go_on(temp / "data", [&] { ::setrlimit(RLIMIT_FSIZE, &limit); });
}

TEST(FullDisk, FailsBatchesWholeAndGoesOnByItselfWhenSpaceIsFreed) {
  EXPECT_EQ(in_child([]() -> std::string {
              TempDir temp;
              const auto disk = temp / "disk";
              if (!mount_small_disk(disk)) return full_file_size();
              const auto ballast = disk / "ballast";
              std::ofstream{ballast} << std::string(800'000, 'x');
              std::string said =
                  fill_free_and_go_on(disk / "data", [&] { std::filesystem::remove(ballast); });
              ::umount(disk.c_str());
              return said;
            }),
            "");
}

TEST(FullQuota, FailsBatchesWholeAndGoesOnByItselfWhenItIsRaised) {
  EXPECT_EQ(in_child(full_file_size), "");
}

TEST(FullDisk, IsSaidAtTheFirstStart) {
  EXPECT_EQ(in_child([]() -> std::string {
              TempDir temp;
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit tiny{.rlim_cur = 10'000, .rlim_max = 10'000};
              ::setrlimit(RLIMIT_FSIZE, &tiny);
              Pump pump;
              const auto store = open_sqlite_store(temp / "data", {}, pump.executor());
              if (store) return "opened";
              return store.error().code == Errc::store_full ? "" : store.error().message;
            }),
            "");
}

TEST(ReadOnlyDisk, IsSaidAtTheStart) {
  EXPECT_EQ(in_child([]() -> std::string {
              TempDir temp;
              const auto disk = temp / "disk";
              Pump pump;
              if (!mount_small_disk(disk)) {
                // Without a disk of our own: a directory that cannot be written.
                ::mkdir(disk.c_str(), 0500);
              } else {
                if (!open_sqlite_store(disk / "data", {}, pump.executor())) return "not created";
                if (::mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
                  return "not made read-only";
                }
              }
              const auto store = open_sqlite_store(disk / "data", {}, pump.executor());
              ::umount(disk.c_str());
              if (store) return "opened";
              return store.error().code == Errc::store_read_only ? "" : store.error().message;
            }),
            "");
}

TEST(ReadOnlyDisk, CanBeAudited) {
  EXPECT_EQ(in_child([]() -> std::string {
              TempDir temp;
              const auto disk = temp / "disk";
              Pump pump;
              const bool mounted = mount_small_disk(disk);
              std::filesystem::create_directories(disk);
              if (!open_sqlite_store(disk / "data", {}, pump.executor())) return "not created";
              if (mounted) ::mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
              const auto report = audit(disk / "data");
              ::umount(disk.c_str());
              if (!report) return report.error().message;
              return report->problems.empty() ? "" : report->problems[0];
            }),
            "");
}

}  // namespace
}  // namespace holdfast::store
