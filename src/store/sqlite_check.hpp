/// `PRAGMA quick_check` in the background, table by table.
#pragma once

#include <atomic>
#include <store/sqlite_db.hpp>
#include <store/status_board.hpp>
#include <store/thread.hpp>

namespace holdfast::store {

/// Runs once and ends. It reads the whole file, at the lowest priority; a table at a time, so that
/// the WAL can start over in between. The result is on the board: "ok", or what was found.
class Checker {
 public:
  Checker(std::unique_ptr<Db> db, StatusBoard& board);
  /// Ends a check that runs, at once.
  ~Checker();
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  /// Lets go of the file now; the table under way is checked again later. Any thread.
  void make_way() { interrupted_ = true; }

 private:
  void run();
  /// What is wrong with `table`, or "ok".
  std::string check(const std::string& table);

  StatusBoard& board_;
  std::unique_ptr<Db> db_;
  std::atomic<bool> interrupted_ = false;
  std::atomic<bool> stopping_ = false;
  Thread thread_;
};

}  // namespace holdfast::store
