#include <algorithm>
#include <api/routes.hpp>
#include <array>
#include <net/url.hpp>

namespace holdfast::api {
namespace {

struct Pattern {
  std::string_view path;  ///< a segment "*" takes any, and is the argument
  std::string_view methods;
  Endpoint endpoint;
};

// clang-format off
constexpr std::array patterns{
    Pattern{"/v1/about",                   "GET, HEAD",    Endpoint::about},
    Pattern{"/v1/health",                  "GET, HEAD",    Endpoint::health},
    Pattern{"/v2/send",                    "POST",         Endpoint::send_v2},
    Pattern{"/v1/send",                    "POST",         Endpoint::send_v1},
    Pattern{"/v1/receive/*",               "GET",          Endpoint::receive},
    Pattern{"/v1/reactions/*",             "POST, DELETE", Endpoint::reactions},
    Pattern{"/v1/receipts/*",              "POST",         Endpoint::receipts},
    Pattern{"/v1/remote-delete/*",         "DELETE",       Endpoint::remote_delete},
    Pattern{"/holdfast/v1/status",         "GET, HEAD",    Endpoint::status},
    Pattern{"/holdfast/v1/links",          "GET, HEAD",    Endpoint::links},
    Pattern{"/holdfast/v1/links/*",        "GET, HEAD",    Endpoint::link},
    Pattern{"/holdfast/v1/links/*/retry",  "POST",         Endpoint::retry},
    Pattern{"/holdfast/v1/events",         "GET",          Endpoint::events},
    Pattern{"/holdfast/v1/outbox",         "GET, HEAD",    Endpoint::outbox},
    Pattern{"/holdfast/v1/outbox/*",       "GET, HEAD",    Endpoint::outbox_entry},
    Pattern{"/healthz",                    "GET, HEAD",    Endpoint::healthz},
    Pattern{"/readyz",                     "GET, HEAD",    Endpoint::readyz},
    Pattern{"/",                           "GET, HEAD",    Endpoint::page},
    Pattern{"/holdfast.css",               "GET, HEAD",    Endpoint::page_style},
    Pattern{"/holdfast.js",                "GET, HEAD",    Endpoint::page_script},
};
// clang-format on

/// Takes the next segment off `path`, with the slash before it.
std::string_view take_segment(std::string_view& path) {
  const auto end = std::min(path.find('/', 1), path.size());
  const std::string_view segment = path.substr(1, end - 1);
  path.remove_prefix(end);
  return segment;
}

bool matches(std::string_view pattern, std::string_view path, std::string& argument) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_segment(pattern);
    const std::string_view given = take_segment(path);
    if (wanted == "*" && !given.empty())
      argument = net::percent_decode(given);
    else if (wanted != given)
      return false;
  }
  return pattern.empty() && path.empty();
}

bool under(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder);
}

}  // namespace

Route find_route(std::string_view raw_path) {
  Route route;
  if (!raw_path.starts_with('/')) return route;
  for (const Pattern& pattern : patterns) {
    std::string argument;
    if (!matches(pattern.path, raw_path, argument)) continue;
    route.endpoint = pattern.endpoint;
    route.methods = pattern.methods;
    route.argument = std::move(argument);
    return route;
  }
  const bool bridge = under(raw_path, "/v1/") || under(raw_path, "/v2/");
  if ((bridge || under(raw_path, "/holdfast/v1/")) && raw_path.ends_with('/'))
    route.endpoint = Endpoint::redirect;
  else if (bridge)
    route.endpoint = Endpoint::forward;
  return route;
}

bool takes(const Route& route, std::string_view method) {
  std::string_view rest = route.methods;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(", "), rest.size());
    if (rest.substr(0, end) == method) return true;
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return route.methods.empty();
}

std::vector<std::string> segments_of(std::string_view raw_path) {
  std::vector<std::string> segments;
  while (raw_path.starts_with('/')) segments.push_back(net::percent_decode(take_segment(raw_path)));
  return segments;
}

}  // namespace holdfast::api
