#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <core/assert.hpp>
#include <cstring>
#include <mutex>
#include <store/sqlite_db.hpp>

namespace holdfast::store {
namespace {

/// Connections stay on one thread each and nobody asks for SQLite's memory statistics: both locks
/// are left out. Without effect if the program has used SQLite before.
void configure_sqlite_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  });
}

bool means_full(int errno_value) {
  return errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG;
}

}  // namespace

Error explain(const std::filesystem::path& file, int code, int errno_value,
              const std::string& words) {
  const std::string name = file.string();
  const std::string system =
      errno_value != 0 ? fmt::format(", {}", std::strerror(errno_value)) : "";
  switch (code & 0xff) {
    case SQLITE_FULL:
      errno_value = ENOSPC;
      [[fallthrough]];
    case SQLITE_IOERR:
      if (means_full(errno_value) || code == SQLITE_IOERR_SHMSIZE) {
        return {Errc::store_full,
                fmt::format("no room for {}: the disk or its quota is full; nothing was written, "
                            "free some space and Holdfast goes on by itself",
                            name)};
      }
      if (errno_value != EROFS) break;
      [[fallthrough]];
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {Errc::store_read_only,
              fmt::format("{} cannot be written ({}): make the file and its directory writable for "
                          "this user, or choose another --data-dir",
                          name, words)};
    case SQLITE_NOTADB:
      return {Errc::store_corrupt,
              fmt::format("{} is not a Holdfast store: choose another --data-dir, or move the file "
                          "away to start with an empty store",
                          name)};
    case SQLITE_CORRUPT:
      return {Errc::store_corrupt,
              fmt::format("{} is damaged ({}): stop Holdfast, keep a copy of the directory, then "
                          "restore a backup or move the files away to start with an empty store",
                          name, words)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {
          Errc::store_busy,
          fmt::format("{} is locked by another program: close what has it open for writing", name)};
    default:
      break;
  }
  return {Errc::store_failed,
          fmt::format("{} cannot be used: {}{} (SQLite {}); check the disk and the permissions",
                      name, words, system, code)};
}

// --- Statement ----------------------------------------------------------------------------------

Statement::Statement(Db& db, const char* sql) : db_{&db} {
  if (db.failed()) return;
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(db.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) db.fail(code);
}

void Statement::reset() {
  if (statement_) sqlite3_reset(statement_.get());
}

bool Statement::next() {
  if (db_->failed() || !statement_) return false;
  errno = 0;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) db_->fail(code);
  sqlite3_reset(statement_.get());
  return false;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::string_view Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string_view{}
                         : std::string_view{data, static_cast<std::size_t>(size)};
}

void Statement::bind(int position, std::int64_t value) {
  if (statement_) sqlite3_bind_int64(statement_.get(), position, value);
}

void Statement::bind(int position, std::string_view value) {
  // An empty view may have no address, which SQLite would take for NULL.
  const char* data = value.empty() ? "" : value.data();
  if (statement_) {
    sqlite3_bind_text64(statement_.get(), position, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
}

void Statement::bind(int position, Bytes value) {
  const void* data = value.empty() ? static_cast<const void*>("") : value.data();
  if (statement_) {
    sqlite3_bind_blob64(statement_.get(), position, data, value.size(), SQLITE_STATIC);
  }
}

void Statement::bind(int position, std::nullopt_t) {
  if (statement_) sqlite3_bind_null(statement_.get(), position);
}

// --- Db -----------------------------------------------------------------------------------------

Result<std::unique_ptr<Db>> Db::open(const std::filesystem::path& file, OpenOptions options) {
  configure_sqlite_once();
  std::unique_ptr<Db> db{new Db{file}};
  // A URI, for `immutable`; its path is escaped byte by byte.
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '.' ||
                       c == '-' || c == '_';
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  if (options.immutable) uri += "?immutable=1";
  const int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  const int code = sqlite3_open_v2(uri.c_str(), &db->handle_, flags,
                                   options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (code != SQLITE_OK) {
    db->fail(code);
    return db->error();
  }
  sqlite3_busy_timeout(db->handle_, 2'000);
  db->run(
      "PRAGMA cache_size = -1024; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
      "PRAGMA secure_delete = ON;");
  if (db->failed()) return db->error();
  return db;
}

Db::~Db() {
  // Statements are members of what owns the connection and go first; a zombie would hide a leak.
  const int code = sqlite3_close(handle_);
  HF_ASSERT(code == SQLITE_OK);
}

void Db::run(const char* sql) {
  if (failed()) return;
  errno = 0;
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

std::int64_t Db::integer(const char* sql) {
  Statement statement{*this, sql};
  return statement.next() ? statement.integer(0) : 0;
}

void Db::roll_back() {
  // After some failures SQLite has rolled back by itself.
  if (sqlite3_get_autocommit(handle_) == 0) {
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Db::fail(int code) {
  if (failed()) return;
  code_ = code;
  // SQLite keeps the system's error of a failed read or write, but not of a failed COMMIT.
  errno_ = errno;
  if (errno_ == 0 && handle_ != nullptr) errno_ = sqlite3_system_errno(handle_);
  words_ = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
}

Error Db::error() const { return explain(file_, code_, errno_, words_); }

}  // namespace holdfast::store
