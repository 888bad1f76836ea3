#include <algorithm>
#include <core/assert.hpp>
#include <store/batch.hpp>
#include <store/sqlite_apply.hpp>
#include <store/sqlite_schema.hpp>

namespace holdfast::store {
namespace {

constexpr const char* add_entry_sql = R"sql(
INSERT INTO entries(seq, first_seq, parts, account, recipient, operation, state, attempts,
                    possible_duplicate, out_of_order, created_at_ms, expires_at_ms,
                    provisional_timestamp, timestamp, body_bytes, error)
VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
)sql";

constexpr const char* update_entry_sql = R"sql(
UPDATE entries SET recipient = ?3, state = ?4, attempts = ?5, possible_duplicate = ?6,
                   out_of_order = ?7, expires_at_ms = ?8, provisional_timestamp = ?9,
                   timestamp = ?10, error = ?11
WHERE seq = ?1 AND state = ?2
)sql";

constexpr const char* add_ledger_sql = R"sql(
INSERT INTO ledger(entry, n, from_state, to_state, at_ms, why)
VALUES(?1, (SELECT coalesce(max(n), 0) + 1 FROM ledger WHERE entry = ?1), ?2, ?3, ?4, ?5)
)sql";

int number_of(core::EntryState state) { return static_cast<int>(state); }

}  // namespace

Applier::Applier(Db& db)
    : db_{db},
      add_account_{db, "INSERT INTO accounts(account, name) VALUES(?, ?)"},
      put_account_{db,
                   "UPDATE accounts SET last_seq = ?2, received = ?3, duplicates = ?4, "
                   "ephemeral = ?5, trimmed_up_to = ?6 WHERE account = ?1"},
      put_last_entry_{db, "UPDATE meta SET value = ? WHERE key = 'last_entry_seq'"},
      add_identity_{db,
                    "INSERT INTO identities(account, identity, seq) VALUES(?, ?, ?) "
                    "ON CONFLICT DO NOTHING"},
      add_frame_{db,
                 "INSERT INTO frames(key, kind, received_at_ms, server_received_ms, identity, "
                 "bytes) VALUES(?, ?, ?, ?, ?, ?)"},
      keep_identities_{db,
                       "INSERT INTO trimmed_identities SELECT key, identity, ?3 FROM frames "
                       "WHERE key BETWEEN ?1 AND ?2 AND identity <> zeroblob(16)"},
      erase_frames_{db, "DELETE FROM frames WHERE key BETWEEN ?1 AND ?2"},
      forget_identities_{db,
                         "DELETE FROM identities WHERE account = ?1 AND identity IN "
                         "(SELECT identity FROM trimmed_identities WHERE key BETWEEN ?2 AND ?3)"},
      forget_trimmed_{db, "DELETE FROM trimmed_identities WHERE key BETWEEN ?1 AND ?2"},
      put_cursor_{db,
                  "INSERT INTO cursors(account, consumer, seq) VALUES(?, ?, ?) "
                  "ON CONFLICT DO UPDATE SET seq = excluded.seq"},
      find_key_{db, "SELECT first_seq, body_hash FROM idempotency WHERE account = ? AND key = ?"},
      add_key_{db,
               "INSERT INTO idempotency(account, key, first_seq, body_hash, at_ms) "
               "VALUES(?, ?, ?, ?, ?)"},
      add_entry_{db, add_entry_sql},
      add_body_{db, "INSERT INTO bodies(first_seq, body) VALUES(?, ?)"},
      add_ledger_{db, add_ledger_sql},
      update_entry_{db, update_entry_sql},
      probe_{db, "UPDATE meta SET value = value + 1 WHERE key = 'probes'"} {
  load();
}

void Applier::load() {
  Statement rows{db_,
                 "SELECT account, name, last_seq, received, duplicates, ephemeral, trimmed_up_to "
                 "FROM accounts"};
  while (rows.next()) {
    accounts_[rows.text(1)] = {.number = rows.integer(0),
                               .last_seq = rows.natural(2),
                               .received = rows.natural(3),
                               .duplicates = rows.natural(4),
                               .ephemeral = rows.natural(5),
                               .trimmed_up_to = rows.natural(6)};
    last_account_ = std::max(last_account_, rows.integer(0));
  }
  last_entry_ =
      static_cast<core::Seq>(db_.integer("SELECT value FROM meta WHERE key = 'last_entry_seq'"));
}

Applier::Account& Applier::account(const std::string& name) {
  const auto found = accounts_.find(name);
  if (found != accounts_.end()) return found->second;
  HF_ASSERT(last_account_ < account_number_max);
  add_account_.with(++last_account_, name).run();
  return accounts_.emplace(name, Account{.number = last_account_}).first->second;
}

Applier::Account& Applier::touch(const std::string& name) {
  Account& found = account(name);
  if (!found.changed) touched_.push_back(&found);
  found.changed = true;
  return found;
}

Result<core::Applied> Applier::apply(const core::Batch& batch) {
  core::Applied applied;
  if (const core::AddSend* send = send_of(batch)) {
    applied.known = known(*send);
    if (db_.failed()) return db_.error();
    if (applied.known) return applied;
  }
  if (batch.changes.empty()) probe_.with().run();
  for (const core::Change& change : batch.changes) {
    if (const auto* append = std::get_if<core::AppendFrame>(&change)) {
      apply(*append, applied);
    } else if (const auto* count = std::get_if<core::CountEphemeral>(&change)) {
      apply(*count);
    } else if (const auto* trim = std::get_if<core::TrimFrames>(&change)) {
      apply(*trim);
    } else if (const auto* cursor = std::get_if<core::PutCursor>(&change)) {
      apply(*cursor);
    } else if (const auto* send = std::get_if<core::AddSend>(&change)) {
      apply(*send, applied);
    } else if (const auto* update = std::get_if<core::UpdateEntry>(&change)) {
      if (!apply(*update) && !db_.failed()) return stale_update(*update);
    }
    if (db_.failed()) return db_.error();
  }
  return applied;
}

void Applier::flush() {
  for (Account* account : touched_) {
    put_account_
        .with(account->number, account->last_seq, account->received, account->duplicates,
              account->ephemeral, account->trimmed_up_to)
        .run();
    account->changed = false;
  }
  touched_.clear();
  if (last_entry_changed_) put_last_entry_.with(last_entry_).run();
  last_entry_changed_ = false;
}

// --- Inbound ------------------------------------------------------------------------------------

void Applier::apply(const core::AppendFrame& append, core::Applied& applied) {
  const core::Frame& frame = append.frame;
  Account& account = touch(append.account);
  ++account.received;
  const core::Seq seq = account.last_seq + 1;
  HF_ASSERT(seq <= sequence_max);
  if (is_known(frame.identity)) {
    add_identity_.with(account.number, Bytes{frame.identity}, seq).run();
    if (!db_.failed() && db_.changes() == 0) {
      ++account.duplicates;
      applied.frame_seqs.push_back(0);
      return;
    }
  }
  const Bytes bytes{reinterpret_cast<const std::uint8_t*>(frame.bytes->data()),
                    frame.bytes->size()};
  add_frame_
      .with(frame_key(account.number, seq), static_cast<int>(frame.kind), frame.received_at_ms,
            frame.server_received_ms, Bytes{frame.identity}, bytes)
      .run();
  account.last_seq = seq;
  applied.frame_seqs.push_back(seq);
}

void Applier::apply(const core::CountEphemeral& count) {
  Account& account = touch(count.account);
  account.received += count.count;
  account.ephemeral += count.count;
}

void Applier::apply(const core::TrimFrames& trim) {
  Account& account = touch(trim.account);
  const core::Seq up_to = std::min(trim.up_to, account.last_seq);
  if (up_to > account.trimmed_up_to) {
    const std::int64_t first = frame_key(account.number, account.trimmed_up_to + 1);
    const std::int64_t last = frame_key(account.number, up_to);
    keep_identities_.with(first, last, trim.at_ms).run();
    erase_frames_.with(first, last).run();
    account.trimmed_up_to = up_to;
  }
  forget_identities(account.number, trim.at_ms - identity_kept_ms);
}

/// Frames are trimmed in order, so the identities to forget are a range at the account's front.
void Applier::forget_identities(std::int64_t number, std::int64_t trimmed_before_ms) {
  Statement still_kept{db_,
                       "SELECT key FROM trimmed_identities WHERE key BETWEEN ? AND ? "
                       "AND trimmed_at_ms > ? ORDER BY key LIMIT 1"};
  const std::int64_t first = frame_key(number, 0);
  std::int64_t last = frame_key(number, sequence_max);
  if (still_kept.with(first, last, trimmed_before_ms).next()) last = still_kept.integer(0) - 1;
  forget_identities_.with(number, first, last).run();
  forget_trimmed_.with(first, last).run();
}

void Applier::apply(const core::PutCursor& cursor) {
  put_cursor_.with(account(cursor.account).number, cursor.consumer, cursor.seq).run();
}

// --- Outbound -----------------------------------------------------------------------------------

std::optional<core::KnownSend> Applier::known(const core::AddSend& send) {
  if (!send.key) return std::nullopt;
  const auto found = accounts_.find(send.entries.front().account);
  if (found == accounts_.end()) return std::nullopt;
  if (!find_key_.with(found->second.number, send.key->key).next()) return std::nullopt;
  core::KnownSend known{.first_seq = find_key_.natural(0), .body_hash = find_key_.text(1)};
  find_key_.run();
  return known;
}

void Applier::apply(const core::AddSend& send, core::Applied& applied) {
  const std::int64_t number = account(send.entries.front().account).number;
  const core::Seq first = last_entry_ + 1;
  for (const core::Entry& entry : send.entries) {
    const core::Seq seq = ++last_entry_;
    add_entry_
        .with(seq, first, static_cast<std::uint32_t>(send.entries.size()), number, entry.recipient,
              static_cast<int>(entry.operation), number_of(entry.state), entry.attempts,
              entry.possible_duplicate, entry.out_of_order, entry.created_at_ms,
              entry.expires_at_ms, entry.provisional_timestamp, entry.timestamp, send.body.size(),
              entry.error)
        .run();
    add_ledger_.with(seq, std::nullopt, number_of(entry.state), entry.created_at_ms, why_accepted)
        .run();
  }
  last_entry_changed_ = true;
  const Bytes body{reinterpret_cast<const std::uint8_t*>(send.body.data()), send.body.size()};
  add_body_.with(first, body).run();
  if (send.key) {
    add_key_
        .with(number, send.key->key, first, send.key->body_hash, send.entries.front().created_at_ms)
        .run();
  }
  applied.first_entry_seq = first;
}

bool Applier::apply(const core::UpdateEntry& update) {
  const core::Entry& entry = update.entry;
  update_entry_
      .with(entry.seq, number_of(update.from), entry.recipient, number_of(entry.state),
            entry.attempts, entry.possible_duplicate, entry.out_of_order, entry.expires_at_ms,
            entry.provisional_timestamp, entry.timestamp, entry.error)
      .run();
  if (db_.failed() || db_.changes() == 0) return false;
  if (update.from != entry.state) {
    add_ledger_
        .with(entry.seq, number_of(update.from), number_of(entry.state), update.at_ms, update.why)
        .run();
  }
  return true;
}

}  // namespace holdfast::store
