/// Reads, on a thread and a connection of their own: they do not wait for anybody's fsync.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <store/sqlite_db.hpp>
#include <store/store.hpp>
#include <store/thread.hpp>

namespace holdfast::store {

class Reader {
 public:
  /// `gate`: passed for each read. `db`: opened read-only.
  Reader(std::unique_ptr<Db> db, Gate& gate);
  /// Drops the reads that wait; their callbacks do not run.
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Runs `job` on the reader's thread, in order of submission. `job` checks `Db::failed()`.
  void submit(std::function<void(Db&)> job);

 private:
  void run();

  Gate& gate_;
  std::unique_ptr<Db> db_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void(Db&)>> waiting_;
  bool stopping_ = false;
  Thread thread_;
};

// --- The reads. Each leaves a failure in `db` and returns it. ------------------------------------

Result<core::Recovered> read_recovered(Db& db);
Result<FramePage> read_frames(Db& db, const FrameQuery& query);
Result<std::string> read_body(Db& db, core::Seq first_seq);
Result<std::vector<core::Entry>> read_entries(Db& db, const EntryQuery& query);
Result<std::vector<EntryDetail>> read_send(Db& db, core::Seq first_seq);

}  // namespace holdfast::store
