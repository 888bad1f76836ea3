/// Copies the WAL into the database, off the commit path.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <store/sqlite_db.hpp>
#include <store/sqlite_store.hpp>
#include <store/thread.hpp>

namespace holdfast::store {

/// A WAL starts over only once all of it is in the database and a commit comes after that. Under
/// load a passive checkpoint never gets there, because commits go on meanwhile. So the bulk is
/// copied beside the commits, and the writer is held for the few pages that came in meanwhile.
class Checkpointer {
 public:
  /// `writer`, `reader`: the gates through which these pass. `make_way`: ends other long reads of
  /// this process; called before a checkpoint is forced.
  Checkpointer(std::unique_ptr<Db> db, const StoreOptions& options, Gate& writer, Gate& reader,
               std::function<void()> make_way);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// After a commit: the WAL has `pages` pages now. Any thread.
  void wal_has(std::uint32_t pages);
  /// The disk is full: what can be copied is, so that the WAL starts over in its own space.
  void make_room();

 private:
  struct Progress {
    int wal_pages = 0;
    int copied_pages = 0;
    bool failed = false;
  };

  void run();
  void checkpoint(std::uint32_t pages);
  Progress copy(int mode);

  std::unique_ptr<Db> db_;
  const std::uint32_t pages_min_;
  const std::uint32_t pages_max_;
  Gate& writer_;
  Gate& reader_;
  const std::function<void()> make_way_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint32_t pages_ = 0;    ///< of the WAL, as last heard
  std::uint32_t next_at_ = 0;  ///< pages from which the next checkpoint runs
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace holdfast::store
