#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <core/assert.hpp>
#include <future>
#include <random>
#include <store/data_dir.hpp>
#include <store/sqlite_check.hpp>
#include <store/sqlite_checkpoint.hpp>
#include <store/sqlite_reader.hpp>
#include <store/sqlite_schema.hpp>
#include <store/sqlite_store.hpp>
#include <store/sqlite_writer.hpp>
#include <store/status_board.hpp>

namespace holdfast::store {
namespace {

constexpr std::chrono::seconds measured_for{1};

struct Connections {
  std::unique_ptr<Db> write, checkpoint, read, check;
};

/// Members are destroyed from the last to the first: the checker lets go, the reader drops what
/// waits, the writer makes durable what waits, the checkpointer ends, the lock is released.
class SqliteStore final : public Store {
 public:
  SqliteStore(DataDir dir, Connections connections, const StoreOptions& options, Executor executor)
      : dir_{std::move(dir)},
        executor_{std::move(executor)},
        board_{dir_.path() / database_name},
        checkpointer_{std::move(connections.checkpoint), options, writer_gate_, reader_gate_,
                      [this] { make_way(); }},
        writer_{
            std::move(connections.write), options, executor_, board_, writer_gate_, checkpointer_},
        reader_{std::move(connections.read), reader_gate_} {
    if (connections.check) {
      const std::lock_guard lock{checker_mutex_};
      checker_.emplace(std::move(connections.check), board_);
    }
    board_.measure();
  }

  ~SqliteStore() override {
    const std::lock_guard lock{checker_mutex_};
    checker_.reset();
  }

  Result<core::Recovered> recover() override {
    std::promise<Result<core::Recovered>> promise;
    auto recovered = promise.get_future();
    reader_.submit([&promise](Db& db) { promise.set_value(read_recovered(db)); });
    return recovered.get();
  }

  void commit(core::Batch batch, Callback<core::Applied> done) override {
    writer_.submit(std::move(batch), std::move(done));
  }

  void read_frames(FrameQuery query, Callback<FramePage> done) override {
    answer<FramePage>(std::move(done),
                      [query = std::move(query)](Db& db) { return store::read_frames(db, query); });
  }

  void read_body(core::Seq first_seq, Callback<std::string> done) override {
    answer<std::string>(std::move(done),
                        [first_seq](Db& db) { return store::read_body(db, first_seq); });
  }

  void read_entries(EntryQuery query, Callback<std::vector<core::Entry>> done) override {
    answer<std::vector<core::Entry>>(std::move(done), [query = std::move(query)](Db& db) {
      return store::read_entries(db, query);
    });
  }

  void read_send(core::Seq first_seq, Callback<std::vector<EntryDetail>> done) override {
    answer<std::vector<EntryDetail>>(
        std::move(done), [first_seq](Db& db) { return store::read_send(db, first_seq); });
  }

  /// Sizes are at most a second old where somebody asks every second: they are measured after the
  /// answer, on the reader's thread, so that the deciding thread touches no file.
  [[nodiscard]] StoreStatus status() const override {
    const auto now = std::chrono::steady_clock::now();
    if (now - measured_at_ >= measured_for) {
      measured_at_ = now;
      reader_.submit([this](Db&) { board_.measure(); });
    }
    return board_.snapshot();
  }

 private:
  template <typename T, typename Read>
  void answer(Callback<T> done, Read read) {
    reader_.submit([this, done = std::move(done), read = std::move(read)](Db& db) {
      auto result = std::make_shared<Result<T>>(read(db));
      executor_([done, result] { done(std::move(*result)); });
    });
  }

  void make_way() {
    const std::lock_guard lock{checker_mutex_};
    if (checker_) checker_->make_way();
  }

  DataDir dir_;
  Executor executor_;
  mutable StatusBoard board_;
  mutable std::chrono::steady_clock::time_point measured_at_{};
  Gate writer_gate_, reader_gate_;
  std::mutex checker_mutex_;
  std::optional<Checker> checker_;
  Checkpointer checkpointer_;
  Writer writer_;
  mutable Reader reader_;
};

std::uint64_t random_epoch() {
  std::random_device entropy;
  return (std::uint64_t{entropy()} << 32) | entropy();
}

/// Opens what the threads need. Recovers the WAL after a crash, migrates an older schema.
Result<Connections> connect(const std::filesystem::path& file, const StoreOptions& options) {
  if (auto made = create_if_missing(file, random_epoch(), options.vfs); !made) return made.error();
  if (auto made = make_file_private(file); !made) return made.error();
  Connections connections;
  auto write = open_for_writing(file, options.vfs);
  if (!write) return write.error();
  if (auto migrated = migrate(**write, migrations()); !migrated) return migrated.error();
  auto checkpoint = open_for_writing(file, options.vfs);
  if (!checkpoint) return checkpoint.error();
  sqlite3_busy_timeout((*checkpoint)->handle(), 0);
  auto read = Db::open(file, {.read_only = true, .vfs = options.vfs});
  if (!read) return read.error();
  connections = {.write = std::move(*write),
                 .checkpoint = std::move(*checkpoint),
                 .read = std::move(*read),
                 .check = nullptr};
  if (options.check_at_start) {
    auto check = Db::open(file, {.read_only = true, .vfs = options.vfs});
    if (!check) return check.error();
    connections.check = std::move(*check);
  }
  return connections;
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& dir,
                                                 StoreOptions options, Executor executor) {
  auto held = DataDir::hold(dir);
  if (!held) return held.error();
  auto connections = connect(held->path() / database_name, options);
  if (!connections) return connections.error();
  return std::unique_ptr<Store>{std::make_unique<SqliteStore>(
      std::move(*held), std::move(*connections), options, std::move(executor))};
}

}  // namespace holdfast::store
