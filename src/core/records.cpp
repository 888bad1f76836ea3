#include <charconv>
#include <core/records.hpp>
#include <string_view>

namespace holdfast::core {
namespace {

/// The part of an id that tells stores apart: the low 32 bits of the epoch, 8 lower-case digits.
std::string epoch_prefix(std::uint64_t epoch) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text(8, '0');
  for (std::size_t i = text.size(); i-- > 0; epoch >>= 4U) text[i] = digits[epoch & 0xFU];
  return text;
}

/// A number above 0 as `std::to_string()` writes it; anything else is nothing.
template <typename Number>
std::optional<Number> parse_positive(std::string_view text) {
  if (text.empty() || text.front() == '0') return std::nullopt;
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped_at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stopped_at != end) return std::nullopt;
  return number;
}

}  // namespace

const char* to_string(FrameKind kind) noexcept {
  // clang-format off
  switch (kind) {
    case FrameKind::data: return "data";
    case FrameKind::edit: return "edit";
    case FrameKind::reaction: return "reaction";
    case FrameKind::remote_delete: return "remote_delete";
    case FrameKind::receipt: return "receipt";
    case FrameKind::typing: return "typing";
    case FrameKind::sync: return "sync";
    case FrameKind::call: return "call";
    case FrameKind::story: return "story";
    case FrameKind::exception: return "exception";
    case FrameKind::other: return "other";
    case FrameKind::malformed: return "malformed";
  }
  // clang-format on
  return "unknown";
}

const char* to_string(EntryState state) noexcept {
  // clang-format off
  switch (state) {
    case EntryState::queued: return "queued";
    case EntryState::sending: return "sending";
    case EntryState::sent: return "sent";
    case EntryState::failed: return "failed";
    case EntryState::unknown: return "unknown";
    case EntryState::held: return "held";
    case EntryState::cancelled: return "cancelled";
    case EntryState::expired: return "expired";
  }
  // clang-format on
  return "invalid";
}

const char* to_string(Operation operation) noexcept {
  // clang-format off
  switch (operation) {
    case Operation::send: return "send";
    case Operation::reaction: return "reaction";
    case Operation::remove_reaction: return "remove_reaction";
    case Operation::receipt: return "receipt";
    case Operation::remote_delete: return "remote_delete";
  }
  // clang-format on
  return "unknown";
}

std::string send_id(std::uint64_t epoch, const Entry& entry) {
  return epoch_prefix(epoch) + '-' + std::to_string(entry.first_seq);
}

std::string entry_id(std::uint64_t epoch, const Entry& entry) {
  std::string id = send_id(epoch, entry);
  if (entry.parts > 1) id += '.' + std::to_string(entry.seq - entry.first_seq + 1);
  return id;
}

std::optional<ParsedId> parse_id(std::uint64_t epoch, std::string_view id) {
  const std::string prefix = epoch_prefix(epoch) + '-';
  if (!id.starts_with(prefix)) return std::nullopt;
  id.remove_prefix(prefix.size());

  ParsedId parsed;
  const std::size_t dot = id.find('.');
  if (dot != std::string_view::npos) {
    const auto part = parse_positive<std::uint32_t>(id.substr(dot + 1));
    if (!part) return std::nullopt;
    parsed.part = *part;
  }
  const auto first_seq = parse_positive<Seq>(id.substr(0, dot));
  if (!first_seq) return std::nullopt;
  parsed.first_seq = *first_seq;
  return parsed;
}

}  // namespace holdfast::core
