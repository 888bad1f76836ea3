/// Batches on their way to the disk, and what is to happen when they are there.
#pragma once

#include <core/assert.hpp>
#include <core/effects.hpp>
#include <functional>
#include <map>
#include <utility>

namespace holdfast::core {

/// Durable, then visible: what depends on a batch is its continuation, and nowhere else.
class Commits {
 public:
  using Then = std::function<void(const Result<Applied>&, Now)>;

  explicit Commits(Effects& effects) : effects_{effects} {}

  void submit(LinkId link, Batch batch, Then then) {
    const Ticket ticket = ++last_;
    waiting_.emplace(ticket, Waiting{link, std::move(then)});
    effects_.push_back(Commit{ticket, std::move(batch)});
  }

  /// The store is done with a batch; an error means that nothing of it was applied. Returns whose
  /// batch it was.
  LinkId done(Ticket ticket, const Result<Applied>& result, Now now) {
    const auto found = waiting_.find(ticket);
    HF_ASSERT(found != waiting_.end());
    const Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    waiting.then(result, now);
    return waiting.link;
  }

  [[nodiscard]] bool idle() const noexcept { return waiting_.empty(); }

 private:
  struct Waiting {
    LinkId link;
    Then then;
  };
  Effects& effects_;
  Ticket last_ = 0;
  std::map<Ticket, Waiting> waiting_;
};

/// One change as a batch.
[[nodiscard]] inline Batch batch_of(Change change) {
  Batch batch;
  batch.changes.push_back(std::move(change));
  return batch;
}

}  // namespace holdfast::core
