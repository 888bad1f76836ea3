/// The event stream: what happened, numbered, for whoever watches. The last ones are kept, so that
/// a watcher who was away for a moment misses nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace holdfast::gateway {

struct Event {
  std::uint64_t id;  ///< dense from 1 in this process
  std::string type;  ///< "transition", "entry", "received", "remark", "link", "store"
  std::string json;  ///< one object, one line
};

/// For one thread.
class EventLog {
 public:
  static constexpr std::size_t kept_max = 1'000;
  using Watcher = std::function<void(const Event&)>;
  using WatcherId = std::uint64_t;

  void publish(std::string type, std::string json) {
    kept_.push_back(Event{++last_, std::move(type), std::move(json)});
    if (kept_.size() > kept_max) kept_.pop_front();
    const Event event = kept_.back();
    const auto watchers = watchers_;  // a watcher may leave while it is told
    for (const auto& [id, watcher] : watchers)
      if (watchers_.contains(id)) watcher(event);
  }

  /// Calls `watcher` for each event after `after` that is kept, then for each new one, until
  /// `unwatch()`.
  WatcherId watch(std::uint64_t after, Watcher watcher) {
    for (const Event& event : kept_)
      if (event.id > after) watcher(event);
    watchers_.emplace(++next_watcher_, std::move(watcher));
    return next_watcher_;
  }
  void unwatch(WatcherId id) { watchers_.erase(id); }

  [[nodiscard]] bool watched() const noexcept { return !watchers_.empty(); }
  [[nodiscard]] std::uint64_t last_id() const noexcept { return last_; }

 private:
  std::uint64_t last_ = 0;
  WatcherId next_watcher_ = 0;
  std::deque<Event> kept_;
  std::map<WatcherId, Watcher> watchers_;
};

}  // namespace holdfast::gateway
