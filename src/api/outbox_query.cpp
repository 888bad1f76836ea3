#include <algorithm>
#include <api/outbox_query.hpp>
#include <array>
#include <charconv>

namespace holdfast::api {
namespace {

constexpr std::size_t limit_max = 1'000;

using enum core::EntryState;
constexpr std::array states{queued, sending, sent, failed, unknown, held, cancelled, expired};

Error invalid(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }

}  // namespace

Result<store::EntryQuery> read_outbox_query(std::uint64_t epoch, const OutboxQueryText& text) {
  store::EntryQuery query;
  query.account = text.account;
  if (!text.state.empty()) {
    const auto* const state = std::ranges::find_if(
        states, [&](core::EntryState known) { return text.state == core::to_string(known); });
    if (state == states.end())
      return invalid(
          "state is one of queued, sending, sent, failed, unknown, held, cancelled and "
          "expired");
    query.state = *state;
  }
  if (!text.before.empty()) {
    const auto id = core::parse_id(epoch, text.before);
    if (!id) return invalid("before is the id of an entry");
    query.before = id->first_seq + std::max<std::uint32_t>(id->part, 1) - 1;
  }
  if (!text.limit.empty()) {
    const char* const end = text.limit.data() + text.limit.size();
    const auto [stopped_at, error] = std::from_chars(text.limit.data(), end, query.count_max);
    const bool in_range = query.count_max >= 1 && query.count_max <= limit_max;
    if (error != std::errc{} || stopped_at != end || !in_range)
      return invalid("limit is a number from 1 to " + std::to_string(limit_max));
  }
  return query;
}

}  // namespace holdfast::api
