#include "checkers.hpp"

#include <algorithm>

namespace holdfast::sim {

// --- Inbound ------------------------------------------------------------------------------------

void InboundChecker::arrived(const std::string& text) { order_.push_back(text); }

void InboundChecker::durable(const std::string& text, core::Seq seq) {
  if (!known_.insert(text).second) findings_.add("G5: stored twice: " + text);
  texts_.push_back(text);
  if (seq != texts_.size())
    findings_.add("G3: sequence " + std::to_string(seq) + " where " +
                  std::to_string(texts_.size()) + " was next");
  // Order of arrival: among what arrived in this life, nothing is stored before an earlier one.
  const auto from = order_.begin() + static_cast<std::ptrdiff_t>(order_checked_);
  const auto found = std::find(from, order_.end(), text);
  if (found == order_.end())
    findings_.add("G4: stored out of the order of arrival: " + text);
  else
    order_checked_ = static_cast<std::size_t>(found - order_.begin()) + 1;
}

void InboundChecker::crashed() {
  order_.clear();
  order_checked_ = 0;
  given_.clear();
}

void InboundChecker::attached(core::ClientId client) { given_[client] = 0; }
void InboundChecker::detached(core::ClientId client) { given_.erase(client); }

void InboundChecker::delivered(core::ClientId client, const core::Frame& frame) {
  if (frame.seq == 0) return;
  if (frame.seq > texts_.size() || texts_[frame.seq - 1] != *frame.bytes)
    findings_.add("G1: delivered and not durable: " + *frame.bytes);
  core::Seq& last = given_[client];
  const core::Seq expected = last == 0 ? frame.seq : last + 1;
  if (frame.seq != expected)
    findings_.add("G4: client was given " + std::to_string(frame.seq) + " after " +
                  std::to_string(last));
  if (last == 0 && frame.seq > acknowledged_ + 1)
    findings_.add("G5: a new client begins at " + std::to_string(frame.seq) + ", but only " +
                  std::to_string(acknowledged_) + " was acknowledged");
  last = frame.seq;
  seen_.insert(frame.seq);
}

void InboundChecker::acknowledged(core::ClientId, core::Seq seq) {
  acknowledged_ = std::max(acknowledged_, seq);
}

void InboundChecker::settled(core::Seq cursor) {
  if (seen_.size() != texts_.size())
    findings_.add("G2: " + std::to_string(texts_.size() - seen_.size()) +
                  " durable frames were never delivered");
  if (cursor != texts_.size())
    findings_.add("G5: the cursor stands at " + std::to_string(cursor) + " of " +
                  std::to_string(texts_.size()));
}

// --- Outbound -----------------------------------------------------------------------------------

void OutboundChecker::durable(const core::Change& change, const core::Applied& applied) {
  if (const auto* send = std::get_if<core::AddSend>(&change)) {
    if (applied.known) return;
    for (std::size_t i = 0; i < send->entries.size(); ++i) {
      core::Entry entry = send->entries[i];
      entry.seq = applied.first_entry_seq + i;
      entry.first_seq = applied.first_entry_seq;
      entries_[entry.seq] = entry;
    }
  } else if (const auto* update = std::get_if<core::UpdateEntry>(&change)) {
    core::Entry& entry = entries_[update->entry.seq];
    if (entry.state != update->from)
      findings_.add("G3: entry " + std::to_string(entry.seq) + " left a state it was not in");
    if (core::is_terminal(entry.state))
      findings_.add("G2: entry " + std::to_string(entry.seq) + " left a terminal state");
    entry = update->entry;
  }
}

void OutboundChecker::answered(const core::Answer& answer) {
  for (const core::Entry& part : answer.parts) {
    const auto found = entries_.find(part.seq);
    if (found == entries_.end())
      findings_.add("G1: a caller was told of entry " + std::to_string(part.seq) +
                    ", which is not durable");
    else if (answer.kind == core::Answer::Kind::settled && found->second.state != part.state)
      findings_.add("G1: a caller was told of an outcome that is not durable");
  }
}

void OutboundChecker::transmitted(const core::Entry& entry) {
  const auto found = entries_.find(entry.seq);
  if (found == entries_.end() || found->second.state != core::EntryState::sending) {
    findings_.add("G1: entry " + std::to_string(entry.seq) +
                  " is transmitted, not durably sending");
    return;
  }
  for (const auto& [seq, other] : entries_) {
    if (seq >= entry.seq) break;
    if (other.recipient == entry.recipient && !core::is_terminal(other.state) &&
        other.state != core::EntryState::held)
      findings_.add("G4: entry " + std::to_string(entry.seq) + " overtakes " + std::to_string(seq));
  }
}

void OutboundChecker::reached(const core::Entry& entry) {
  const int times = ++reached_[entry.seq];
  if (times > 2) findings_.add("G6: entry " + std::to_string(entry.seq) + " was sent three times");
  if (times == 2 && !entry.possible_duplicate)
    findings_.add("G6: entry " + std::to_string(entry.seq) + " was repeated without a mark");
  core::Seq& last = last_reached_[entry.recipient];
  if (times == 1 && entry.seq < last)
    findings_.add("G4: entry " + std::to_string(entry.seq) + " reached its recipient after " +
                  std::to_string(last));
  last = std::max(last, entry.seq);
}

void OutboundChecker::settled() {
  for (const auto& [seq, entry] : entries_) {
    if (!core::is_terminal(entry.state) && entry.state != core::EntryState::held)
      findings_.add("G2: entry " + std::to_string(seq) + " is still " +
                    core::to_string(entry.state));
    if (entry.state == core::EntryState::sent && reached_[seq] == 0)
      findings_.add("G2: entry " + std::to_string(seq) + " is called sent, but reached nobody");
  }
}

// --- Link ---------------------------------------------------------------------------------------

void LinkChecker::moved(const core::Transition& transition, core::Now now) {
  using enum ConnectionState;
  static const std::set<std::pair<ConnectionState, ConnectionState>> valid{
      {connected, disconnected},    {disconnected, reconnecting}, {reconnecting, connected},
      {reconnecting, disconnected}, {connected, syncing},         {syncing, connected},
      {syncing, disconnected}};
  if (transition.from != state_)
    findings_.add("G8: a transition from a state that was not the present one");
  if (!valid.contains({transition.from, transition.to})) findings_.add("G8: an invalid transition");
  if (transition.evidence.empty()) findings_.add("G8: a transition without evidence");
  state_ = transition.to;
  if (state_ != reconnecting) {
    if (state_ == connected) attempts_ = 0;
    return;
  }
  ++attempts_;
  if (transition.attempt_count != attempts_) findings_.add("G8: a wrong attempt count");
  if (transition.actual_delay > core::Duration{600'000}) findings_.add("G10: a wait above 10 min");
  due_ms_ = now.wall_ms + transition.actual_delay.count();
}

void LinkChecker::dialed(core::Now now) {
  if (now.wall_ms < due_ms_) findings_.add("an attempt earlier than the policy allows");
}

void LinkChecker::asked() { due_ms_ = 0; }

void LinkChecker::restarted() {
  state_ = ConnectionState::disconnected;
  attempts_ = 0;
  due_ms_ = 0;
}

void check_conservation(const store::AuditReport& report, Findings& findings) {
  for (const std::string& problem : report.problems) findings.add("G3: " + problem);
}

}  // namespace holdfast::sim
