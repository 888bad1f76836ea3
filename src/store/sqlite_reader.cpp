#include <store/sqlite_reader.hpp>

namespace holdfast::store {

Reader::Reader(std::unique_ptr<Db> db, Gate& gate)
    : gate_{gate}, db_{std::move(db)}, thread_{"hf-store-read", [this] { run(); }} {}

Reader::~Reader() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_one();
}

void Reader::submit(std::function<void(Db&)> job) {
  {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Reader::run() {
  for (;;) {
    std::function<void(Db&)> job;
    {
      std::unique_lock lock{mutex_};
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) break;
      job = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const Gate::Pass pass{gate_};
    job(*db_);
    db_->roll_back();
    db_->clear();
  }
  db_.reset();
}

}  // namespace holdfast::store
