#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <store/audit_fold.hpp>
#include <store/sqlite_db.hpp>
#include <store/sqlite_schema.hpp>
#include <store/sqlite_store.hpp>

namespace holdfast::store {
namespace {

Result<std::unique_ptr<Db>> open_read_only(const std::filesystem::path& file, bool immutable) {
  auto db = Db::open(file, {.read_only = true, .immutable = immutable});
  if (!db) return db;
  if (auto checked = check_header(**db); !checked) return checked.error();
  return db;
}

/// Opens a live or a stopped store without changing it. SQLite wants to create files next to the
/// database. Where it cannot (a backup on a read-only disk) the file is read as it stands, which
/// is all there is if its WAL is empty.
Result<std::unique_ptr<Db>> open_for_audit(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    return Error{Errc::not_found, fmt::format("there is no store at {}", file.string())};
  }
  auto db = open_read_only(file, false);
  if (db) return db;
  const bool can_create = ::access(file.parent_path().c_str(), W_OK) == 0;
  const bool wal_empty = ::stat((file.string() + "-wal").c_str(), &info) != 0 || info.st_size == 0;
  if (can_create || !wal_empty) return db;
  return open_read_only(file, true);
}

std::optional<core::EntryState> state_of(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return static_cast<core::EntryState>(row.integer(column));
}

void fold_inbound(Db& db, AuditFold& fold) {
  Statement accounts{db,
                     "SELECT account, name, received, duplicates, ephemeral, trimmed_up_to, "
                     "last_seq FROM accounts ORDER BY account"};
  Statement keys{db, "SELECT key FROM frames WHERE key BETWEEN ? AND ? ORDER BY key"};
  while (accounts.next()) {
    const std::int64_t number = accounts.integer(0);
    fold.account({.name = accounts.text(1),
                  .received = accounts.natural(2),
                  .duplicates = accounts.natural(3),
                  .ephemeral = accounts.natural(4),
                  .trimmed_up_to = accounts.natural(5),
                  .last_seq = accounts.natural(6)});
    keys.with(frame_key(number, 0), frame_key(number, sequence_max));
    while (keys.next()) fold.frame(seq_of_key(keys.integer(0)));
  }
}

/// Entries and ledger side by side, both by entry: a merge in constant memory.
void fold_outbound(Db& db, AuditFold& fold) {
  fold.outbox(static_cast<std::uint64_t>(
      db.integer("SELECT value FROM meta WHERE key = 'last_entry_seq'")));
  Statement entries{db, "SELECT seq, state FROM entries ORDER BY seq"};
  Statement ledger{db, "SELECT entry, from_state, to_state FROM ledger ORDER BY entry, n"};
  bool more_ledger = ledger.next();
  const auto feed_up_to = [&](core::Seq seq) {
    while (more_ledger && ledger.natural(0) <= seq) {
      fold.ledger({.entry = ledger.natural(0),
                   .from = state_of(ledger, 1),
                   .to = static_cast<core::EntryState>(ledger.integer(2)),
                   .at_ms = 0,
                   .why = {}});
      more_ledger = ledger.next();
    }
  };
  while (entries.next()) {
    const core::Seq seq = entries.natural(0);
    feed_up_to(seq - 1);
    fold.entry(seq, static_cast<core::EntryState>(entries.integer(1)));
    feed_up_to(seq);
  }
  feed_up_to(INT64_MAX);
}

/// Rows that point to rows that are not there.
void look_for_orphans(Db& db, AuditFold& fold) {
  struct Question {
    const char* sql;       ///< counts what must not be
    const char* sentence;  ///< {} is the count
  };
  constexpr std::array questions{
      Question{"SELECT count(*) FROM frames f WHERE f.identity <> zeroblob(16) AND NOT EXISTS "
               "(SELECT 1 FROM identities i WHERE i.account = f.key >> 40 "
               "AND i.identity = f.identity AND i.seq = f.key & 1099511627775)",
               "frames that would be stored again if they came again, without an identity: {}"},
      Question{"SELECT count(*) FROM entries e WHERE e.seq = e.first_seq AND NOT EXISTS "
               "(SELECT 1 FROM bodies b WHERE b.first_seq = e.seq)",
               "sends without a body: {}"},
      Question{"SELECT count(*) FROM entries e WHERE NOT EXISTS (SELECT 1 FROM entries f WHERE "
               "f.seq = e.first_seq AND f.parts = e.parts AND e.seq < f.seq + f.parts)",
               "entries that are not part of the send they name: {}"},
      Question{"SELECT count(*) FROM idempotency k WHERE NOT EXISTS (SELECT 1 FROM entries e "
               "WHERE e.seq = k.first_seq AND e.account = k.account)",
               "idempotency keys of sends that are not there: {}"},
      Question{"SELECT count(*) FROM cursors c WHERE NOT EXISTS (SELECT 1 FROM accounts a "
               "WHERE a.account = c.account AND a.last_seq >= c.seq)",
               "cursors beyond the last frame of their account: {}"},
      Question{"SELECT count(*) FROM frames f WHERE NOT EXISTS (SELECT 1 FROM accounts a "
               "WHERE a.account = f.key >> 40)",
               "frames that belong to no account: {}"},
  };
  for (const Question& question : questions) {
    const std::int64_t count = db.integer(question.sql);
    if (count > 0) fold.problem(fmt::format(fmt::runtime(question.sentence), count));
  }
}

}  // namespace

Result<AuditReport> audit(const std::filesystem::path& dir) {
  auto opened = open_for_audit(dir / database_name);
  if (!opened) return opened.error();
  Db& db = **opened;
  AuditFold fold;
  db.run("BEGIN");  // one moment of a store that goes on
  fold_inbound(db, fold);
  fold_outbound(db, fold);
  look_for_orphans(db, fold);
  db.roll_back();
  if (db.failed()) return db.error();
  return fold.finish();
}

}  // namespace holdfast::store
