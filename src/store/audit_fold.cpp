#include <fmt/format.h>

#include <store/audit_fold.hpp>

namespace holdfast::store {
namespace {

std::string range(core::Seq first, core::Seq last) {
  return first == last ? fmt::format("{} is", first) : fmt::format("{} to {} are", first, last);
}

const char* name_of(const std::optional<core::EntryState>& state) {
  return state ? core::to_string(*state) : "nothing";
}

}  // namespace

void AuditFold::problem(std::string sentence) {
  if (report_.problems.size() < problems_max) {
    report_.problems.push_back(std::move(sentence));
  } else {
    ++more_problems_;
  }
}

// --- Inbound ------------------------------------------------------------------------------------

void AuditFold::account(Account account) {
  end_account();
  in_account_ = true;
  account_ = std::move(account);
  next_frame_ = account_.trimmed_up_to + 1;
  frames_ = 0;
}

void AuditFold::frame(core::Seq seq) {
  ++frames_;
  if (seq < next_frame_) {
    problem(fmt::format("{}: frame {} is there though trimmed", account_.name, seq));
    return;
  }
  if (seq > next_frame_) {
    problem(fmt::format("{}: frame {} missing", account_.name, range(next_frame_, seq - 1)));
  }
  next_frame_ = seq + 1;
}

void AuditFold::end_account() {
  if (!in_account_) return;
  in_account_ = false;
  const Account& a = account_;
  if (next_frame_ <= a.last_seq) {
    problem(fmt::format("{}: frame {} missing", a.name, range(next_frame_, a.last_seq)));
  } else if (next_frame_ > a.last_seq + 1) {
    problem(fmt::format("{}: frame {} is there, but the last one given is {}", a.name,
                        next_frame_ - 1, a.last_seq));
  }
  const std::uint64_t stored = frames_ + a.trimmed_up_to;
  if (a.received != stored + a.duplicates + a.ephemeral) {
    problem(fmt::format("{}: received {} is not stored {} + duplicate {} + ephemeral {}", a.name,
                        a.received, stored, a.duplicates, a.ephemeral));
  }
  report_.inbound.push_back({.account = a.name,
                             .received = a.received,
                             .stored = stored,
                             .duplicate = a.duplicates,
                             .ephemeral = a.ephemeral,
                             .trimmed = a.trimmed_up_to,
                             .first_seq = a.trimmed_up_to + 1,
                             .last_seq = a.last_seq});
}

// --- Outbound -----------------------------------------------------------------------------------

void AuditFold::outbox(std::uint64_t accepted) {
  end_account();
  accepted_ = accepted;
}

void AuditFold::entry(core::Seq seq, core::EntryState state) {
  end_entry();
  if (seq > next_entry_) problem(fmt::format("entry {} missing", range(next_entry_, seq - 1)));
  next_entry_ = seq + 1;
  entry_ = seq;
  entry_state_ = state;
  ledger_state_.reset();
  const auto index = static_cast<std::size_t>(state);
  if (index < by_state_.size()) {
    ++by_state_[index];
  } else {
    problem(fmt::format("entry {} is in state {}, which does not exist", seq, index));
  }
}

void AuditFold::ledger(const core::LedgerRow& row) {
  if (row.entry != entry_) {
    problem(fmt::format("the ledger tells of entry {}, which is not there", row.entry));
    return;
  }
  if (row.from != ledger_state_) {
    problem(fmt::format("entry {}: the ledger goes on from {}, though it had arrived at {}",
                        row.entry, name_of(row.from), name_of(ledger_state_)));
  } else if (row.from ? !core::is_legal(*row.from, row.to) : row.to != core::EntryState::queued) {
    problem(fmt::format("entry {}: the ledger has {} after {}, which cannot be", row.entry,
                        core::to_string(row.to), name_of(row.from)));
  }
  ledger_state_ = row.to;
}

void AuditFold::end_entry() {
  if (entry_ != 0 && ledger_state_ != entry_state_) {
    problem(fmt::format("entry {} is {}, but its ledger ends at {}", entry_,
                        core::to_string(entry_state_), name_of(ledger_state_)));
  }
  entry_ = 0;
}

AuditReport AuditFold::finish() {
  end_account();
  end_entry();
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < by_state_.size(); ++i) {
    report_.entries.emplace_back(static_cast<core::EntryState>(i), by_state_[i]);
    sum += by_state_[i];
  }
  report_.accepted = accepted_;
  if (next_entry_ <= accepted_) {
    problem(fmt::format("entry {} missing", range(next_entry_, accepted_)));
  }
  if (sum != accepted_) {
    problem(fmt::format("accepted {} is not the {} entries in all states", accepted_, sum));
  }
  if (more_problems_ > 0) {
    report_.problems.push_back(fmt::format("… and {} more problems", more_problems_));
  }
  return std::move(report_);
}

}  // namespace holdfast::store
