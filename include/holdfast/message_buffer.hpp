/// A FIFO with limits: count, bytes and age. It is the window behind each consumer.
///
/// Nothing leaves it unnoticed: what a call refuses, overflows or finds expired is handed back by
/// that call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <holdfast/time.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace holdfast {

/// What a full `MessageBuffer` does with one item more.
enum class OverflowPolicy {
  reject,       ///< the new item is refused
  drop_oldest,  ///< the oldest items give way to it
};

struct MessageBufferOptions {
  std::size_t count_max = 256;        ///< items; 0: nothing is ever accepted
  std::size_t bytes_max = 1U << 20U;  ///< sum of the sizes given to `push()`
  std::optional<Duration> ttl = {};   ///< an item expires when it is this old; nothing: never
  OverflowPolicy overflow = OverflowPolicy::reject;
  /// An item larger than `bytes_max` is accepted while the buffer is empty; otherwise never.
  bool allow_oversized_single = false;
};

/// FIFO of `T`, for one thread.
template <typename T>
class MessageBuffer {
 public:
  using Options = MessageBufferOptions;

  /// What came of `push()`. Every item that is not in the buffer any more is here.
  struct [[nodiscard]] PushResult {
    bool accepted = false;
    std::optional<T> refused;   ///< the new item, if it was not accepted
    std::vector<T> overflowed;  ///< dropped to make room, oldest first (`drop_oldest` only)
    std::vector<T> expired;     ///< found too old on the way, oldest first
  };

  explicit MessageBuffer(Options options) : options_{options} {}

  /// Appends `item`, which counts as `bytes` bytes, at time `now`. Expired items leave first, so
  /// that they never push out or keep out a live one. Items are only dropped for an item that is
  /// then accepted.
  PushResult push(T item, std::size_t bytes, TimePoint now) {
    PushResult result;
    result.expired = expire(now);
    if (!could_ever_hold(bytes)) {
      result.refused.emplace(std::move(item));
      return result;
    }
    if (options_.overflow == OverflowPolicy::drop_oldest) {
      while (!has_room_for(bytes)) result.overflowed.push_back(take_front());
    }
    if (!has_room_for(bytes)) {
      result.refused.emplace(std::move(item));
      return result;
    }
    slots_.push_back(Slot{std::move(item), bytes, now});
    bytes_ += bytes;
    result.accepted = true;
    return result;
  }

  /// The oldest item; null when empty. Valid until the next call that changes the buffer.
  [[nodiscard]] const T* front() const noexcept {
    return slots_.empty() ? nullptr : &slots_.front().item;
  }

  /// Takes the oldest item; nothing when empty.
  std::optional<T> pop() {
    if (slots_.empty()) return std::nullopt;
    return take_front();
  }

  /// Takes every item, oldest first, whatever its age.
  [[nodiscard]] std::vector<T> drain() {
    std::vector<T> items;
    items.reserve(slots_.size());
    while (!slots_.empty()) items.push_back(take_front());
    return items;
  }

  /// Takes the items that are `ttl` old or older at `now`, oldest first.
  [[nodiscard]] std::vector<T> expire(TimePoint now) {
    std::vector<T> items;
    while (!slots_.empty() && is_expired(slots_.front(), now)) items.push_back(take_front());
    return items;
  }

  /// When the oldest item expires; nothing when empty or without a TTL.
  [[nodiscard]] std::optional<TimePoint> next_expiry() const noexcept {
    if (slots_.empty() || !options_.ttl) return std::nullopt;
    const TimePoint pushed_at = slots_.front().pushed_at;
    if (*options_.ttl > TimePoint::max() - std::max(pushed_at, TimePoint{}))
      return TimePoint::max();
    return pushed_at + *options_.ttl;
  }

  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
  [[nodiscard]] bool empty() const noexcept { return slots_.empty(); }
  /// Sum of the sizes given to `push()`; above `bytes_max` only for one oversized item.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const Options& options() const noexcept { return options_; }

 private:
  struct Slot {
    T item;
    std::size_t bytes;
    TimePoint pushed_at;
  };

  [[nodiscard]] bool could_ever_hold(std::size_t bytes) const noexcept {
    if (options_.count_max == 0) return false;
    if (bytes <= options_.bytes_max) return true;
    return options_.allow_oversized_single && slots_.empty();
  }

  [[nodiscard]] bool has_room_for(std::size_t bytes) const noexcept {
    if (slots_.empty()) return true;  // could_ever_hold() was asked before
    if (slots_.size() >= options_.count_max) return false;
    return bytes_ <= options_.bytes_max && bytes <= options_.bytes_max - bytes_;
  }

  [[nodiscard]] bool is_expired(const Slot& slot, TimePoint now) const noexcept {
    return options_.ttl && now >= slot.pushed_at && now - slot.pushed_at >= *options_.ttl;
  }

  T take_front() {
    Slot slot = std::move(slots_.front());
    slots_.pop_front();
    bytes_ -= slot.bytes;
    return std::move(slot.item);
  }

  Options options_;
  std::deque<Slot> slots_;
  std::size_t bytes_ = 0;
};

}  // namespace holdfast
