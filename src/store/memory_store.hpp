/// A store in memory that keeps "written" and "synced" apart: for the simulator and for tests.
///
/// Single-threaded and deterministic: nothing happens but in `step()`, `sync()`, `step_read()` and
/// `run()`, and completions run inside these. A batch that waits is written and not synced; once
/// its completion has run it is synced, and only that survives a `crash()`.
#pragma once

#include <deque>
#include <map>
#include <store/store.hpp>
#include <string>
#include <utility>

namespace holdfast::store {

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(std::uint64_t epoch = 1);

  Result<core::Recovered> recover() override;
  void commit(core::Batch batch, Callback<core::Applied> done) override;
  void read_frames(FrameQuery query, Callback<FramePage> done) override;
  void read_body(core::Seq first_seq, Callback<std::string> done) override;
  void read_entries(EntryQuery query, Callback<std::vector<core::Entry>> done) override;
  void read_send(core::Seq first_seq, Callback<std::vector<EntryDetail>> done) override;
  [[nodiscard]] StoreStatus status() const override;

  // --- The disk, one move at a time ---

  /// One group commit: everything that waits now becomes durable, then the completions run in
  /// order. What they commit waits for the next one. Returns how many batches it was.
  std::size_t sync();
  /// The same for the oldest batch alone. False: none waits.
  bool step();
  /// Answers the oldest read. Reads see what is synced. False: none waits.
  bool step_read();
  /// Until nothing waits.
  void run();

  /// Batches written and not synced, and reads not answered.
  [[nodiscard]] std::size_t batches_waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::size_t reads_waiting() const noexcept { return reads_.size(); }

  // --- Faults ---

  /// Power is lost: batches that wait and reads are forgotten, their completions never run. The
  /// oldest `survivors` of those batches had reached the disk all the same, though nobody was told.
  /// `recover()` may be called again.
  void crash(std::size_t survivors = 0);
  /// The next `groups` group commits fail with `error`, with nothing of them applied.
  void fail_next(Error error, std::size_t groups = 1);
  /// Every commit fails with `store_full` until there is room again.
  void set_full(bool full) { full_ = full; }

  /// What `audit()` says of the SQLite store, of what is synced.
  [[nodiscard]] AuditReport audit() const;

 private:
  struct Account {
    std::uint64_t number = 0;  ///< the order of creation
    std::uint64_t received = 0, duplicates = 0, ephemeral = 0;
    core::Seq trimmed_up_to = 0, last_seq = 0;
    std::deque<core::Frame> frames;  ///< trimmed_up_to + 1 … last_seq
    std::map<core::Identity, core::Seq> identities;
    std::deque<std::pair<std::int64_t, core::Identity>> trimmed;  ///< by when
    std::map<std::string, core::Seq> cursors;
  };
  /// What is on the disk.
  struct Synced {
    std::map<std::string, Account> accounts;
    std::map<core::Seq, core::Entry> entries;
    std::map<core::Seq, std::vector<core::LedgerRow>> ledger;
    std::map<core::Seq, std::string> bodies;
    std::map<std::pair<std::string, std::string>, core::KnownSend> keys;
    core::Seq last_entry = 0;
  };
  struct Waiting {
    core::Batch batch;
    Callback<core::Applied> done;
  };

  Account& account(const std::string& name);
  std::size_t sync(std::size_t count);
  Result<core::Applied> apply(const core::Batch& batch);
  [[nodiscard]] const core::UpdateEntry* stale(const core::Batch& batch) const;
  void apply(const core::AppendFrame& append, core::Applied& applied);
  void apply(const core::CountEphemeral& count);
  void apply(const core::TrimFrames& trim);
  void apply(const core::PutCursor& cursor);
  void apply(const core::AddSend& send, core::Applied& applied);
  void apply(const core::UpdateEntry& update);

  [[nodiscard]] FramePage frames_of(const FrameQuery& query) const;
  [[nodiscard]] std::vector<core::Entry> entries_of(const EntryQuery& query) const;

  const std::uint64_t epoch_;
  Synced synced_;
  std::deque<Waiting> waiting_;
  std::deque<std::function<void()>> reads_;
  std::deque<Error> failures_;  ///< of the next group commits
  bool full_ = false;
  std::uint64_t commits_ = 0;
  std::string problem_;
};

}  // namespace holdfast::store
