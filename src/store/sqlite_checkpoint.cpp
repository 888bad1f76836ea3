#include <algorithm>
#include <store/sqlite_checkpoint.hpp>

namespace holdfast::store {
namespace {

constexpr std::uint32_t page_bytes = 4'096;
/// Pages that are copied while the writer waits: less than a millisecond.
constexpr int tail_pages_max = 128;
constexpr int rounds_max = 4;

}  // namespace

Checkpointer::Checkpointer(std::unique_ptr<Db> db, const StoreOptions& options, Gate& writer,
                           Gate& reader, std::function<void()> make_way)
    : db_{std::move(db)},
      pages_min_{options.checkpoint_pages},
      pages_max_{static_cast<std::uint32_t>(options.wal_bytes_max / page_bytes)},
      writer_{writer},
      reader_{reader},
      make_way_{std::move(make_way)},
      next_at_{options.checkpoint_pages},
      thread_{"hf-store-ckpt", [this] { run(); }} {}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_one();
}

void Checkpointer::wal_has(std::uint32_t pages) {
  bool due = false;
  {
    const std::lock_guard lock{mutex_};
    // It started over: the next checkpoint is due at the usual size again.
    if (pages < pages_) next_at_ = pages_min_;
    pages_ = pages;
    due = pages_ >= next_at_;
  }
  if (due) wake_.notify_one();
}

void Checkpointer::make_room() {
  {
    const std::lock_guard lock{mutex_};
    next_at_ = 0;
  }
  wake_.notify_one();
}

void Checkpointer::run() {
  for (;;) {
    std::uint32_t pages = 0;
    {
      std::unique_lock lock{mutex_};
      wake_.wait(lock, [&] { return stopping_ || pages_ >= next_at_; });
      if (stopping_) return;
      pages = pages_;
      // Whatever comes of it (a reader in the way, a full disk), the next one is due after growth.
      next_at_ = pages + pages_min_;
    }
    checkpoint(pages);
  }
}

void Checkpointer::checkpoint(std::uint32_t pages) {
  if (pages >= pages_max_) {
    make_way_();
    const Gate::Closed no_commits{writer_};
    const Gate::Closed no_reads{reader_};
    copy(SQLITE_CHECKPOINT_TRUNCATE);
    return;
  }
  for (int round = 0; round < rounds_max; ++round) {
    const Progress progress = copy(SQLITE_CHECKPOINT_PASSIVE);
    if (progress.failed) return;
    if (progress.wal_pages - progress.copied_pages <= tail_pages_max) break;
  }
  const Gate::Closed no_commits{writer_};
  copy(SQLITE_CHECKPOINT_PASSIVE);
}

Checkpointer::Progress Checkpointer::copy(int mode) {
  Progress progress;
  const int code = sqlite3_wal_checkpoint_v2(db_->handle(), nullptr, mode, &progress.wal_pages,
                                             &progress.copied_pages);
  // A full disk or a reader in the way: nothing is lost, the WAL still has everything.
  progress.failed = code != SQLITE_OK;
  return progress;
}

}  // namespace holdfast::store
