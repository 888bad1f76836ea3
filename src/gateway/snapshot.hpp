/// The one snapshot behind the API, the command line, the page and the events, as JSON.
#pragma once

#include <boost/json.hpp>
#include <gateway/daemon.hpp>

namespace holdfast::gateway {

/// `/holdfast/v1/links` → `links[]`. Times are Unix milliseconds (`…_at`, `since`), 0 or null:
/// none.
[[nodiscard]] boost::json::object link_json(const LinkView& view);
/// `/holdfast/v1/status`: version, epoch, uptime, links, store, and whether all is ready.
[[nodiscard]] boost::json::object status_json(const Daemon& daemon);
[[nodiscard]] boost::json::object transition_json(const core::Transition& transition,
                                                  const std::string& account);
/// `/holdfast/v1/outbox`: one entry as a caller knows it.
[[nodiscard]] boost::json::object entry_json(std::uint64_t epoch, const core::Entry& entry);
/// `/holdfast/v1/outbox/{id}`: one send with its history, and `parts` where it has several.
[[nodiscard]] boost::json::object send_json(std::uint64_t epoch,
                                            const std::vector<store::EntryDetail>& parts);

}  // namespace holdfast::gateway
