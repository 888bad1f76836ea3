/// What the store's tests share: directories, records, and a deciding thread that is pumped.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <store/memory_store.hpp>
#include <store/sqlite_store.hpp>
#include <string>
#include <string_view>

namespace holdfast::store {

inline const std::string ann = "+15550000001";
inline const std::string bob = "+15550000002";

/// A directory that goes away with its owner.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The test's thread as the deciding thread: completions wait here until it is pumped.
class Pump {
 public:
  [[nodiscard]] Executor executor();
  /// Runs what comes in until `done()`. False after 60 s, which no healthy machine needs.
  bool run_until(const std::function<bool()>& done);

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
};

/// A store under test, and how its completions are made to run.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual Store& store() = 0;
  virtual bool run_until(const std::function<bool()>& done) = 0;
  /// Stops and starts again.
  virtual void reopen() = 0;
  virtual Result<AuditReport> audit() = 0;
};

class MemorySubject final : public Subject {
 public:
  Store& store() override { return store_; }
  bool run_until(const std::function<bool()>& done) override;
  void reopen() override { store_.crash(); }
  Result<AuditReport> audit() override { return store_.audit(); }

 private:
  MemoryStore store_;
};

class SqliteSubject final : public Subject {
 public:
  explicit SqliteSubject(StoreOptions options = {});
  Store& store() override { return *store_; }
  bool run_until(const std::function<bool()>& done) override { return pump_.run_until(done); }
  void reopen() override;
  void close() { store_.reset(); }
  Result<AuditReport> audit() override { return store::audit(dir()); }
  [[nodiscard]] std::filesystem::path dir() const { return temp_ / "data"; }
  [[nodiscard]] std::filesystem::path file() const { return dir() / "holdfast.db"; }
  [[nodiscard]] std::filesystem::path wal() const { return dir() / "holdfast.db-wal"; }

 private:
  TempDir temp_;
  Pump pump_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

// --- One call, its completion awaited -----------------------------------------------------------

template <typename T, typename Call>
Result<T> await(Subject& subject, Call call) {
  std::optional<Result<T>> result;
  call([&](Result<T> given) { result = std::move(given); });
  if (!subject.run_until([&] { return result.has_value(); })) {
    return Error{Errc::timed_out, "the completion never ran"};
  }
  return *std::move(result);
}
Result<core::Applied> commit(Subject& subject, core::Batch batch);
/// Commits and expects success.
core::Applied applied(Subject& subject, core::Batch batch);
Result<FramePage> frames(Subject& subject, FrameQuery query);
Result<std::string> body(Subject& subject, core::Seq first_seq);
std::vector<core::Entry> entries(Subject& subject, EntryQuery query);
Result<std::vector<EntryDetail>> send(Subject& subject, core::Seq first_seq);
core::Recovered recovered(Subject& subject);

// --- Records ------------------------------------------------------------------------------------

[[nodiscard]] core::Batch batch(std::vector<core::Change> changes);
/// Equal numbers are equal messages.
[[nodiscard]] core::Identity identity(std::uint64_t number);
[[nodiscard]] core::AppendFrame frame(const std::string& account, std::uint64_t number,
                                      std::string bytes = "{}");
[[nodiscard]] core::AddSend add_send(const std::string& account,
                                     std::vector<std::string> recipients,
                                     std::optional<core::IdempotencyKey> key = {});
/// `entry` in its next state.
[[nodiscard]] core::UpdateEntry update(core::Entry entry, core::EntryState to,
                                       const std::string& why = "because");
[[nodiscard]] core::Entry entry(core::Seq seq, core::EntryState state);

/// Runs SQL on the file of a store, behind its back; the first column of the first row.
std::int64_t sql(const std::filesystem::path& file, const std::string& statements);

/// Runs `body` in a child process. Empty: it returned an empty string; else what went wrong there.
std::string in_child(const std::function<std::string()>& body);

}  // namespace holdfast::store
