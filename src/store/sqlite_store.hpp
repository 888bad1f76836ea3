/// The store on SQLite: WAL, synchronous=FULL, one writer thread with group commit, checkpoints on
/// a side connection, reads on a connection of their own. `docs/store-format.md` has the file.
#pragma once

#include <filesystem>
#include <memory>
#include <store/store.hpp>
#include <string>

namespace holdfast::store {

struct StoreOptions {
  bool check_at_start = true;  ///< quick_check in the background; its result is in the status

  /// A group closes at this many records or bytes; what waits longer goes into the next one.
  std::size_t group_records_max = 64;
  std::size_t group_bytes_max = 4 << 20;
  /// Batches that wait for the writer; more bytes than this and a batch fails with `queue_full`.
  std::size_t waiting_bytes_max = 64 << 20;

  /// The WAL is copied into the database from this many pages (4 KiB) on …
  std::uint32_t checkpoint_pages = 1'000;
  /// … and by force, with writer and reader held for it, from this many bytes on.
  std::uint64_t wal_bytes_max = 64 << 20;

  std::string vfs{};  ///< name of a registered SQLite VFS; empty: the default. For tests
};

/// Opens the store in `dir`, creating both where needed. Blocks for as long as the header, the
/// schema version and the WAL take, whatever the size of the store. Errors, each one sentence that
/// says what to do: `store_busy`, `store_too_new`, `store_corrupt`, `store_read_only`,
/// `store_full`, `store_failed`; `invalid_argument` where `dir` is not a directory of ours.
///
/// `executor` runs the completions and must outlive the store. The store's destructor first makes
/// everything durable that was committed.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& dir,
                                                 StoreOptions options, Executor executor);

/// Compares independent records of the store in `dir` (G3), live or stopped; changes nothing.
/// Reads every row, which takes seconds per GB. What it finds is in
/// `AuditReport::problems`; an error means that the store could not be read.
Result<AuditReport> audit(const std::filesystem::path& dir);

}  // namespace holdfast::store
