#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <store/batch.hpp>
#include <store/sqlite_schema.hpp>
#include <store/sqlite_writer.hpp>

namespace holdfast::store {

using Clock = std::chrono::steady_clock;

Result<std::unique_ptr<Db>> open_for_writing(const std::filesystem::path& file,
                                             const std::string& vfs) {
  auto db = Db::open(file, {.vfs = vfs});
  if (!db) return db;
  // Looked at first: nothing may be written into a file that is not a store.
  if (auto checked = check_header(**db); !checked) return checked.error();
  (*db)->run(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
      "PRAGMA journal_size_limit = 16777216;");
  if ((*db)->failed()) return (*db)->error();
  if (sqlite3_db_readonly((*db)->handle(), "main") != 0) {
    return explain(file, SQLITE_READONLY, 0, "it can only be read");
  }
  return db;
}

struct Writer::Prepared {
  explicit Prepared(Db& db) : begin{db, "BEGIN IMMEDIATE"}, commit{db, "COMMIT"}, applier{db} {}
  Statement begin, commit;
  Applier applier;
};

Writer::Writer(std::unique_ptr<Db> db, const StoreOptions& options, Executor executor,
               StatusBoard& board, Gate& gate, Checkpointer& checkpointer)
    : file_{db->file()},
      options_{options},
      executor_{std::move(executor)},
      board_{board},
      gate_{gate},
      checkpointer_{checkpointer},
      db_{std::move(db)},
      thread_{"hf-store-write", [this] { run(); }} {}

Writer::~Writer() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_one();
}

void Writer::submit(core::Batch batch, Callback<core::Applied> done) {
  assert_well_formed(batch);
  const std::size_t bytes = bytes_of(batch);
  {
    const std::lock_guard lock{mutex_};
    Waiting item{.batch = std::move(batch), .done = std::move(done), .bytes = bytes, .refused = {}};
    if (waiting_bytes_ + bytes > options_.waiting_bytes_max && !waiting_.empty()) {
      item.refused = Error{Errc::queue_full,
                           fmt::format("{} bytes wait for the disk, the bound is {}; nothing was "
                                       "accepted, try again later",
                                       waiting_bytes_, options_.waiting_bytes_max)};
      item.batch.changes.clear();
      item.bytes = 0;
    }
    waiting_bytes_ += item.bytes;
    waiting_.push_back(std::move(item));
  }
  wake_.notify_one();
}

void Writer::run() {
  for (;;) {
    Group group = next_group();
    if (group.empty()) break;
    Outcomes outcomes = write(group);
    report(std::move(group), std::move(outcomes));
  }
  prepared_.reset();
  db_.reset();
}

/// Waits for work; empty when there is none and the owner wants to stop.
Writer::Group Writer::next_group() {
  Group group;
  std::size_t records = 0;
  std::size_t bytes = 0;
  std::unique_lock lock{mutex_};
  wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
  while (!waiting_.empty()) {
    const Waiting& next = waiting_.front();
    records += std::max<std::size_t>(next.batch.changes.size(), 1);
    bytes += next.bytes;
    const bool over = records > options_.group_records_max || bytes > options_.group_bytes_max;
    if (over && !group.empty()) break;
    waiting_bytes_ -= next.bytes;
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return group;
}

Writer::Outcomes Writer::write(const Group& group) {
  const Gate::Pass pass{gate_};
  Outcomes outcomes;
  outcomes.reserve(group.size());
  if (write_as_one(group, 0, group.size(), outcomes)) return outcomes;
  outcomes.clear();
  if (failure_->of_the_batch && group.size() > 1) {
    // One of them cannot be applied; the others must not suffer for it.
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (!write_as_one(group, i, i + 1, outcomes)) outcomes.emplace_back(failure_->error);
    }
    return outcomes;
  }
  for (const Waiting& item : group) outcomes.emplace_back(item.refused.value_or(failure_->error));
  return outcomes;
}

bool Writer::write_as_one(const Group& group, std::size_t first, std::size_t last,
                          Outcomes& outcomes) {
  failure_.reset();
  if (!ready()) return false;
  const auto started = Clock::now();
  const auto rows_before = sqlite3_total_changes64(db_->handle());
  const std::size_t outcomes_before = outcomes.size();
  const auto give_up = [&](Failure failure) {
    failure_ = std::move(failure);
    outcomes.erase(outcomes.begin() + static_cast<std::ptrdiff_t>(outcomes_before), outcomes.end());
    begin_again();
    return false;
  };

  prepared_->begin.with().run();
  for (std::size_t i = first; i < last; ++i) {
    if (group[i].refused) {
      outcomes.emplace_back(*group[i].refused);
      continue;
    }
    auto applied = prepared_->applier.apply(group[i].batch);
    if (!applied) {
      Failure failure = db_->failed() ? disk_failure() : Failure{.error = applied.error()};
      const int code = db_->code() & 0xff;
      failure.of_the_batch = !db_->failed() || code == SQLITE_TOOBIG || code == SQLITE_CONSTRAINT;
      return give_up(std::move(failure));
    }
    outcomes.push_back(std::move(applied));
  }
  prepared_->applier.flush();
  prepared_->commit.with().run();
  if (db_->failed()) return give_up(disk_failure());
  // Batches whose send was known write nothing and prove nothing about the disk.
  if (sqlite3_total_changes64(db_->handle()) != rows_before) {
    board_.committed(Clock::now() - started);
    checkpointer_.wal_has(wal_pages_);
  }
  return true;
}

/// A connection with its statements and counters is there. False: `failure_` says why not.
bool Writer::ready() {
  if (!db_) {
    auto opened = open_for_writing(file_, options_.vfs);
    if (!opened) {
      board_.failed(opened.error().message);
      failure_ = Failure{.error = opened.error()};
      return false;
    }
    db_ = std::move(*opened);
  }
  if (!prepared_) {
    // SQLite calls this after each commit with the number of pages in the WAL.
    sqlite3_wal_hook(
        db_->handle(),
        [](void* pages, sqlite3*, const char*, int count) {
          *static_cast<std::uint32_t*>(pages) = static_cast<std::uint32_t>(count);
          return SQLITE_OK;
        },
        &wal_pages_);
    prepared_ = std::make_unique<Prepared>(*db_);
    if (db_->failed()) {
      failure_ = Failure{.error = db_->error()};
      begin_again();
      return false;
    }
  }
  return true;
}

Writer::Failure Writer::disk_failure() const {
  const int code = db_->code() & 0xff;
  Failure failure{.error = db_->error()};
  failure.full = failure.error.code == Errc::store_full;
  // A write that found no room left no whole transaction behind; a sync that found none may have.
  const bool harmless = failure.full && db_->code() != SQLITE_IOERR_FSYNC;
  failure.of_the_file =
      code == SQLITE_CORRUPT || code == SQLITE_NOTADB || (code == SQLITE_IOERR && !harmless);
  return failure;
}

/// After a failure: rolled back, counters forgotten. Where the connection may be wrong about the
/// file, it goes too.
void Writer::begin_again() {
  if (!failure_->of_the_batch) board_.failed(failure_->error.message);
  prepared_.reset();
  db_->roll_back();
  db_->clear();
  if (failure_->full) checkpointer_.make_room();
  if (!failure_->of_the_file) return;
  const Failure failure = *failure_;
  db_.reset();
  overwrite_failed_commit();
  failure_ = failure;
}

/// A transaction whose fsync failed may stand complete in the WAL and would come to life in a
/// crash. The next commit overwrites it, so there is one at once if the disk lets us.
void Writer::overwrite_failed_commit() {
  if (!ready()) return;
  const auto started = Clock::now();
  db_->run("BEGIN IMMEDIATE; UPDATE meta SET value = value + 1 WHERE key = 'probes'; COMMIT;");
  if (!db_->failed()) {
    board_.committed(Clock::now() - started);
    return;
  }
  prepared_.reset();
  db_->roll_back();
  db_.reset();
}

void Writer::report(Group group, Outcomes outcomes) {
  struct Report {
    Group group;
    Outcomes outcomes;
  };
  auto report = std::make_shared<Report>(Report{std::move(group), std::move(outcomes)});
  executor_([report] {
    for (std::size_t i = 0; i < report->group.size(); ++i) {
      report->group[i].done(std::move(report->outcomes[i]));
    }
  });
}

}  // namespace holdfast::store
