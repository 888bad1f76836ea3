/// What a path means, and which methods it takes. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

enum class Endpoint {
  // The compatible face.
  about,
  health,
  send_v2,
  send_v1,
  receive,
  reactions,
  receipts,
  remote_delete,
  forward,  ///< whatever else the bridge may know
  // Holdfast's own.
  status,
  links,
  link,
  retry,
  events,
  outbox,
  outbox_entry,
  healthz,
  readyz,
  // The page and its parts.
  page,
  page_style,
  page_script,
  // Neither.
  redirect,  ///< the same path without its trailing slash, as the bridge does
  none,
};

struct Route {
  Endpoint endpoint = Endpoint::none;
  std::string_view methods;  ///< "GET, HEAD"; empty: any
  std::string argument;      ///< the account or the id in the path, decoded
};

/// `raw_path`: percent-encoded as it came, without the query.
[[nodiscard]] Route find_route(std::string_view raw_path);
[[nodiscard]] bool takes(const Route& route, std::string_view method);

/// The path's segments, each decoded: "/v1/groups/%2B1" gives "v1", "groups", "+1".
[[nodiscard]] std::vector<std::string> segments_of(std::string_view raw_path);

}  // namespace holdfast::api
