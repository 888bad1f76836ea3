/// SQLite behind RAII. The first failure sticks: later calls on the connection do nothing until
/// `clear()`, so that a sequence of statements is checked once, at its end.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <holdfast/result.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::store {

/// The file of the store inside its directory.
inline constexpr const char* database_name = "holdfast.db";

/// Bytes to bind or to read that are not text.
using Bytes = std::span<const std::uint8_t>;

class Db;

/// A prepared statement. Owner: the thread of its connection.
class Statement {
 public:
  Statement() = default;
  Statement(Db& db, const char* sql);

  /// Starts over with these values for ?1, ?2, …. Strings and bytes must live until the statement
  /// is done. A `std::string_view` is text; `Bytes` are a blob; nothing is NULL.
  template <typename... Values>
  Statement& with(const Values&... values) {
    reset();
    int position = 0;
    (bind(++position, values), ...);
    return *this;
  }

  /// Goes to the next row; false at the end and after a failure (`Db::failed()`).
  bool next();
  /// Runs to the end, whatever rows there are.
  void run() {
    while (next()) {
    }
  }

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::uint64_t natural(int column) const {
    return static_cast<std::uint64_t>(integer(column));
  }
  [[nodiscard]] bool is_null(int column) const;
  /// Valid until the statement moves on.
  [[nodiscard]] std::string_view bytes(int column) const;
  [[nodiscard]] std::string text(int column) const { return std::string{bytes(column)}; }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  void reset();
  void bind(int position, std::int64_t value);
  void bind(int position, std::uint64_t value) { bind(position, static_cast<std::int64_t>(value)); }
  void bind(int position, std::uint32_t value) { bind(position, std::int64_t{value}); }
  void bind(int position, int value) { bind(position, std::int64_t{value}); }
  void bind(int position, bool value) { bind(position, std::int64_t{value}); }
  void bind(int position, std::string_view value);
  void bind(int position, const std::string& value) { bind(position, std::string_view{value}); }
  void bind(int position, const char* value) { bind(position, std::string_view{value}); }
  void bind(int position, Bytes value);
  void bind(int position, std::nullopt_t);
  template <typename T>
  void bind(int position, const std::optional<T>& value) {
    value ? bind(position, *value) : bind(position, std::nullopt);
  }

  Db* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A connection. Owner: one thread at a time.
class Db {
 public:
  struct OpenOptions {
    bool read_only = false;
    bool immutable = false;  ///< nobody writes and nothing may be created next to the file
    std::string vfs{};       ///< name of an SQLite VFS; empty: the default. For tests
  };

  /// Opens `file`, which must exist, and sets what every connection needs: a cache of 1 MiB, no
  /// memory map, secure_delete, a wait of up to 2 s for other processes' locks.
  static Result<std::unique_ptr<Db>> open(const std::filesystem::path& file, OpenOptions options);

  ~Db();
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  /// Runs statements without values; rows are ignored.
  void run(const char* sql);
  /// The first column of the first row; 0 if there is none.
  [[nodiscard]] std::int64_t integer(const char* sql);
  /// Ends a transaction that is open without applying it, also after a failure.
  void roll_back();

  [[nodiscard]] bool failed() const noexcept { return code_ != SQLITE_OK; }
  /// SQLite's extended result code of the first failure.
  [[nodiscard]] int code() const noexcept { return code_; }
  [[nodiscard]] Error error() const;
  void clear() noexcept { code_ = SQLITE_OK; }

  /// Records a failure, with SQLite's words and errno as they are now.
  void fail(int code);
  [[nodiscard]] sqlite3* handle() const noexcept { return handle_; }
  [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }
  [[nodiscard]] std::uint64_t changes() const {
    return static_cast<std::uint64_t>(sqlite3_changes64(handle_));
  }

 private:
  explicit Db(std::filesystem::path file) : file_{std::move(file)} {}

  std::filesystem::path file_;
  sqlite3* handle_ = nullptr;
  int code_ = SQLITE_OK;
  int errno_ = 0;
  std::string words_;
};

/// What an SQLite failure on `file` means, in one sentence that says what to do.
/// `errno_value`: of the failed system call, 0 if none. `words`: SQLite's own message.
[[nodiscard]] Error explain(const std::filesystem::path& file, int code, int errno_value,
                            const std::string& words);

}  // namespace holdfast::store
