/// What waits for one watcher of the event stream. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <gateway/events.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

/// Bounded: a watcher that does not keep up is given up, and comes back with `Last-Event-ID`.
class EventQueue {
 public:
  static constexpr std::size_t count_max = 1'000;
  static constexpr std::size_t bytes_max = 1u << 20;

  /// `seen`: the id of the last event that the watcher knows. Until `live()` events are a replay:
  /// what of it does not fit is left out, the oldest first, and named by an event `gap`.
  explicit EventQueue(std::uint64_t seen) : seen_{seen} {}

  void add(const gateway::Event& event);
  void live() { replaying_ = false; }

  /// A bound was reached; what is still in here is of no use.
  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  [[nodiscard]] bool empty() const noexcept { return pieces_.empty(); }
  /// Everything that waits, as one piece of the stream.
  [[nodiscard]] std::string take();

 private:
  struct Piece {
    std::uint64_t id;
    std::string text;
  };
  [[nodiscard]] bool full() const noexcept {
    return pieces_.size() > count_max || bytes_ > bytes_max;
  }

  std::uint64_t seen_;
  std::deque<Piece> pieces_;
  std::size_t bytes_ = 0;
  bool replaying_ = true;
  bool overflowed_ = false;
};

/// One event as it stands in the stream; without `id` it does not move `Last-Event-ID`.
[[nodiscard]] std::string event_text(std::optional<std::uint64_t> id, std::string_view type,
                                     std::string_view json);

/// A comment that keeps proxies and watchers from taking silence for death.
inline constexpr std::string_view heartbeat = ":\n\n";

/// The id that a watcher says it has seen last, where it was given by this process. Ids begin anew
/// with each process, so a greater one than `last` is of an earlier process: all is new.
[[nodiscard]] std::optional<std::uint64_t> seen_before(std::string_view said, std::uint64_t last);

}  // namespace holdfast::api
