/// The one thread that writes: takes what waits, makes it durable with one fsync, reports.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <store/sqlite_apply.hpp>
#include <store/sqlite_checkpoint.hpp>
#include <store/sqlite_store.hpp>
#include <store/status_board.hpp>
#include <store/thread.hpp>
#include <vector>

namespace holdfast::store {

/// A connection that commits: WAL, synchronous=FULL, no automatic checkpoint.
Result<std::unique_ptr<Db>> open_for_writing(const std::filesystem::path& file,
                                             const std::string& vfs);

class Writer {
 public:
  /// `gate`: passed for each group. `checkpointer`: told after each commit how the WAL grew.
  Writer(std::unique_ptr<Db> db, const StoreOptions& options, Executor executor, StatusBoard& board,
         Gate& gate, Checkpointer& checkpointer);
  /// Makes durable what waits, then ends.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// From the deciding thread. `done` runs through the executor, in order of submission.
  void submit(core::Batch batch, Callback<core::Applied> done);

 private:
  struct Waiting {
    core::Batch batch;
    Callback<core::Applied> done;
    std::size_t bytes = 0;
    std::optional<Error> refused;  ///< too much waited already; the batch was dropped
  };
  struct Failure {
    Error error;
    bool of_the_batch = false;  ///< not the disk's fault: others of its group may pass
    bool full = false;          ///< a checkpoint may make room in the WAL
    bool of_the_file = false;   ///< an I/O error or damage: what the file has is not known
  };
  using Group = std::vector<Waiting>;
  using Outcomes = std::vector<Result<core::Applied>>;

  void run();
  Group next_group();
  Outcomes write(const Group& group);
  /// Writes [first, last) in one transaction. False: rolled back, `failure_` says why.
  bool write_as_one(const Group& group, std::size_t first, std::size_t last, Outcomes& outcomes);
  bool ready();
  [[nodiscard]] Failure disk_failure() const;
  void begin_again();
  void overwrite_failed_commit();
  void report(Group group, Outcomes outcomes);

  const std::filesystem::path file_;
  const StoreOptions options_;
  const Executor executor_;
  StatusBoard& board_;
  Gate& gate_;
  Checkpointer& checkpointer_;

  // Of the writer's thread.
  std::unique_ptr<Db> db_;
  struct Prepared;
  std::unique_ptr<Prepared> prepared_;
  std::uint32_t wal_pages_ = 0;
  std::optional<Failure> failure_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace holdfast::store
