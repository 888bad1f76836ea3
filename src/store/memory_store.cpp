#include <algorithm>
#include <core/assert.hpp>
#include <store/audit_fold.hpp>
#include <store/batch.hpp>
#include <store/memory_store.hpp>

namespace holdfast::store {

MemoryStore::MemoryStore(std::uint64_t epoch) : epoch_{epoch} {}

// --- The disk -----------------------------------------------------------------------------------

void MemoryStore::commit(core::Batch batch, Callback<core::Applied> done) {
  assert_well_formed(batch);
  waiting_.push_back({std::move(batch), std::move(done)});
}

std::size_t MemoryStore::sync() { return sync(waiting_.size()); }

bool MemoryStore::step() { return sync(std::min<std::size_t>(waiting_.size(), 1)) == 1; }

std::size_t MemoryStore::sync(std::size_t count) {
  if (count == 0) return 0;
  std::optional<Error> failure;
  if (full_) failure = Error{Errc::store_full, "the disk is full; nothing was written"};
  if (!failures_.empty()) {
    failure = failures_.front();
    failures_.pop_front();
  }
  problem_ = failure ? failure->message : "";
  commits_ += failure ? 0 : 1;
  std::vector<std::pair<Callback<core::Applied>, Result<core::Applied>>> completions;
  for (std::size_t i = 0; i < count; ++i) {
    Waiting item = std::move(waiting_.front());
    waiting_.pop_front();
    completions.emplace_back(std::move(item.done),
                             failure ? Result<core::Applied>{*failure} : apply(item.batch));
  }
  for (auto& [done, result] : completions) done(std::move(result));
  return count;
}

bool MemoryStore::step_read() {
  if (reads_.empty()) return false;
  const auto read = std::move(reads_.front());
  reads_.pop_front();
  read();
  return true;
}

void MemoryStore::run() {
  while (sync() > 0 || step_read()) {
  }
}

void MemoryStore::crash(std::size_t survivors) {
  const std::size_t count = std::min(survivors, waiting_.size());
  for (std::size_t i = 0; i < count; ++i) static_cast<void>(apply(waiting_[i].batch));
  waiting_.clear();
  reads_.clear();
}

void MemoryStore::fail_next(Error error, std::size_t groups) {
  failures_.insert(failures_.end(), groups, error);
}

StoreStatus MemoryStore::status() const {
  StoreStatus status;
  status.writable = problem_.empty();
  status.problem = problem_;
  status.commits = commits_;
  return status;
}

// --- Batches ------------------------------------------------------------------------------------

MemoryStore::Account& MemoryStore::account(const std::string& name) {
  const auto [found, fresh] = synced_.accounts.try_emplace(name);
  if (fresh) found->second.number = synced_.accounts.size();
  return found->second;
}

Result<core::Applied> MemoryStore::apply(const core::Batch& batch) {
  core::Applied applied;
  const core::AddSend* send = send_of(batch);
  if (send != nullptr && send->key) {
    const auto known = synced_.keys.find({send->entries.front().account, send->key->key});
    if (known != synced_.keys.end()) {
      applied.known = known->second;
      return applied;
    }
  }
  if (const core::UpdateEntry* update = stale(batch)) return stale_update(*update);
  for (const core::Change& change : batch.changes) {
    if (const auto* append = std::get_if<core::AppendFrame>(&change)) {
      apply(*append, applied);
    } else if (const auto* count = std::get_if<core::CountEphemeral>(&change)) {
      apply(*count);
    } else if (const auto* trim = std::get_if<core::TrimFrames>(&change)) {
      apply(*trim);
    } else if (const auto* cursor = std::get_if<core::PutCursor>(&change)) {
      apply(*cursor);
    } else if (std::holds_alternative<core::AddSend>(change)) {
      apply(*send, applied);
    } else if (const auto* update = std::get_if<core::UpdateEntry>(&change)) {
      apply(*update);
    }
  }
  return applied;
}

/// The first update whose entry will not be in the state that it starts from.
const core::UpdateEntry* MemoryStore::stale(const core::Batch& batch) const {
  std::map<core::Seq, core::EntryState> now;
  core::Seq last_entry = synced_.last_entry;
  for (const core::Change& change : batch.changes) {
    if (const auto* send = std::get_if<core::AddSend>(&change)) {
      for (const core::Entry& entry : send->entries) now[++last_entry] = entry.state;
    }
    const auto* update = std::get_if<core::UpdateEntry>(&change);
    if (update == nullptr) continue;
    const core::Seq seq = update->entry.seq;
    const auto stored = synced_.entries.find(seq);
    if (stored != synced_.entries.end()) now.try_emplace(seq, stored->second.state);
    const auto found = now.find(seq);
    if (found == now.end() || found->second != update->from) return update;
    found->second = update->entry.state;
  }
  return nullptr;
}

void MemoryStore::apply(const core::AppendFrame& append, core::Applied& applied) {
  Account& account = this->account(append.account);
  ++account.received;
  const core::Seq seq = account.last_seq + 1;
  const core::Identity& identity = append.frame.identity;
  if (is_known(identity) && !account.identities.try_emplace(identity, seq).second) {
    ++account.duplicates;
    applied.frame_seqs.push_back(0);
    return;
  }
  account.frames.push_back(append.frame);
  account.frames.back().seq = seq;
  account.last_seq = seq;
  applied.frame_seqs.push_back(seq);
}

void MemoryStore::apply(const core::CountEphemeral& count) {
  Account& account = this->account(count.account);
  account.received += count.count;
  account.ephemeral += count.count;
}

void MemoryStore::apply(const core::TrimFrames& trim) {
  Account& account = this->account(trim.account);
  while (!account.frames.empty() && account.frames.front().seq <= trim.up_to) {
    const core::Frame& frame = account.frames.front();
    if (is_known(frame.identity)) account.trimmed.emplace_back(trim.at_ms, frame.identity);
    account.trimmed_up_to = frame.seq;
    account.frames.pop_front();
  }
  while (!account.trimmed.empty() &&
         account.trimmed.front().first <= trim.at_ms - identity_kept_ms) {
    account.identities.erase(account.trimmed.front().second);
    account.trimmed.pop_front();
  }
}

void MemoryStore::apply(const core::PutCursor& cursor) {
  account(cursor.account).cursors[cursor.consumer] = cursor.seq;
}

void MemoryStore::apply(const core::AddSend& send, core::Applied& applied) {
  const std::string& name = send.entries.front().account;
  account(name);
  const core::Seq first = synced_.last_entry + 1;
  for (core::Entry entry : send.entries) {
    entry.seq = ++synced_.last_entry;
    entry.first_seq = first;
    entry.parts = static_cast<std::uint32_t>(send.entries.size());
    entry.body_bytes = send.body.size();
    synced_.ledger[entry.seq].push_back({.entry = entry.seq,
                                         .from = std::nullopt,
                                         .to = entry.state,
                                         .at_ms = entry.created_at_ms,
                                         .why = why_accepted});
    synced_.entries.emplace(entry.seq, std::move(entry));
  }
  synced_.bodies.emplace(first, send.body);
  if (send.key) {
    core::KnownSend known{.first_seq = first, .body_hash = send.key->body_hash};
    synced_.keys.emplace(std::pair{name, send.key->key}, std::move(known));
  }
  applied.first_entry_seq = first;
}

void MemoryStore::apply(const core::UpdateEntry& update) {
  core::Entry& stored = synced_.entries.at(update.entry.seq);
  core::Entry next = update.entry;
  // What an entry was created with stays as it was.
  next.first_seq = stored.first_seq;
  next.parts = stored.parts;
  next.account = stored.account;
  next.operation = stored.operation;
  next.created_at_ms = stored.created_at_ms;
  next.body_bytes = stored.body_bytes;
  stored = std::move(next);
  if (update.from == stored.state) return;
  synced_.ledger[stored.seq].push_back({.entry = stored.seq,
                                        .from = update.from,
                                        .to = stored.state,
                                        .at_ms = update.at_ms,
                                        .why = update.why});
}

// --- Reads --------------------------------------------------------------------------------------

Result<core::Recovered> MemoryStore::recover() {
  core::Recovered recovered{.epoch = epoch_, .accounts = {}, .pending = {}};
  std::map<std::uint64_t, std::string> by_number;
  for (const auto& [name, account] : synced_.accounts) by_number.emplace(account.number, name);
  for (const auto& [number, name] : by_number) {
    const Account& account = synced_.accounts.at(name);
    const auto cursor = account.cursors.find("");
    recovered.accounts.push_back({.account = name,
                                  .last_seq = account.last_seq,
                                  .first_seq = account.trimmed_up_to + 1,
                                  .cursor = cursor == account.cursors.end() ? 0 : cursor->second,
                                  .duplicates = account.duplicates,
                                  .ephemeral = account.ephemeral});
  }
  for (const auto& [seq, entry] : synced_.entries) {
    if (!core::is_terminal(entry.state)) recovered.pending.push_back(entry);
  }
  return recovered;
}

void MemoryStore::read_frames(FrameQuery query, Callback<FramePage> done) {
  reads_.push_back(
      [this, query = std::move(query), done = std::move(done)] { done(frames_of(query)); });
}

FramePage MemoryStore::frames_of(const FrameQuery& query) const {
  FramePage page{.frames = {}, .read_up_to = query.after};
  const auto found = synced_.accounts.find(query.account);
  if (found == synced_.accounts.end()) return page;
  const Account& account = found->second;
  std::size_t bytes = 0;
  const core::Seq first = std::max(query.after, account.trimmed_up_to) + 1;
  for (core::Seq seq = first; seq <= account.last_seq; ++seq) {
    const core::Frame& frame = account.frames[seq - account.trimmed_up_to - 1];
    if (frame.kind != core::FrameKind::malformed || query.with_malformed) {
      if (page.frames.size() >= query.count_max) break;
      bytes += frame.bytes->size();
      if (bytes > query.bytes_max && !page.frames.empty()) break;
      page.frames.push_back(frame);
    }
    page.read_up_to = seq;
  }
  return page;
}

void MemoryStore::read_body(core::Seq first_seq, Callback<std::string> done) {
  reads_.push_back([this, first_seq, done = std::move(done)] {
    const auto body = synced_.bodies.find(first_seq);
    if (body == synced_.bodies.end()) return done(no_such_entry(first_seq));
    done(body->second);
  });
}

void MemoryStore::read_entries(EntryQuery query, Callback<std::vector<core::Entry>> done) {
  reads_.push_back(
      [this, query = std::move(query), done = std::move(done)] { done(entries_of(query)); });
}

std::vector<core::Entry> MemoryStore::entries_of(const EntryQuery& query) const {
  std::vector<core::Entry> entries;
  auto it = synced_.entries.lower_bound(query.before);
  while (it != synced_.entries.begin() && entries.size() < query.count_max) {
    const core::Entry& entry = (--it)->second;
    if (!query.account.empty() && entry.account != query.account) continue;
    if (query.state && entry.state != *query.state) continue;
    entries.push_back(entry);
  }
  return entries;
}

void MemoryStore::read_send(core::Seq first_seq, Callback<std::vector<EntryDetail>> done) {
  reads_.push_back([this, first_seq, done = std::move(done)] {
    std::vector<EntryDetail> parts;
    for (auto it = synced_.entries.lower_bound(first_seq);
         it != synced_.entries.end() && it->second.first_seq == first_seq; ++it) {
      parts.push_back({.entry = it->second, .history = synced_.ledger.at(it->first)});
    }
    if (parts.empty()) return done(no_such_entry(first_seq));
    done(std::move(parts));
  });
}

AuditReport MemoryStore::audit() const {
  AuditFold fold;
  for (const auto& [name, account] : synced_.accounts) {
    fold.account({.name = name,
                  .received = account.received,
                  .duplicates = account.duplicates,
                  .ephemeral = account.ephemeral,
                  .trimmed_up_to = account.trimmed_up_to,
                  .last_seq = account.last_seq});
    for (const core::Frame& frame : account.frames) fold.frame(frame.seq);
  }
  fold.outbox(synced_.last_entry);
  for (const auto& [seq, entry] : synced_.entries) {
    fold.entry(seq, entry.state);
    for (const core::LedgerRow& row : synced_.ledger.at(seq)) fold.ledger(row);
  }
  return fold.finish();
}

}  // namespace holdfast::store
