#include <algorithm>
#include <core/assert.hpp>
#include <core/outbox.hpp>
#include <holdfast/reconnection_manager.hpp>
#include <utility>

namespace holdfast::core {
namespace {

constexpr Duration commit_retry_after{1'000};
constexpr Duration undeclared_limit_min{60'000};
constexpr Duration undeclared_limit_max{3'600'000};

constexpr std::size_t index(EntryState state) { return static_cast<std::size_t>(state); }

bool is_group(const Entry& entry) { return entry.recipient.starts_with("group."); }

}  // namespace

Outbox::Outbox(OutboxOptions options, std::size_t links, Rng& rng, Effects& effects,
               Commits& commits)
    : options_{std::move(options)}, rng_{rng}, effects_{effects}, commits_{commits} {
  lanes_.reserve(links);
  for (std::size_t i = 0; i < links; ++i) lanes_.emplace_back(options_.pacing);
}

// --- Accepting ----------------------------------------------------------------------------------

void Outbox::recover(LinkId link, std::vector<Entry> pending, Now now) {
  Lane& lane = lanes_.at(link);
  for (Entry& entry : pending) {
    lane.last_provisional = std::max(lane.last_provisional, entry.provisional_timestamp);
    const Seq seq = entry.seq;
    bytes_ += entry.body_bytes;
    adopt(link, std::move(entry), now);
    Live& live = live_.at(seq);
    if (live.entry.state == EntryState::sending)
      change(live, EntryState::unknown, "Holdfast stopped while it was being sent", now);
  }
}

void Outbox::submit(Submission submission, Now now) {
  HF_ASSERT(!submission.recipients.empty());
  const auto refuse = [&](Error error) {
    effects_.push_back(Answer{
        .submission = submission.id, .kind = Answer::Kind::refused, .error = std::move(error)});
  };
  const std::size_t parts = submission.recipients.size();
  if (stopped_) return refuse({Errc::unavailable, "Holdfast is stopping"});
  if (live_.size() + accepting_ + parts > options_.pending_max)
    return refuse({Errc::queue_full,
                   "the outbox holds " + std::to_string(live_.size() + accepting_) +
                       " sends that wait; its bound is " + std::to_string(options_.pending_max)});
  const std::uint64_t bytes = submission.body.size() * parts;
  if (bytes_ + bytes > options_.pending_bytes_max)
    return refuse({Errc::queue_full, "the outbox holds " + std::to_string(bytes_) +
                                         " bytes that wait; its bound is " +
                                         std::to_string(options_.pending_bytes_max)});

  Lane& lane = lanes_.at(submission.link);
  lane.last_provisional = std::max(now.wall_ms, lane.last_provisional + 1);
  Entry entry;
  entry.parts = static_cast<std::uint32_t>(parts);
  entry.account = submission.account;
  entry.operation = submission.operation;
  entry.created_at_ms = now.wall_ms;
  entry.expires_at_ms = now.wall_ms + submission.expires_in.value_or(options_.expires_in).count();
  entry.provisional_timestamp = lane.last_provisional;
  entry.body_bytes = submission.body.size();
  std::vector<Entry> entries(parts, entry);
  for (std::size_t i = 0; i < parts; ++i) entries[i].recipient = submission.recipients[i];

  accepting_ += parts;
  bytes_ += bytes;
  Batch batch = batch_of(AddSend{entries, std::move(submission.body), submission.key});
  const LinkId link = submission.link;
  commits_.submit(link, std::move(batch),
                  [this, submission = std::move(submission), entries = std::move(entries)](
                      const Result<Applied>& result, Now then) mutable {
                    accepted(submission, std::move(entries), result, then);
                  });
}

void Outbox::accepted(const Submission& submission, std::vector<Entry> entries,
                      const Result<Applied>& result, Now now) {
  accepting_ -= entries.size();
  const auto give_back = [&] { bytes_ -= entries.front().body_bytes * entries.size(); };
  Answer answer{.submission = submission.id, .kind = Answer::Kind::refused};
  if (!result) {
    give_back();
    answer.error = result.error();
    effects_.push_back(std::move(answer));
    return;
  }
  const TimePoint until = now.steady + submission.wait;
  if (result->known) {
    give_back();
    const Seq first = result->known->first_seq;
    if (!submission.key || result->known->body_hash != submission.key->body_hash) {
      answer.error = Error{Errc::conflict,
                           "this Idempotency-Key was used before with another request; a new "
                           "message needs a new key"};
      effects_.push_back(std::move(answer));
      return;
    }
    std::vector<Entry> parts;
    for (auto it = live_.lower_bound(first); it != live_.end(); ++it) {
      if (it->second.entry.first_seq != first) break;
      parts.push_back(it->second.entry);
    }
    const bool all_pending = !parts.empty() && parts.size() == parts.front().parts;
    if (all_pending && submission.wait > Duration::zero() && lanes_.at(submission.link).ready) {
      watch(first, std::move(parts), submission.id, until);
      return;
    }
    answer.kind = all_pending ? Answer::Kind::pending : Answer::Kind::known;
    answer.first_seq = first;
    answer.parts = std::move(parts);
    effects_.push_back(std::move(answer));
    return;
  }

  const Seq first = result->first_entry_seq;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    entries[i].seq = first + i;
    entries[i].first_seq = first;
    effects_.push_back(EntryChanged{entries[i], std::nullopt, "accepted"});
    adopt(submission.link, entries[i], now);
  }
  if (submission.wait > Duration::zero() && goes_at_once(submission, first, now)) {
    watch(first, std::move(entries), submission.id, until);
  } else {
    answer.kind = Answer::Kind::pending;
    answer.first_seq = first;
    answer.parts = std::move(entries);
    effects_.push_back(std::move(answer));
  }
  pump(submission.link, now);
}

/// Whether the outcome can be known within the caller's wait.
bool Outbox::goes_at_once(const Submission& submission, Seq first, Now now) const {
  const Lane& lane = lanes_.at(submission.link);
  if (!lane.ready || lane.limiter.account_wait(now.steady) > submission.wait) return false;
  for (std::size_t i = 0; i < submission.recipients.size(); ++i) {
    const std::string& recipient = submission.recipients[i];
    if (lane.lines.find(recipient)->second.front() < first) return false;
    if (lane.limiter.wait(recipient, now.steady) > submission.wait) return false;
  }
  return true;
}

void Outbox::watch(Seq first, std::vector<Entry> parts, SubmissionId submission, TimePoint until) {
  Watched& watched = watched_[first];
  if (watched.callers.empty()) watched.parts = std::move(parts);
  watched.callers.push_back(submission);
  patience_.emplace(until, submission);
  callers_.emplace(submission, std::pair{first, until});
}

void Outbox::forget(SubmissionId submission) {
  const auto caller = callers_.find(submission);
  if (caller == callers_.end()) return;
  const auto [first, until] = caller->second;
  patience_.erase({until, submission});
  callers_.erase(caller);
  Watched& watched = watched_.at(first);
  std::erase(watched.callers, submission);
  if (watched.callers.empty()) watched_.erase(first);
}

/// Those who wait for the entry's send will be told of it as it is now; null if nobody waits.
Outbox::Watched* Outbox::note(const Entry& entry) {
  const auto found = watched_.find(entry.first_seq);
  if (found == watched_.end()) return nullptr;
  found->second.parts.at(entry.seq - entry.first_seq) = entry;
  return &found->second;
}

bool Outbox::nobody_waits_until(const Watched& watched, TimePoint at) const {
  return std::ranges::all_of(watched.callers, [&](SubmissionId submission) {
    return callers_.at(submission).second < at;
  });
}

/// Answers everybody who waits for a send.
void Outbox::answer(Seq first, Answer::Kind kind) {
  const auto found = watched_.find(first);
  if (found == watched_.end()) return;
  const Watched watched = std::move(found->second);
  watched_.erase(found);
  for (const SubmissionId submission : watched.callers) {
    const auto caller = callers_.find(submission);
    patience_.erase({caller->second.second, submission});
    callers_.erase(caller);
    effects_.push_back(Answer{.submission = submission,
                              .kind = kind,
                              .first_seq = first,
                              .parts = watched.parts,
                              .status = watched.status,
                              .error = std::nullopt});
  }
}

// --- Lines and heads ----------------------------------------------------------------------------

void Outbox::adopt(LinkId link, Entry entry, Now now) {
  Lane& lane = lanes_.at(link);
  const Seq seq = entry.seq;
  Live live{.link = link, .entry = std::move(entry)};
  live.ready_at = now.steady;
  live.expires_at = now.steady + Duration{live.entry.expires_at_ms - now.wall_ms};
  expiries_.emplace(live.expires_at, seq);
  const auto [it, fresh] = live_.emplace(seq, std::move(live));
  HF_ASSERT(fresh);
  const Entry& adopted = it->second.entry;
  ++lane.count[index(adopted.state)];
  lane.bytes += adopted.body_bytes;
  if (adopted.state == EntryState::unknown) become_unknown(lane, it->second, now);
  if (adopted.state == EntryState::held) return;
  lane.lines[adopted.recipient].push_back(seq);
  offer_head(lane, adopted.recipient);
}

/// The front of a conversation may go if it is queued and nothing about it is being written.
void Outbox::offer_head(Lane& lane, const std::string& recipient) {
  const auto line = lane.lines.find(recipient);
  if (line == lane.lines.end()) return;
  Live& head = live_.at(line->second.front());
  if (head.offered || head.busy || head.entry.state != EntryState::queued) return;
  head.offered = true;
  lane.heads.emplace(head.ready_at, head.entry.seq);
}

void Outbox::withdraw(Lane& lane, Live& live) {
  if (live.offered) lane.heads.erase({live.ready_at, live.entry.seq});
  live.offered = false;
}

void Outbox::leave_line(Lane& lane, Live& live) {
  withdraw(lane, live);
  const auto line = lane.lines.find(live.entry.recipient);
  if (line == lane.lines.end()) return;
  std::erase(line->second, live.entry.seq);
  if (line->second.empty())
    lane.lines.erase(line);
  else
    offer_head(lane, live.entry.recipient);
}

void Outbox::pump(LinkId link, Now now) {
  Lane& lane = lanes_.at(link);
  lane.wake.reset();
  if (!lane.may_send || stopped_) return;
  while (!lane.heads.empty() && lane.in_flight < options_.in_flight_max) {
    const auto [ready_at, seq] = *lane.heads.begin();
    const TimePoint account_at = now.steady + lane.limiter.account_wait(now.steady);
    if (ready_at > now.steady || account_at > now.steady) {
      lane.wake = std::max(ready_at, account_at);
      return;
    }
    Live& live = live_.at(seq);
    withdraw(lane, live);
    if (const Duration wait = lane.limiter.wait(live.entry.recipient, now.steady);
        wait > Duration::zero()) {
      live.ready_at = now.steady + wait;
      offer_head(lane, live.entry.recipient);
      continue;
    }
    const bool acquired = lane.limiter.try_acquire(live.entry.recipient, now.steady);
    HF_ASSERT(acquired);
    dispatch(live, now);
  }
}

/// `sending` is durable before the first byte is written (G1).
void Outbox::dispatch(Live& live, Now now) {
  const Seq seq = live.entry.seq;
  Entry next = live.entry;
  next.state = EntryState::sending;
  ++next.attempts;
  live.busy = true;
  ++lanes_[live.link].in_flight;
  Batch batch = batch_of(UpdateEntry{next, EntryState::queued, now.wall_ms, ""});
  commits_.submit(live.link, std::move(batch),
                  [this, seq, next](const Result<Applied>& result, Now then) {
                    Live& entry = live_.at(seq);
                    Lane& lane = lanes_[entry.link];
                    entry.busy = false;
                    if (!result) {
                      --lane.in_flight;
                      entry.ready_at = then.steady + commit_retry_after;
                      offer_head(lane, entry.entry.recipient);
                      pump(entry.link, then);
                      return;
                    }
                    entry.entry = next;
                    recount(lane, next, EntryState::queued);
                    note(next);
                    effects_.push_back(EntryChanged{next, EntryState::queued, ""});
                    if (stopped_) {
                      --lane.in_flight;
                      change(entry, EntryState::queued,
                             "Holdfast stopped before the first byte was written", then);
                      return;
                    }
                    effects_.push_back(Transmit{entry.link, next});
                  });
}

// --- Outcomes -----------------------------------------------------------------------------------

void Outbox::outcome(Seq seq, const SendOutcome& outcome, Now now) {
  const auto found = live_.find(seq);
  if (found == live_.end()) return;
  Live& live = found->second;
  if (live.entry.state != EntryState::sending || live.busy) return;
  Lane& lane = lanes_[live.link];
  --lane.in_flight;
  live.entry.error = outcome.kind == SendOutcome::Kind::sent ? "" : outcome.why;
  switch (outcome.kind) {
    case SendOutcome::Kind::sent:
      live.entry.timestamp = outcome.timestamp;
      lane.undeclared_limits = 0;
      lane.challenge_token.clear();
      lane.frozen_until_ms = 0;
      change(live, EntryState::sent, outcome.why, now);
      break;
    case SendOutcome::Kind::failed:
      live.status = outcome.status;
      change(live, EntryState::failed, outcome.why, now);
      break;
    case SendOutcome::Kind::not_sent:
      ++live.failures;
      live.ready_at =
          now.steady + jitter_.apply(ReconnectionManager::nominal_backoff(live.failures), rng_);
      change(live, EntryState::queued, outcome.why, now);
      break;
    case SendOutcome::Kind::rate_limited:
      rate_limited(live, outcome, now);
      break;
    case SendOutcome::Kind::ambiguous:
      change(live, EntryState::unknown, outcome.why, now);
      break;
  }
  pump(live.link, now);
}

/// Signal asks us to wait: the right scope is frozen until the declared time, or for a pause that
/// doubles from 60 s to 1 h where none is declared. Probing early may prolong it.
void Outbox::rate_limited(Live& live, const SendOutcome& outcome, Now now) {
  Lane& lane = lanes_[live.link];
  Duration pause;
  if (outcome.retry_after && *outcome.retry_after > Duration::zero()) {
    pause = *outcome.retry_after;
  } else {
    pause = undeclared_limit_min * (1u << std::min(lane.undeclared_limits, 6u));
    pause = std::min(pause, undeclared_limit_max);
    ++lane.undeclared_limits;
  }
  const TimePoint until = now.steady + pause;
  if (outcome.scope == SendOutcome::Scope::account || !outcome.challenge_token.empty()) {
    lane.limiter.freeze_account(until);
    lane.frozen_until_ms = now.wall_ms + pause.count();
    lane.challenge_token = outcome.challenge_token;
  } else {
    lane.limiter.freeze_recipient(live.entry.recipient, until);
  }
  live.ready_at = until;
  // A group's limit does not prove that nobody got it.
  change(live, is_group(live.entry) ? EntryState::unknown : EntryState::queued, outcome.why, now);
}

void Outbox::change(Live& live, EntryState to, std::string why, Now now) {
  HF_ASSERT(is_legal(live.entry.state, to));
  HF_ASSERT(!live.busy);
  withdraw(lanes_[live.link], live);
  live.busy = true;
  Wanted wanted{live.entry, std::move(why)};
  wanted.entry.state = to;
  if (to == EntryState::queued && live.entry.state == EntryState::unknown)
    wanted.entry.possible_duplicate = true;
  write(live.entry.seq, std::move(wanted), now);
}

void Outbox::write(Seq seq, Wanted wanted, Now now) {
  const EntryState from = live_.at(seq).entry.state;
  const LinkId link = live_.at(seq).link;
  Batch batch = batch_of(UpdateEntry{wanted.entry, from, now.wall_ms, wanted.why});
  commits_.submit(
      link, std::move(batch),
      [this, seq, from, wanted = std::move(wanted)](const Result<Applied>& result, Now then) {
        if (!result) {
          retries_.emplace(then.steady + commit_retry_after, seq);
          wanted_.insert_or_assign(seq, wanted);
          return;
        }
        Live& live = live_.at(seq);
        live.entry = wanted.entry;
        live.busy = false;
        changed(live, from, wanted.why, then);
      });
}

void Outbox::recount(Lane& lane, const Entry& entry, EntryState from) {
  --lane.count[index(from)];
  if (is_terminal(entry.state))
    lane.bytes -= entry.body_bytes;
  else
    ++lane.count[index(entry.state)];
}

void Outbox::become_unknown(Lane& lane, Live& live, Now now) {
  lane.unknown.insert(live.entry.seq);
  if (!lane.receiving) return;  // no evidence can come: the wait begins when it can
  live.settle_by = now.steady + options_.evidence_within;
  settlements_.emplace(live.settle_by, live.entry.seq);
}

/// A change is durable; `live` is gone afterwards if it was the last.
void Outbox::changed(Live& live, EntryState from, const std::string& why, Now now) {
  const Entry entry = live.entry;
  const LinkId link = live.link;
  const int status = live.status;
  Lane& lane = lanes_[link];
  recount(lane, entry, from);
  effects_.push_back(EntryChanged{entry, from, why});
  if (from == EntryState::unknown) {
    lane.unknown.erase(entry.seq);
    settlements_.erase({live.settle_by, entry.seq});
  }
  if (entry.state == EntryState::unknown) become_unknown(lane, live, now);
  if (entry.state == EntryState::queued) offer_head(lane, entry.recipient);
  if (entry.state == EntryState::held || is_terminal(entry.state)) leave_line(lane, live);
  if (is_terminal(entry.state)) {
    expiries_.erase({live.expires_at, entry.seq});
    bytes_ -= entry.body_bytes;
    live_.erase(entry.seq);
  }

  if (Watched* const watched = note(entry); watched != nullptr) {
    if (status != 0) watched->status = status;
    const bool settled = std::ranges::all_of(
        watched->parts, [](const Entry& part) { return is_terminal(part.state); });
    if (settled)
      answer(entry.first_seq, Answer::Kind::settled);
    else if (entry.state == EntryState::unknown || entry.state == EntryState::held ||
             nobody_waits_until(*watched,
                                now.steady + lane.limiter.wait(entry.recipient, now.steady)))
      answer(entry.first_seq, Answer::Kind::pending);  // the wait is known to be longer
  }
  pump(link, now);
}

// --- The link -----------------------------------------------------------------------------------

void Outbox::set_link(LinkId link, bool may_send, bool ready, bool receiving, Now now) {
  Lane& lane = lanes_.at(link);
  lane.ready = ready;
  if (receiving != lane.receiving) {
    lane.receiving = receiving;
    for (const Seq seq : lane.unknown) {
      Live& live = live_.at(seq);
      settlements_.erase({live.settle_by, seq});
      if (receiving) become_unknown(lane, live, now);
    }
  }
  if (may_send == lane.may_send) return;
  lane.may_send = may_send;
  if (may_send) {
    // What waited because the bridge was away goes now, oldest first; the limiter keeps its pauses.
    std::set<std::pair<TimePoint, Seq>> heads;
    for (const auto& [ready_at, seq] : lane.heads) {
      Live& live = live_.at(seq);
      live.failures = 0;
      live.ready_at = now.steady;
      heads.emplace(now.steady, seq);
    }
    lane.heads = std::move(heads);
  }
  pump(link, now);
}

bool Outbox::has_unknown(LinkId link) const { return !lanes_.at(link).unknown.empty(); }

// --- Time ---------------------------------------------------------------------------------------

void Outbox::tick(Now now) {
  const auto due = [&](const auto& timers) {
    return !timers.empty() && timers.begin()->first <= now.steady;
  };
  while (due(retries_)) {
    const Seq seq = retries_.begin()->second;
    retries_.erase(retries_.begin());
    auto node = wanted_.extract(seq);
    write(seq, std::move(node.mapped()), now);
  }
  while (due(settlements_)) {
    const Seq seq = settlements_.begin()->second;
    settlements_.erase(settlements_.begin());
    Live& live = live_.at(seq);
    if (live.busy) continue;
    if (live.entry.possible_duplicate)
      change(live, EntryState::held,
             "two attempts had an unknown outcome; a person decides whether it goes again", now);
    else
      change(live, EntryState::queued,
             "no evidence that it was sent came within 15 s; it goes once more", now);
  }
  while (due(expiries_)) {
    const auto [at, seq] = *expiries_.begin();
    expiries_.erase(expiries_.begin());
    Live& live = live_.at(seq);
    if (live.busy || live.entry.state == EntryState::sending) {
      live.expires_at = now.steady + commit_retry_after;  // what is under way is settled first
      expiries_.emplace(live.expires_at, seq);
    } else {
      change(live, EntryState::expired, "it could not be sent before it expired", now);
    }
  }
  while (due(patience_))
    answer(callers_.at(patience_.begin()->second).first, Answer::Kind::pending);
  for (LinkId link = 0; link < lanes_.size(); ++link)
    if (const auto& wake = lanes_[link].wake; wake && *wake <= now.steady) pump(link, now);
}

std::optional<TimePoint> Outbox::deadline() const {
  std::optional<TimePoint> first;
  const auto consider = [&](TimePoint at) { first = first ? std::min(*first, at) : at; };
  for (const auto* timers : {&retries_, &settlements_, &expiries_})
    if (!timers->empty()) consider(timers->begin()->first);
  if (!patience_.empty()) consider(patience_.begin()->first);
  for (const Lane& lane : lanes_)
    if (lane.wake) consider(*lane.wake);
  return first;
}

OutboxStatus Outbox::status(LinkId link) const {
  const Lane& lane = lanes_.at(link);
  OutboxStatus status{.queued = lane.count[index(EntryState::queued)],
                      .sending = lane.count[index(EntryState::sending)],
                      .unknown = lane.count[index(EntryState::unknown)],
                      .held = lane.count[index(EntryState::held)],
                      .bytes = lane.bytes,
                      .frozen_until_ms = lane.frozen_until_ms,
                      .challenge_token = lane.challenge_token};
  const auto oldest =
      std::ranges::find_if(live_, [&](const auto& item) { return item.second.link == link; });
  if (oldest != live_.end()) status.oldest_ms = oldest->second.entry.created_at_ms;
  return status;
}

bool Outbox::quiet() const noexcept {
  return std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.in_flight == 0; });
}

}  // namespace holdfast::core
