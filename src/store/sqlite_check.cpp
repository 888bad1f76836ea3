#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <store/sqlite_check.hpp>
#include <vector>

namespace holdfast::store {
namespace {

/// SQLite's virtual instructions between two looks at the flags.
constexpr int instructions_between_looks = 1'000;
/// How often one table is begun, where checkpoints need the file again and again.
constexpr int attempts_max = 5;

/// The least of both: others' reads and computing go first.
void lower_priority() {
  constexpr int of_this_thread = 1;    // IOPRIO_WHO_PROCESS
  constexpr int idle_class = 3 << 13;  // IOPRIO_CLASS_IDLE
  ::syscall(SYS_ioprio_set, of_this_thread, 0, idle_class);
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
}

}  // namespace

Checker::Checker(std::unique_ptr<Db> db, StatusBoard& board)
    : board_{board}, db_{std::move(db)}, thread_{"hf-store-check", [this] { run(); }} {}

Checker::~Checker() {
  stopping_ = true;
  interrupted_ = true;
}

void Checker::run() {
  lower_priority();
  board_.checked("running");
  sqlite3_progress_handler(
      db_->handle(), instructions_between_looks,
      [](void* flag) { return static_cast<std::atomic<bool>*>(flag)->load() ? 1 : 0; },
      &interrupted_);
  std::vector<std::string> tables;
  {
    Statement names{*db_, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"};
    while (names.next()) tables.push_back(names.text(0));
  }
  std::string result = db_->failed() ? db_->error().message : "ok";
  for (const std::string& table : tables) {
    result = check(table);
    if (result != "ok") break;
  }
  if (!stopping_) board_.checked(result);
  db_.reset();
}

std::string Checker::check(const std::string& table) {
  const std::string sql = fmt::format("PRAGMA quick_check('{}')", table);
  for (int attempt = 0; attempt < attempts_max && !stopping_; ++attempt) {
    {
      Statement rows{*db_, sql.c_str()};
      if (rows.next() && rows.bytes(0) != "ok") {
        return fmt::format(
            "damaged: {} (table {}); stop Holdfast, keep a copy of the directory "
            "and restore a backup",
            rows.bytes(0), table);
      }
    }
    if (!db_->failed()) return "ok";
    const bool made_way = (db_->code() & 0xff) == SQLITE_INTERRUPT;
    if (!made_way) return db_->error().message;
    db_->clear();
    interrupted_ = stopping_.load();
  }
  return "not finished: the store was too busy";
}

}  // namespace holdfast::store
