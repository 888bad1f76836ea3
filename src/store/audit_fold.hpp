/// The sums of G3, from independent records, one row at a time in constant memory.
#pragma once

#include <store/store.hpp>
#include <string>

namespace holdfast::store {

/// Feed each account followed by its frames in order, then each entry (in order) followed by its
/// ledger rows in order, then `finish()`.
class AuditFold {
 public:
  /// Problems that are told one by one; the rest are counted.
  static constexpr std::size_t problems_max = 100;

  struct Account {
    std::string name;
    std::uint64_t received = 0, duplicates = 0, ephemeral = 0;
    core::Seq trimmed_up_to = 0, last_seq = 0;
  };

  void account(Account account);
  void frame(core::Seq seq);
  /// `accepted`: sequences ever given to entries.
  void outbox(std::uint64_t accepted);
  void entry(core::Seq seq, core::EntryState state);
  void ledger(const core::LedgerRow& row);
  /// A sentence that some other comparison found.
  void problem(std::string sentence);

  AuditReport finish();

 private:
  void end_account();
  void end_entry();

  AuditReport report_;
  std::uint64_t more_problems_ = 0;

  bool in_account_ = false;
  Account account_;
  core::Seq next_frame_ = 1;
  std::uint64_t frames_ = 0;

  std::uint64_t accepted_ = 0;
  core::Seq next_entry_ = 1;
  core::Seq entry_ = 0;  ///< 0: none yet
  core::EntryState entry_state_{};
  std::optional<core::EntryState> ledger_state_;
  std::array<std::uint64_t, 8> by_state_{};
};

}  // namespace holdfast::store
