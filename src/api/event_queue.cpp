#include <api/event_queue.hpp>
#include <charconv>

namespace holdfast::api {

void EventQueue::add(const gateway::Event& event) {
  if (overflowed_) return;
  Piece piece{event.id, event_text(event.id, event.type, event.json)};
  bytes_ += piece.text.size();
  pieces_.push_back(std::move(piece));
  if (!full()) return;
  if (!replaying_) {
    overflowed_ = true;
    pieces_.clear();
    bytes_ = 0;
    return;
  }
  while (full() && pieces_.size() > 1) {
    bytes_ -= pieces_.front().text.size();
    pieces_.pop_front();
  }
}

std::string EventQueue::take() {
  std::string text;
  text.reserve(bytes_);
  if (!pieces_.empty() && pieces_.front().id > seen_ + 1)
    text = event_text(std::nullopt, "gap",
                      R"({"from":)" + std::to_string(seen_ + 1) + R"(,"to":)" +
                          std::to_string(pieces_.front().id - 1) + "}");
  for (const Piece& piece : pieces_) text += piece.text;
  if (!pieces_.empty()) seen_ = pieces_.back().id;
  pieces_.clear();
  bytes_ = 0;
  return text;
}

std::string event_text(std::optional<std::uint64_t> id, std::string_view type,
                       std::string_view json) {
  std::string text;
  text.reserve(json.size() + 64);
  if (id) text += "id: " + std::to_string(*id) + "\n";
  text += "event: ";
  text += type;
  text += "\ndata: ";
  text += json;
  return text + "\n\n";
}

std::optional<std::uint64_t> seen_before(std::string_view said, std::uint64_t last) {
  std::uint64_t id = 0;
  const char* const end = said.data() + said.size();
  const auto [stopped_at, error] = std::from_chars(said.data(), end, id);
  if (said.empty() || error != std::errc{} || stopped_at != end) return std::nullopt;
  return id > last ? 0 : id;
}

}  // namespace holdfast::api
