#include <net/http.hpp>
#include <net/http_wire.hpp>
#include <net/url.hpp>

namespace holdfast::net {
namespace {

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Whether a comma-separated header lists `token`.
bool lists(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [key, value] : headers) {
    if (!equal_without_case(key, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (equal_without_case(trim(rest.substr(0, comma)), token)) return true;
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    }
  }
  return false;
}

/// Calls `visit(name, value)`, both as they came, until it returns true.
template <typename Visit>
bool any_query_pair(std::string_view target, Visit visit) {
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return false;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const auto equals = pair.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    if (!pair.empty() && visit(pair.substr(0, equals), value)) return true;
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return false;
}

}  // namespace

std::string_view header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (equal_without_case(key, name)) return value;
  }
  return {};
}

std::string HttpRequest::raw_path() const { return target.substr(0, target.find('?')); }

std::string HttpRequest::path() const { return percent_decode(raw_path()); }

std::string HttpRequest::query(std::string_view name) const {
  std::string found;
  any_query_pair(target, [&](std::string_view key, std::string_view value) {
    if (percent_decode(key) != name) return false;
    found = percent_decode(value);
    return true;
  });
  return found;
}

bool HttpRequest::has_query(std::string_view name) const {
  return any_query_pair(
      target, [&](std::string_view key, std::string_view) { return percent_decode(key) == name; });
}

bool HttpRequest::is_websocket_upgrade() const {
  return lists(headers, "Upgrade", "websocket") && lists(headers, "Connection", "upgrade");
}

}  // namespace holdfast::net
