#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <store/data_dir.hpp>
#include <utility>

namespace holdfast::store {
namespace {

/// The pid that the holder of the lock wrote into it; 0 if it is not readable.
long holder_of(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  long pid = 0;
  if (size > 0) std::from_chars(text.data(), text.data() + size, pid);
  return pid;
}

Result<void> make_private(const std::filesystem::path& dir) {
  std::error_code failure;
  const std::filesystem::path parent = dir.parent_path();
  std::filesystem::create_directories(parent, failure);
  if (failure) return system_error(parent, "cannot be created", failure.value());
  if (::mkdir(dir.c_str(), 0700) == 0) {
    if (auto synced = sync_directory(parent); !synced) return synced;
  } else if (errno != EEXIST) {
    return system_error(dir, "cannot be created", errno);
  }
  struct stat info {};
  if (::stat(dir.c_str(), &info) != 0) return system_error(dir, "cannot be used", errno);
  if (!S_ISDIR(info.st_mode)) {
    return Error{Errc::invalid_argument,
                 fmt::format("{} is a file: --data-dir needs a directory", dir.string())};
  }
  if (info.st_uid != ::geteuid()) {
    return Error{Errc::invalid_argument,
                 fmt::format("{} belongs to user {}, and Holdfast runs as user {}: run it as its "
                             "owner, change the owner, or choose another --data-dir",
                             dir.string(), info.st_uid, ::geteuid())};
  }
  if ((info.st_mode & 07777) != 0700 && ::chmod(dir.c_str(), 0700) != 0) {
    return system_error(dir, "must be private (mode 0700), which cannot be set", errno);
  }
  return {};
}

}  // namespace

Error system_error(const std::filesystem::path& path, const char* what, int errno_value) {
  const Errc code = errno_value == ENOSPC || errno_value == EDQUOT ? Errc::store_full
                    : errno_value == EROFS || errno_value == EACCES || errno_value == EPERM
                        ? Errc::store_read_only
                        : Errc::store_failed;
  return {code, fmt::format("{} {}: {}; correct this, or choose another --data-dir", path.string(),
                            what, std::strerror(errno_value))};
}

Result<void> make_file_private(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return system_error(file, "cannot be read", errno);
  if ((info.st_mode & 077) != 0 && ::chmod(file.c_str(), info.st_mode & 0700) != 0) {
    return system_error(file, "must be private (mode 0600), which cannot be set", errno);
  }
  return {};
}

Result<void> sync_directory(const std::filesystem::path& dir) {
  const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error(dir, "cannot be opened", errno);
  const int failed = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (failed != 0) return system_error(dir, "cannot be synced", failed);
  return {};
}

Result<DataDir> DataDir::hold(const std::filesystem::path& given) {
  std::filesystem::path dir = std::filesystem::absolute(given).lexically_normal();
  if (!dir.has_filename()) dir = dir.parent_path();  // "data/" is "data"
  if (auto made = make_private(dir); !made) return made.error();
  const std::filesystem::path file = dir / "lock";
  const int lock = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return system_error(file, "cannot be written", errno);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const int failed = errno;
    const long pid = holder_of(lock);
    ::close(lock);
    if (failed != EWOULDBLOCK) return system_error(file, "cannot be locked", failed);
    return Error{Errc::store_busy,
                 fmt::format("{} is in use by another Holdfast{}: stop that one, or choose another "
                             "--data-dir",
                             dir.string(), pid > 0 ? fmt::format(" (pid {})", pid) : "")};
  }
  // The pid only serves the message above: a full disk does not matter here.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(lock, pid.data(), pid.size(), 0);
  }
  return DataDir{dir, lock};
}

DataDir::DataDir(DataDir&& other) noexcept
    : path_{std::move(other.path_)}, lock_{std::exchange(other.lock_, -1)} {}

DataDir& DataDir::operator=(DataDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

DataDir::~DataDir() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace holdfast::store
