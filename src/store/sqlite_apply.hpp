/// Applies batches on the writer's connection. Nothing here knows of threads, groups or fsync.
#pragma once

#include <core/records.hpp>
#include <store/sqlite_db.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace holdfast::store {

/// Carries out changes inside a transaction that its owner opens and commits. After any failure
/// the transaction must be rolled back and the applier thrown away: its counters are ahead.
class Applier {
 public:
  /// Prepares the statements and loads the counters. Failures are in `db`.
  explicit Applier(Db& db);

  /// Applies `batch`. An error without `Db::failed()` is the batch's own fault (`conflict`).
  Result<core::Applied> apply(const core::Batch& batch);

  /// Writes the counters that changed; to be called once before COMMIT.
  void flush();

 private:
  struct Account {
    std::int64_t number = 0;
    core::Seq last_seq = 0;
    std::uint64_t received = 0, duplicates = 0, ephemeral = 0;
    core::Seq trimmed_up_to = 0;
    bool changed = false;
  };

  void load();
  Account& account(const std::string& name);
  /// The account, whose counters are about to change.
  Account& touch(const std::string& name);
  std::optional<core::KnownSend> known(const core::AddSend& send);

  void apply(const core::AppendFrame& append, core::Applied& applied);
  void apply(const core::CountEphemeral& count);
  void apply(const core::TrimFrames& trim);
  void apply(const core::PutCursor& cursor);
  void apply(const core::AddSend& send, core::Applied& applied);
  /// False: the entry was not in the state that the update starts from.
  bool apply(const core::UpdateEntry& update);
  void forget_identities(std::int64_t number, std::int64_t trimmed_before_ms);

  Db& db_;
  std::unordered_map<std::string, Account> accounts_;
  std::vector<Account*> touched_;
  std::int64_t last_account_ = 0;
  core::Seq last_entry_ = 0;
  bool last_entry_changed_ = false;

  Statement add_account_, put_account_, put_last_entry_;
  Statement add_identity_, add_frame_;
  Statement keep_identities_, erase_frames_, forget_identities_, forget_trimmed_;
  Statement put_cursor_;
  Statement find_key_, add_key_, add_entry_, add_body_, add_ledger_, update_entry_;
  Statement probe_;
};

}  // namespace holdfast::store
