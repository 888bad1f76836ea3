/// The durable store: one interface without SQL in it.
///
/// Owner: the deciding thread. Every call returns at once; work is done on the store's own threads,
/// and completions run through the `Executor` given at construction, on the deciding thread.
#pragma once

#include <core/records.hpp>
#include <functional>
#include <holdfast/result.hpp>
#include <string>
#include <vector>

namespace holdfast::store {

/// Runs a function on the deciding thread; safe to call from any thread.
using Executor = std::function<void(std::function<void()>)>;

/// Which frames to read: of `account`, after `after`, oldest first.
struct FrameQuery {
  std::string account;
  core::Seq after = 0;
  std::size_t count_max = 256;
  std::size_t bytes_max = 1 << 20;  ///< at least one frame is returned whatever its size
  bool with_malformed = false;      ///< frames that could not be parsed are left out otherwise
};

struct FramePage {
  std::vector<core::Frame> frames;
  core::Seq read_up_to = 0;  ///< everything up to here was looked at (malformed ones were skipped)
};

/// Which entries to list, newest first.
struct EntryQuery {
  std::string account{};                    ///< empty: all
  std::optional<core::EntryState> state{};  ///< nothing: all
  core::Seq before = UINT64_MAX;            ///< page on from here
  std::size_t count_max = 100;
};

/// One entry, its body and the ledger's rows about it.
struct EntryDetail {
  core::Entry entry;
  std::vector<core::LedgerRow> history;
};

/// What the status says about the store.
struct StoreStatus {
  bool writable = true;
  std::string problem;            ///< one sentence while not writable
  std::string check = "not run";  ///< "running", "ok", or what quick_check found
  std::uint64_t bytes = 0;        ///< of the files
  std::uint64_t disk_free_bytes = 0;
  double commit_ms_p50 = 0, commit_ms_p99 = 0;  ///< of the last 1,024 commits
  std::uint64_t commits = 0;
};

/// Sums that `audit` compares (G3). Counted from the rows, not from counters, where rows exist.
struct AuditReport {
  struct Inbound {
    std::string account;
    std::uint64_t received = 0;
    std::uint64_t stored = 0;  ///< ever: rows that are there and those trimmed since
    std::uint64_t duplicate = 0, ephemeral = 0;
    std::uint64_t trimmed = 0;  ///< of `stored`
    core::Seq first_seq = 1;    ///< the oldest that is still there
    core::Seq last_seq = 0;
  };
  std::vector<Inbound> inbound;
  std::uint64_t accepted = 0;  ///< sequences ever given to entries
  std::vector<std::pair<core::EntryState, std::uint64_t>> entries;  ///< rows by state
  std::vector<std::string> problems;  ///< empty: everything is conserved
};

template <typename T>
using Callback = std::function<void(Result<T>)>;

class Store {
 public:
  virtual ~Store() = default;

  /// What a start needs. Called once, before anything else; blocks (nothing decides yet).
  virtual Result<core::Recovered> recover() = 0;

  /// Makes a batch durable. `done` runs after fsync returned, in order of submission; an error
  /// means that nothing of the batch was applied. Many batches share one fsync (group commit).
  virtual void commit(core::Batch batch, Callback<core::Applied> done) = 0;

  virtual void read_frames(FrameQuery query, Callback<FramePage> done) = 0;
  virtual void read_body(core::Seq first_seq, Callback<std::string> done) = 0;
  virtual void read_entries(EntryQuery query, Callback<std::vector<core::Entry>> done) = 0;
  /// All parts of the send that starts at `first_seq`. `not_found` if there is none.
  virtual void read_send(core::Seq first_seq, Callback<std::vector<EntryDetail>> done) = 0;

  [[nodiscard]] virtual StoreStatus status() const = 0;
};

}  // namespace holdfast::store
