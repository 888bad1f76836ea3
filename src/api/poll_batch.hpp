/// What one poll of `/v1/receive/{number}` answers with: the frames that came, up to what it was
/// asked to acknowledge. Pure.
#pragma once

#include <core/consumer.hpp>
#include <core/records.hpp>
#include <holdfast/result.hpp>
#include <string>
#include <vector>

namespace holdfast::api {

/// What the caller asked for.
struct PollRequest {
  static constexpr std::int64_t timeout_s_max = 3'600;
  static constexpr std::size_t frames_max = 10'000;   ///< also where `max_messages` is 0
  static constexpr std::size_t bytes_max = 8u << 20;  ///< of frames; one larger goes alone

  std::chrono::seconds timeout{1};
  std::size_t messages_max = frames_max;

  [[nodiscard]] core::Window window() const { return core::Window{messages_max, bytes_max}; }
};

/// `timeout` (s) and `max_messages` as they stand in the query; empty: the defaults.
[[nodiscard]] Result<PollRequest> read_poll_request(std::string_view timeout,
                                                    std::string_view max_messages);

class PollBatch {
 public:
  explicit PollBatch(core::Window limits) : limits_{limits} {}

  /// Typing indicators are for those who listen all the time, not for a poll.
  void add(const core::Frame& frame);
  void ask(core::Seq seq) { asked_ = seq; }

  [[nodiscard]] bool empty() const noexcept { return frames_.empty(); }
  /// Everything that was added may be acknowledged.
  [[nodiscard]] bool covered() const noexcept { return asked_ >= last_; }
  /// No further frame will come before an acknowledgement.
  [[nodiscard]] bool full() const noexcept {
    return frames_.size() >= limits_.count_max || bytes_ >= limits_.bytes_max;
  }
  [[nodiscard]] core::Seq asked() const noexcept { return asked_; }

  /// The frames that the acknowledgement covers, verbatim, as a JSON array.
  [[nodiscard]] std::string json() const;

 private:
  core::Window limits_;
  std::vector<core::Frame> frames_;
  std::size_t bytes_ = 0;
  core::Seq last_ = 0;
  core::Seq asked_ = 0;
};

}  // namespace holdfast::api
