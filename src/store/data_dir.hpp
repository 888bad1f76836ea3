/// The store's directory: private, and held by one process.
#pragma once

#include <filesystem>
#include <holdfast/result.hpp>
#include <string>

namespace holdfast::store {

/// A directory that this process holds. Another process, or another store of this one, that wants
/// it gets `store_busy` with our pid until this object is gone.
class DataDir {
 public:
  /// Creates `dir` (and its parents) where needed, makes it 0700, takes DIR/lock.
  /// Refused: somebody else's directory, one whose mode cannot be set, one that is held.
  static Result<DataDir> hold(const std::filesystem::path& dir);

  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&& other) noexcept;
  ~DataDir();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  DataDir(std::filesystem::path path, int lock) : path_{std::move(path)}, lock_{lock} {}

  std::filesystem::path path_;
  int lock_ = -1;
};

/// Takes what others may do with `file` away; what its owner may do stays as it is.
Result<void> make_file_private(const std::filesystem::path& file);

/// Makes the names in a directory durable.
Result<void> sync_directory(const std::filesystem::path& dir);

/// "<path> <what>: <the system's words>", classified by `errno_value`.
[[nodiscard]] Error system_error(const std::filesystem::path& path, const char* what,
                                 int errno_value);

}  // namespace holdfast::store
