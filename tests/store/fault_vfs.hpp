/// A disk under SQLite that can lose power and fail.
#pragma once

#include <sqlite3.h>

#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

namespace holdfast::store {

/// An SQLite VFS over the default one. It keeps, for each file, what its last sync made durable,
/// and can be told to fail. Lives until the end of the process. Any thread.
class FaultVfs {
 public:
  /// Registered with SQLite under this name; `StoreOptions::vfs`.
  static constexpr const char* name = "holdfast-fault";
  static FaultVfs& instance();

  /// What a power cut at this moment leaves, for each file that matters.
  enum class Left {
    synced,          ///< only what was synced
    wal_as_written,  ///< of the WAL also what was not
    db_as_written,   ///< of the database also what was not
  };
  /// Writes what is left of the store in `from` into `to`, as of one moment.
  void cut_power(const std::filesystem::path& from, const std::filesystem::path& to, Left left);

  /// Takes files as they are now for synced, for a store that was made without this VFS.
  void take_as_synced(const std::filesystem::path& dir);

  /// The next `count` syncs of files whose name ends so fail. What was written stays.
  void fail_syncs(const std::string& suffix, int count, int errno_value = EIO);
  /// The next `count` writes to files whose name ends so fail with EIO.
  void fail_writes(const std::string& suffix, int count);

  // Called by the VFS's methods.
  bool sync_fails(const std::string& file) { return fails(syncs_, file); }
  bool write_fails(const std::string& file) { return fails(writes_, file); }
  void synced(const std::string& file, std::string contents);
  void deleted(const std::string& file);

 private:
  struct Fault {
    std::string suffix;
    int count = 0;
    int errno_value = EIO;
  };
  FaultVfs();
  bool fails(Fault& fault, const std::string& file);

  std::mutex mutex_;
  std::map<std::string, std::string> synced_;
  Fault syncs_, writes_;
  sqlite3_vfs vfs_{};
};

}  // namespace holdfast::store
