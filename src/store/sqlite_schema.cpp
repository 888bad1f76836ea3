#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <store/data_dir.hpp>
#include <store/sqlite_schema.hpp>

namespace holdfast::store {
namespace {

constexpr const char* version_1 = R"sql(
CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts(
  account       INTEGER PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE,
  last_seq      INTEGER NOT NULL DEFAULT 0,
  received      INTEGER NOT NULL DEFAULT 0,
  duplicates    INTEGER NOT NULL DEFAULT 0,
  ephemeral     INTEGER NOT NULL DEFAULT 0,
  trimmed_up_to INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE frames(
  key                INTEGER PRIMARY KEY,
  kind               INTEGER NOT NULL,
  received_at_ms     INTEGER NOT NULL,
  server_received_ms INTEGER,
  identity           BLOB NOT NULL,
  bytes              BLOB NOT NULL
) STRICT;

CREATE TABLE identities(
  account  INTEGER NOT NULL,
  identity BLOB NOT NULL,
  seq      INTEGER NOT NULL,
  PRIMARY KEY(account, identity)
) STRICT, WITHOUT ROWID;

CREATE TABLE trimmed_identities(
  key           INTEGER PRIMARY KEY,
  identity      BLOB NOT NULL,
  trimmed_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE cursors(
  account  INTEGER NOT NULL,
  consumer TEXT NOT NULL,
  seq      INTEGER NOT NULL,
  PRIMARY KEY(account, consumer)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries(
  seq                   INTEGER PRIMARY KEY,
  first_seq             INTEGER NOT NULL,
  parts                 INTEGER NOT NULL,
  account               INTEGER NOT NULL,
  recipient             TEXT NOT NULL,
  operation             INTEGER NOT NULL,
  state                 INTEGER NOT NULL,
  attempts              INTEGER NOT NULL,
  possible_duplicate    INTEGER NOT NULL,
  out_of_order          INTEGER NOT NULL,
  created_at_ms         INTEGER NOT NULL,
  expires_at_ms         INTEGER NOT NULL,
  provisional_timestamp INTEGER NOT NULL,
  timestamp             INTEGER NOT NULL,
  body_bytes            INTEGER NOT NULL,
  error                 TEXT NOT NULL
) STRICT;
CREATE INDEX entries_by_state ON entries(state);

CREATE TABLE bodies(
  first_seq INTEGER PRIMARY KEY,
  body      BLOB NOT NULL
) STRICT;

CREATE TABLE ledger(
  entry      INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  from_state INTEGER,
  to_state   INTEGER NOT NULL,
  at_ms      INTEGER NOT NULL,
  why        TEXT NOT NULL,
  PRIMARY KEY(entry, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency(
  account   INTEGER NOT NULL,
  key       TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  body_hash TEXT NOT NULL,
  at_ms     INTEGER NOT NULL,
  PRIMARY KEY(account, key)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array all_migrations{
    Migration{1, version_1},
};

Error too_new(const Db& db, std::int64_t found, std::int64_t known) {
  return {Errc::store_too_new,
          fmt::format("{} was written by a newer Holdfast (schema {}, this one knows {}): run the "
                      "newer version, or choose another --data-dir",
                      db.file().string(), found, known)};
}

Result<void> build(const std::filesystem::path& file, std::uint64_t epoch, const std::string& vfs) {
  const int fd = ::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return system_error(file, "cannot be created", errno);
  ::close(fd);
  auto opened = Db::open(file, {.vfs = vfs});
  if (!opened) return opened.error();
  Db& db = **opened;
  db.run("PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  db.run(fmt::format("PRAGMA application_id = {}", application_id).c_str());
  if (auto migrated = migrate(db, migrations()); !migrated) return migrated;
  Statement{db, "INSERT INTO meta VALUES('epoch', ?), ('last_entry_seq', 0), ('probes', 0)"}
      .with(epoch & ~(std::uint64_t{1} << 63))
      .run();
  db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  if (db.failed()) return db.error();
  return {};
}

}  // namespace

std::span<const Migration> migrations() { return all_migrations; }

Result<void> migrate(Db& db, std::span<const Migration> steps) {
  const std::int64_t found = db.integer("PRAGMA user_version");
  if (db.failed()) return db.error();
  if (found > steps.back().to) return too_new(db, found, steps.back().to);
  for (const Migration& step : steps) {
    if (step.to <= found) continue;
    db.run("BEGIN IMMEDIATE");
    db.run(step.sql);
    db.run(fmt::format("PRAGMA user_version = {}", step.to).c_str());
    db.run("COMMIT");
    if (db.failed()) {
      Error error = db.error();
      db.roll_back();
      return error;
    }
  }
  return {};
}

Result<void> create_if_missing(const std::filesystem::path& file, std::uint64_t epoch,
                               const std::string& vfs) {
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0) {
    const auto damaged = [&](const char* how) {
      return Error{Errc::store_corrupt,
                   fmt::format("{} {}: restore a backup of the directory, or move the files away "
                               "to start with an empty store",
                               file.string(), how)};
    };
    if (!S_ISREG(info.st_mode)) return damaged("is not a file");
    if (info.st_size == 0) return damaged("is empty, which a store never is");
    return {};
  }
  if (errno != ENOENT) return system_error(file, "cannot be read", errno);
  const std::string name = file.string();
  if (::stat((name + "-wal").c_str(), &info) == 0 && info.st_size > 0) {
    return Error{Errc::store_corrupt,
                 fmt::format("{0} is missing but {0}-wal is there: put the file back, or move the "
                             "other away to start with an empty store",
                             name)};
  }
  const std::string fresh = name + ".new";
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((fresh + suffix).c_str());
  if (auto built = build(fresh, epoch, vfs); !built) return built;
  if (::rename(fresh.c_str(), name.c_str()) != 0) {
    return system_error(file, "cannot be created", errno);
  }
  return sync_directory(file.parent_path());
}

Result<void> check_header(Db& db) {
  const std::int64_t id = db.integer("PRAGMA application_id");
  const std::int64_t version = db.integer("PRAGMA user_version");
  if (db.failed()) return db.error();
  if (id != application_id || version == 0) {
    return explain(db.file(), SQLITE_NOTADB, 0, "");
  }
  const std::int64_t known = migrations().back().to;
  if (version > known) return too_new(db, version, known);
  return {};
}

}  // namespace holdfast::store
