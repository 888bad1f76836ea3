#include <algorithm>
#include <api/poll_batch.hpp>
#include <charconv>

namespace holdfast::api {
namespace {

/// A whole number without sign; nothing for anything else.
std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped_at, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || stopped_at != end || count < 0) return std::nullopt;
  return count;
}

}  // namespace

Result<PollRequest> read_poll_request(std::string_view timeout, std::string_view max_messages) {
  PollRequest request;
  if (!timeout.empty()) {
    const auto seconds = parse_count(timeout);
    if (!seconds || *seconds > PollRequest::timeout_s_max)
      return Error{Errc::invalid_argument,
                   "Couldn't process request - timeout needs to be numeric! (seconds, 0 to " +
                       std::to_string(PollRequest::timeout_s_max) + ")"};
    request.timeout = std::chrono::seconds{*seconds};
  }
  if (!max_messages.empty()) {
    const auto count = parse_count(max_messages);
    if (!count)
      return Error{Errc::invalid_argument,
                   "Couldn't process request - max_messages needs to be numeric!"};
    if (*count > 0)
      request.messages_max =
          static_cast<std::size_t>(std::min<std::int64_t>(*count, PollRequest::frames_max));
  }
  return request;
}

void PollBatch::add(const core::Frame& frame) {
  if (frame.seq == 0) return;
  frames_.push_back(frame);
  bytes_ += frame.bytes->size();
  last_ = frame.seq;
}

std::string PollBatch::json() const {
  std::string text = "[";
  text.reserve(bytes_ + frames_.size() + 2);
  for (const core::Frame& frame : frames_) {
    if (frame.seq > asked_) break;
    if (text.size() > 1) text += ',';
    text += *frame.bytes;
  }
  return text + "]";
}

}  // namespace holdfast::api
