#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <store/status_board.hpp>
#include <vector>

namespace holdfast::store {
namespace {

std::uint64_t size_of(const std::string& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

}  // namespace

void StatusBoard::committed(std::chrono::nanoseconds took) {
  const std::lock_guard lock{mutex_};
  latencies_ms_[status_.commits % latencies_ms_.size()] =
      std::chrono::duration<float, std::milli>{took}.count();
  ++status_.commits;
  status_.writable = true;
  status_.problem.clear();
}

void StatusBoard::failed(const std::string& problem) {
  const std::lock_guard lock{mutex_};
  status_.writable = false;
  status_.problem = problem;
}

void StatusBoard::checked(std::string result) {
  const std::lock_guard lock{mutex_};
  status_.check = std::move(result);
}

void StatusBoard::measure() {
  const std::string name = database_.string();
  const std::uint64_t bytes = size_of(name) + size_of(name + "-wal") + size_of(name + "-shm");
  struct statvfs disk {};
  const bool known = ::statvfs(database_.parent_path().c_str(), &disk) == 0;
  const std::lock_guard lock{mutex_};
  status_.bytes = bytes;
  if (known) status_.disk_free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

StoreStatus StatusBoard::snapshot() const {
  std::vector<float> latencies;
  StoreStatus status;
  {
    const std::lock_guard lock{mutex_};
    status = status_;
    const auto count = std::min<std::uint64_t>(status_.commits, latencies_ms_.size());
    latencies.assign(latencies_ms_.begin(),
                     latencies_ms_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  const auto quantile = [&](double q) {
    if (latencies.empty()) return 0.0;
    const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(latencies.size() - 1));
    std::nth_element(latencies.begin(), latencies.begin() + at, latencies.end());
    return static_cast<double>(latencies[static_cast<std::size_t>(at)]);
  };
  status.commit_ms_p50 = quantile(0.5);
  status.commit_ms_p99 = quantile(0.99);
  return status;
}

}  // namespace holdfast::store
