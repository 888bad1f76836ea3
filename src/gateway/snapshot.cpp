#include <algorithm>
#include <gateway/snapshot.hpp>
#include <gateway/version.hpp>

namespace holdfast::gateway {
namespace json = boost::json;
namespace {

/// Unix milliseconds, or null for "never".
json::value at(std::int64_t ms) { return ms == 0 ? json::value(nullptr) : json::value(ms); }

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

/// How the way in stands: only `ok` means that frames come and are stored.
const char* receive_health(const core::LinkStatus& link) {
  if (link.paused) return "paused";
  if (link.state == ConnectionState::connected) return "ok";
  if (link.state == ConnectionState::syncing) return "syncing";
  return "down";
}

const char* send_health(const core::LinkStatus& link) {
  const bool connected =
      link.state == ConnectionState::connected || link.state == ConnectionState::syncing;
  if (!connected) return "down";
  if (!link.send_known) return "unknown";
  return link.send_ok ? "ok" : "failing";
}

json::string state_name(ConnectionState state) { return json::string(to_string(state)); }

}  // namespace

json::object transition_json(const core::Transition& transition, const std::string& account) {
  json::object object{{"account", account},
                      {"from", state_name(transition.from)},
                      {"to", state_name(transition.to)},
                      {"at", transition.at_ms},
                      {"reason", core::to_string(transition.reason)},
                      {"evidence", transition.evidence},
                      {"attempt_count", transition.attempt_count}};
  if (transition.to == ConnectionState::reconnecting) {
    object["nominal_delay_ms"] = transition.nominal_delay.count();
    object["actual_delay_ms"] = transition.actual_delay.count();
    object["next_attempt_at"] = at(transition.next_attempt_at_ms);
  }
  return object;
}

json::object link_json(const LinkView& view) {
  const core::LinkStatus& link = view.link;
  json::array transitions;
  if (view.transitions != nullptr)
    for (const core::Transition& transition : *view.transitions)
      transitions.push_back(transition_json(transition, view.account));
  json::object object{{"account", view.account},
                      {"upstream", view.upstream},
                      {"state", state_name(link.state)},
                      {"since", link.since_ms},
                      {"reason", core::to_string(link.reason)},
                      {"evidence", link.evidence},
                      {"attempt_count", link.attempt_count},
                      {"nominal_delay_ms", link.nominal_delay.count()},
                      {"actual_delay_ms", link.actual_delay.count()},
                      {"next_attempt_at", at(link.next_attempt_at_ms)},
                      {"ready", link.ready},
                      {"receive_health", receive_health(link)},
                      {"send_health", send_health(link)},
                      {"send_evidence", text_or_null(link.send_evidence)},
                      {"note", text_or_null(link.note)},
                      {"bridge_version", text_or_null(link.bridge_version)}};
  object["sync"] = link.phase == core::Phase::none
                       ? json::value(nullptr)
                       : json::value(json::object{{"phase", core::to_string(link.phase)},
                                                  {"frames", link.phase_frames},
                                                  {"deadline_at", at(link.phase_deadline_ms)}});
  object["inbound"] = json::object{{"frames", view.intake.frames},
                                   {"duplicates", view.intake.duplicates},
                                   {"ephemeral", view.intake.ephemeral},
                                   {"malformed", view.intake.malformed},
                                   {"waiting_for_disk", view.intake.waiting},
                                   {"last_seq", view.intake.last_seq},
                                   {"cursor", view.cursor},
                                   {"lag", view.lag},
                                   {"clients", view.clients}};
  object["outbox"] = json::object{{"queued", view.outbox.queued},
                                  {"sending", view.outbox.sending},
                                  {"unknown", view.outbox.unknown},
                                  {"held", view.outbox.held},
                                  {"bytes", view.outbox.bytes},
                                  {"oldest_at", at(view.outbox.oldest_ms)},
                                  {"frozen_until", at(view.outbox.frozen_until_ms)},
                                  {"challenge_token", text_or_null(view.outbox.challenge_token)}};
  object["transitions"] = std::move(transitions);
  return object;
}

json::object status_json(const Daemon& daemon) {
  json::array links;
  bool ready = daemon.links() > 0;
  for (core::LinkId id = 0; id < daemon.links(); ++id) {
    const LinkView view = daemon.view(id);
    ready = ready && view.link.ready;
    links.push_back(link_json(view));
  }
  const store::StoreStatus store = daemon.store_status();
  return json::object{{"version", version},
                      {"epoch", std::to_string(daemon.epoch())},
                      {"started_at", daemon.started_at_ms()},
                      {"now", wall_ms()},
                      {"ready", ready && store.writable},
                      {"links", std::move(links)},
                      {"store", json::object{{"writable", store.writable},
                                             {"problem", text_or_null(store.problem)},
                                             {"check", store.check},
                                             {"bytes", store.bytes},
                                             {"disk_free_bytes", store.disk_free_bytes},
                                             {"commits", store.commits},
                                             {"commit_ms_p50", store.commit_ms_p50},
                                             {"commit_ms_p99", store.commit_ms_p99}}}};
}

json::object entry_json(std::uint64_t epoch, const core::Entry& entry) {
  return json::object{{"id", core::entry_id(epoch, entry)},
                      {"account", entry.account},
                      {"recipient", entry.recipient},
                      {"operation", core::to_string(entry.operation)},
                      {"state", core::to_string(entry.state)},
                      {"attempts", entry.attempts},
                      {"possible_duplicate", entry.possible_duplicate},
                      {"out_of_order", entry.out_of_order},
                      {"created_at", entry.created_at_ms},
                      {"expires_at", entry.expires_at_ms},
                      {"timestamp", at(entry.timestamp)},
                      {"provisional_timestamp", entry.provisional_timestamp},
                      {"error", text_or_null(entry.error)}};
}

namespace {

json::object part_json(std::uint64_t epoch, const store::EntryDetail& detail) {
  json::object object = entry_json(epoch, detail.entry);
  json::array history;
  for (const core::LedgerRow& row : detail.history)
    history.push_back(json::object{
        {"from", row.from ? json::value(core::to_string(*row.from)) : json::value(nullptr)},
        {"to", core::to_string(row.to)},
        {"at", row.at_ms},
        {"why", text_or_null(row.why)}});
  object["history"] = std::move(history);
  return object;
}

/// The state of a send with several parts: the one that most needs attention.
core::EntryState state_of(const std::vector<store::EntryDetail>& parts) {
  using enum core::EntryState;
  for (const core::EntryState state : {sending, queued, unknown, held, failed, expired, cancelled})
    for (const store::EntryDetail& part : parts)
      if (part.entry.state == state) return state;
  return sent;
}

}  // namespace

json::object send_json(std::uint64_t epoch, const std::vector<store::EntryDetail>& parts) {
  json::object object = part_json(epoch, parts.front());
  if (parts.size() == 1) return object;
  object["id"] = core::send_id(epoch, parts.front().entry);
  object["state"] = core::to_string(state_of(parts));
  object.erase("recipient");
  json::array list;
  std::uint32_t attempts = 0;
  bool possible_duplicate = false;
  for (const store::EntryDetail& part : parts) {
    attempts = std::max(attempts, part.entry.attempts);
    possible_duplicate = possible_duplicate || part.entry.possible_duplicate;
    list.push_back(part_json(epoch, part));
  }
  object["attempts"] = attempts;
  object["possible_duplicate"] = possible_duplicate;
  object["parts"] = std::move(list);
  return object;
}

}  // namespace holdfast::gateway
