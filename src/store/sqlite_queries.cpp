#include <fmt/format.h>

#include <algorithm>
#include <store/batch.hpp>
#include <store/sqlite_reader.hpp>
#include <store/sqlite_schema.hpp>

namespace holdfast::store {
namespace {

/// Frames that one read looks at, so that a long run of malformed ones cannot hold the reader.
constexpr std::size_t frames_looked_at_max = 4'096;

/// CROSS JOIN: entries first, in the order asked for; each finds its account by number.
constexpr const char* entry_columns =
    "e.seq, e.first_seq, e.parts, a.name, e.recipient, e.operation, e.state, e.attempts, "
    "e.possible_duplicate, e.out_of_order, e.created_at_ms, e.expires_at_ms, "
    "e.provisional_timestamp, e.timestamp, e.body_bytes, e.error "
    "FROM entries e CROSS JOIN accounts a USING(account)";

core::Entry entry_of(const Statement& row) {
  return {.seq = row.natural(0),
          .first_seq = row.natural(1),
          .parts = static_cast<std::uint32_t>(row.integer(2)),
          .account = row.text(3),
          .recipient = row.text(4),
          .operation = static_cast<core::Operation>(row.integer(5)),
          .state = static_cast<core::EntryState>(row.integer(6)),
          .attempts = static_cast<std::uint32_t>(row.integer(7)),
          .possible_duplicate = row.integer(8) != 0,
          .out_of_order = row.integer(9) != 0,
          .created_at_ms = row.integer(10),
          .expires_at_ms = row.integer(11),
          .provisional_timestamp = row.integer(12),
          .timestamp = row.integer(13),
          .body_bytes = row.natural(14),
          .error = row.text(15)};
}

core::Frame frame_of(const Statement& row) {
  core::Frame frame{.seq = seq_of_key(row.integer(0)),
                    .received_at_ms = row.integer(2),
                    .kind = static_cast<core::FrameKind>(row.integer(1)),
                    .identity = {},
                    .server_received_ms = {},
                    .bytes = std::make_shared<const std::string>(row.bytes(5))};
  if (!row.is_null(3)) frame.server_received_ms = row.integer(3);
  const std::string_view identity = row.bytes(4);
  std::copy_n(identity.begin(), std::min(identity.size(), frame.identity.size()),
              frame.identity.begin());
  return frame;
}

std::vector<core::LedgerRow> history_of(Db& db, core::Seq entry) {
  std::vector<core::LedgerRow> history;
  Statement rows{db,
                 "SELECT from_state, to_state, at_ms, why FROM ledger WHERE entry = ? "
                 "ORDER BY n"};
  rows.with(entry);
  while (rows.next()) {
    core::LedgerRow row{.entry = entry,
                        .from = {},
                        .to = static_cast<core::EntryState>(rows.integer(1)),
                        .at_ms = rows.integer(2),
                        .why = rows.text(3)};
    if (!rows.is_null(0)) row.from = static_cast<core::EntryState>(rows.integer(0));
    history.push_back(std::move(row));
  }
  return history;
}

}  // namespace

Result<core::Recovered> read_recovered(Db& db) {
  core::Recovered recovered;
  db.run("BEGIN");
  recovered.epoch =
      static_cast<std::uint64_t>(db.integer("SELECT value FROM meta WHERE key = 'epoch'"));
  Statement accounts{db,
                     "SELECT name, last_seq, trimmed_up_to, duplicates, ephemeral, "
                     "coalesce((SELECT seq FROM cursors c "
                     "WHERE c.account = a.account AND consumer = ''), 0) "
                     "FROM accounts a ORDER BY account"};
  while (accounts.next()) {
    recovered.accounts.push_back({.account = accounts.text(0),
                                  .last_seq = accounts.natural(1),
                                  .first_seq = accounts.natural(2) + 1,
                                  .cursor = accounts.natural(5),
                                  .duplicates = accounts.natural(3),
                                  .ephemeral = accounts.natural(4)});
  }
  // The states that are not terminal, by the index: terminal entries are never looked at.
  const std::string sql =
      fmt::format("SELECT {} WHERE e.state IN (0, 1, 4, 5) ORDER BY e.seq", entry_columns);
  Statement pending{db, sql.c_str()};
  while (pending.next()) recovered.pending.push_back(entry_of(pending));
  if (db.failed()) return db.error();
  return recovered;
}

Result<FramePage> read_frames(Db& db, const FrameQuery& query) {
  FramePage page{.frames = {}, .read_up_to = query.after};
  Statement account{db, "SELECT account FROM accounts WHERE name = ?"};
  if (!account.with(query.account).next()) {
    if (db.failed()) return db.error();
    return page;
  }
  const std::int64_t number = account.integer(0);
  Statement rows{db,
                 "SELECT key, kind, received_at_ms, server_received_ms, identity, bytes "
                 "FROM frames WHERE key > ? AND key <= ? ORDER BY key"};
  rows.with(frame_key(number, std::min(query.after, sequence_max)),
            frame_key(number, sequence_max));
  std::size_t bytes = 0;
  for (std::size_t looked_at = 0; looked_at < frames_looked_at_max && rows.next(); ++looked_at) {
    const core::Seq seq = seq_of_key(rows.integer(0));
    const bool malformed = rows.integer(1) == static_cast<int>(core::FrameKind::malformed);
    if (!malformed || query.with_malformed) {
      if (page.frames.size() >= query.count_max) break;
      core::Frame frame = frame_of(rows);
      bytes += frame.bytes->size();
      if (bytes > query.bytes_max && !page.frames.empty()) break;
      page.frames.push_back(std::move(frame));
    }
    page.read_up_to = seq;
  }
  if (db.failed()) return db.error();
  return page;
}

Result<std::string> read_body(Db& db, core::Seq first_seq) {
  Statement body{db, "SELECT body FROM bodies WHERE first_seq = ?"};
  if (body.with(first_seq).next()) return body.text(0);
  if (db.failed()) return db.error();
  return no_such_entry(first_seq);
}

Result<std::vector<core::Entry>> read_entries(Db& db, const EntryQuery& query) {
  std::string sql = fmt::format("SELECT {} WHERE e.seq < ?1", entry_columns);
  if (query.state) sql += " AND e.state = ?2";
  if (!query.account.empty())
    sql += " AND e.account = (SELECT account FROM accounts WHERE name = ?3)";
  sql += " ORDER BY e.seq DESC LIMIT ?4";
  constexpr core::Seq all = INT64_MAX;
  Statement rows{db, sql.c_str()};
  rows.with(std::min(query.before, all), query.state ? static_cast<int>(*query.state) : 0,
            query.account, query.count_max);
  std::vector<core::Entry> entries;
  while (rows.next()) entries.push_back(entry_of(rows));
  if (db.failed()) return db.error();
  return entries;
}

Result<std::vector<EntryDetail>> read_send(Db& db, core::Seq first_seq) {
  db.run("BEGIN");
  const std::string sql = fmt::format(
      "SELECT {} WHERE e.seq >= ?1 AND e.first_seq = ?1 AND e.seq < ?1 + "
      "(SELECT parts FROM entries WHERE seq = ?1) ORDER BY e.seq",
      entry_columns);
  Statement rows{db, sql.c_str()};
  rows.with(first_seq);
  std::vector<EntryDetail> parts;
  while (rows.next()) {
    core::Entry entry = entry_of(rows);
    std::vector<core::LedgerRow> history = history_of(db, entry.seq);
    parts.push_back({.entry = std::move(entry), .history = std::move(history)});
  }
  if (db.failed()) return db.error();
  if (parts.empty()) return no_such_entry(first_seq);
  return parts;
}

}  // namespace holdfast::store
