/// The tables of the store, and how an older file becomes a newer one. `docs/store-format.md`
/// describes them for people.
#pragma once

#include <core/records.hpp>
#include <filesystem>
#include <span>
#include <store/sqlite_db.hpp>

namespace holdfast::store {

/// "Hfst" in the file's header: tells a store from any other SQLite database.
inline constexpr std::int64_t application_id = 0x48667374;

/// One step of the schema: the statements that lead from version `to - 1` to version `to`.
struct Migration {
  std::int64_t to;
  const char* sql;
};

/// All steps, oldest first; the last one is the present version.
[[nodiscard]] std::span<const Migration> migrations();

/// Brings `db` to the last version of `steps`, each step in a transaction of its own. A file from
/// a later version is refused with `store_too_new`.
Result<void> migrate(Db& db, std::span<const Migration> steps);

/// Creates the store's file if there is none: built under another name, synced, then renamed, so
/// that a crash leaves either nothing or a whole store. An empty file is damage, not a new store.
/// `epoch`: random; its highest bit is cleared, as SQLite's integers are signed.
Result<void> create_if_missing(const std::filesystem::path& file, std::uint64_t epoch,
                               const std::string& vfs);

/// Whether the file is a store of this version or an older one; a sentence if it is not. Reads the
/// header only (and recovers the WAL after a crash).
Result<void> check_header(Db& db);

// --- Keys of frames: the account's number and the sequence in one integer -----------------------

inline constexpr int sequence_bits = 40;
inline constexpr core::Seq sequence_max = (core::Seq{1} << sequence_bits) - 1;
/// Accounts per store; a key stays positive.
inline constexpr std::int64_t account_number_max = (std::int64_t{1} << 22) - 1;

[[nodiscard]] constexpr std::int64_t frame_key(std::int64_t account, core::Seq seq) noexcept {
  return (account << sequence_bits) | static_cast<std::int64_t>(seq);
}
[[nodiscard]] constexpr core::Seq seq_of_key(std::int64_t key) noexcept {
  return static_cast<core::Seq>(key) & sequence_max;
}

// --- Numbers in the file ------------------------------------------------------------------------
// States, kinds and operations are stored as the numbers of their enumerators. A new one goes to
// the end; these lines fail where one moved.

static_assert(static_cast<int>(core::EntryState::queued) == 0);
static_assert(static_cast<int>(core::EntryState::sending) == 1);
static_assert(static_cast<int>(core::EntryState::sent) == 2);
static_assert(static_cast<int>(core::EntryState::failed) == 3);
static_assert(static_cast<int>(core::EntryState::unknown) == 4);
static_assert(static_cast<int>(core::EntryState::held) == 5);
static_assert(static_cast<int>(core::EntryState::cancelled) == 6);
static_assert(static_cast<int>(core::EntryState::expired) == 7);
inline constexpr int entry_state_count = 8;

static_assert(static_cast<int>(core::FrameKind::data) == 0);
static_assert(static_cast<int>(core::FrameKind::edit) == 1);
static_assert(static_cast<int>(core::FrameKind::reaction) == 2);
static_assert(static_cast<int>(core::FrameKind::remote_delete) == 3);
static_assert(static_cast<int>(core::FrameKind::receipt) == 4);
static_assert(static_cast<int>(core::FrameKind::typing) == 5);
static_assert(static_cast<int>(core::FrameKind::sync) == 6);
static_assert(static_cast<int>(core::FrameKind::call) == 7);
static_assert(static_cast<int>(core::FrameKind::story) == 8);
static_assert(static_cast<int>(core::FrameKind::exception) == 9);
static_assert(static_cast<int>(core::FrameKind::other) == 10);
static_assert(static_cast<int>(core::FrameKind::malformed) == 11);

static_assert(static_cast<int>(core::Operation::send) == 0);
static_assert(static_cast<int>(core::Operation::reaction) == 1);
static_assert(static_cast<int>(core::Operation::remove_reaction) == 2);
static_assert(static_cast<int>(core::Operation::receipt) == 3);
static_assert(static_cast<int>(core::Operation::remote_delete) == 4);

}  // namespace holdfast::store
