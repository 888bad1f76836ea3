/// What must hold in every run, watched from outside: the checkers see what enters and leaves the
/// gateway and what the disk confirmed, and share no code with what they check.
#pragma once

#include <core/effects.hpp>
#include <core/outcome.hpp>
#include <map>
#include <set>
#include <store/memory_store.hpp>
#include <string>
#include <vector>

namespace holdfast::sim {

/// Collects what was found wrong; a run without a finding is a good one.
class Findings {
 public:
  void add(std::string finding) { all_.push_back(std::move(finding)); }
  [[nodiscard]] const std::vector<std::string>& all() const noexcept { return all_; }

 private:
  std::vector<std::string> all_;
};

/// G1 and G4, inbound: a client sees only what is durable, in order, nothing left out.
class InboundChecker {
 public:
  explicit InboundChecker(Findings& findings) : findings_{findings} {}
  /// The bridge handed a frame over; `text` is unique for each message.
  void arrived(const std::string& text);
  void durable(const std::string& text, core::Seq seq);
  void crashed();  ///< what was not durable never arrived; clients are gone
  void attached(core::ClientId client);
  void delivered(core::ClientId client, const core::Frame& frame);
  void detached(core::ClientId client);
  void acknowledged(core::ClientId client, core::Seq seq);
  /// At the end: everything durable was delivered and acknowledged.
  void settled(core::Seq cursor);

  [[nodiscard]] core::Seq last() const noexcept { return texts_.size(); }

 private:
  Findings& findings_;
  std::vector<std::string> order_;  ///< as they arrived in this life of the process
  std::size_t order_checked_ = 0;
  std::vector<std::string> texts_;  ///< durable, by sequence
  std::set<std::string> known_;
  std::map<core::ClientId, core::Seq> given_;  ///< the last each attached client was given
  std::set<core::Seq> seen_;                   ///< delivered to anybody
  core::Seq acknowledged_ = 0;
};

/// G1, G4 and G6, outbound: accepted and `sending` are durable first, a conversation keeps its
/// order, and a repeat is marked and the only one.
class OutboundChecker {
 public:
  explicit OutboundChecker(Findings& findings) : findings_{findings} {}
  void durable(const core::Change& change, const core::Applied& applied);
  void answered(const core::Answer& answer);
  void transmitted(const core::Entry& entry);
  /// Signal's side: the message reached its recipient.
  void reached(const core::Entry& entry);
  /// At the end: nothing is pending but what a person must decide.
  void settled();

  [[nodiscard]] const std::map<core::Seq, core::Entry>& entries() const noexcept {
    return entries_;
  }

 private:
  Findings& findings_;
  std::map<core::Seq, core::Entry> entries_;  ///< as the disk has them
  std::map<std::string, core::Seq> last_reached_;
  std::map<core::Seq, int> reached_;
};

/// The state machine is obeyed, every transition explained, and attempts are not too early.
class LinkChecker {
 public:
  explicit LinkChecker(Findings& findings) : findings_{findings} {}
  void moved(const core::Transition& transition, core::Now now);
  void dialed(core::Now now);
  void asked();  ///< a hint or a person shortened the wait
  void restarted();

 private:
  Findings& findings_;
  ConnectionState state_ = ConnectionState::disconnected;
  std::int64_t due_ms_ = 0;
  std::uint32_t attempts_ = 0;
};

/// G3: the store's independent records agree.
void check_conservation(const store::AuditReport& report, Findings& findings);

}  // namespace holdfast::sim
