#include <api/about.hpp>
#include <api/context.hpp>
#include <api/outbox_query.hpp>
#include <api/replies.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <gateway/snapshot.hpp>

namespace holdfast::api {

namespace json = boost::json;

net::HttpResponse unknown_account() {
  return error_response(404, "not_found", "Holdfast holds no such account");
}

net::HttpResponse about(const gateway::Daemon& daemon) {
  std::vector<std::string> versions;
  for (core::LinkId id = 0; id < daemon.links(); ++id)
    versions.push_back(daemon.view(id).link.bridge_version);
  return json_response(200, about_json(versions));
}

net::HttpResponse status(const gateway::Daemon& daemon) {
  return json_response(200, json::serialize(gateway::status_json(daemon)));
}

net::HttpResponse links(const gateway::Daemon& daemon) {
  json::array list;
  for (core::LinkId id = 0; id < daemon.links(); ++id)
    list.push_back(gateway::link_json(daemon.view(id)));
  json::object body;
  body["links"] = std::move(list);
  return json_response(200, json::serialize(body));
}

net::HttpResponse link(const gateway::Daemon& daemon, const std::string& account) {
  const auto id = daemon.find(account);
  if (!id) return unknown_account();
  return json_response(200, json::serialize(gateway::link_json(daemon.view(*id))));
}

net::HttpResponse retry(gateway::Daemon& daemon, const std::string& account) {
  const auto id = daemon.find(account);
  if (!id) return unknown_account();
  const bool retrying = daemon.retry_now(*id);
  const std::string state{to_string(daemon.view(*id).link.state)};
  return json_response(202, std::string{R"({"retrying":)"} + (retrying ? "true" : "false") +
                                R"(,"state":)" + json_text(state) + "}");
}

net::HttpResponse healthz() { return json_response(200, R"({"ok":true})"); }

net::HttpResponse readyz(const gateway::Daemon& daemon, bool with_links) {
  json::array reasons;
  const store::StoreStatus store = daemon.store_status();
  if (!store.writable)
    reasons.emplace_back("the store is not writable: " +
                         (store.problem.empty() ? "no reason is known" : store.problem));
  for (core::LinkId id = 0; with_links && id < daemon.links(); ++id) {
    const gateway::LinkView view = daemon.view(id);
    if (!view.link.ready)
      reasons.emplace_back("the link of " + view.account + " is " +
                           std::string{to_string(view.link.state)} + ": " + view.link.evidence);
  }
  if (reasons.empty()) return json_response(200, R"({"ready":true})");
  json::object body{{"ready", false}, {"error", reasons.front()}, {"code", "unavailable"}};
  body["reasons"] = std::move(reasons);
  return json_response(503, json::serialize(body));
}

// --- Outbox -------------------------------------------------------------------------------------

Handled handle_outbox(ContextPtr context, net::Exchange& exchange) {
  gateway::Daemon& daemon = *context->daemon;
  const std::uint64_t epoch = daemon.epoch();
  const net::HttpRequest& request = exchange.request();
  auto query = read_outbox_query(epoch, OutboxQueryText{.state = request.query("state"),
                                                        .account = request.query("account"),
                                                        .before = request.query("before"),
                                                        .limit = request.query("limit")});
  if (!query) co_return error_response(query.error());
  if (!query->account.empty() && !daemon.find(query->account)) co_return unknown_account();

  const std::size_t limit = query->count_max;
  auto reading = daemon.read_entries(std::move(*query));
  const auto entries = co_await std::move(reading);
  if (!entries) co_return error_response(entries.error());
  json::array list;
  for (const core::Entry& entry : *entries) list.push_back(gateway::entry_json(epoch, entry));
  json::object body;
  body["entries"] = std::move(list);
  body["next_before"] = entries->size() < limit
                            ? json::value(nullptr)
                            : json::value(core::entry_id(epoch, entries->back()));
  co_return json_response(200, json::serialize(body));
}

Handled handle_outbox_entry(ContextPtr context, std::string id) {
  gateway::Daemon& daemon = *context->daemon;
  const net::HttpResponse unknown =
      error_response(404, "not_found", "there is no send with this id");
  const auto parsed = core::parse_id(daemon.epoch(), id);
  if (!parsed) co_return unknown;
  auto reading = daemon.read_send(parsed->first_seq);
  auto parts = co_await std::move(reading);
  if (!parts && parts.error().code == Errc::not_found) co_return unknown;
  if (!parts) co_return error_response(parts.error());
  if (parts->empty() || parsed->part > parts->size()) co_return unknown;
  if (parsed->part > 0) *parts = std::vector{std::move(parts->at(parsed->part - 1))};
  co_return json_response(200, json::serialize(gateway::send_json(daemon.epoch(), *parts)));
}

}  // namespace holdfast::api
