/// Requests that the bridge itself answers: which link they belong to, and what of them is passed
/// on. Pure.
#pragma once

#include <functional>
#include <net/http.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

/// The account that a path names: its first segment that is one of ours. Without one, nothing, and
/// `unknown` says whether a foreign account stands where an account belongs.
struct NamedAccount {
  std::optional<std::string> account;
  bool unknown = false;
};
[[nodiscard]] NamedAccount account_in(std::string_view raw_path,
                                      const std::function<bool(std::string_view)>& is_ours);

/// Takes off what concerns this connection alone.
void strip_hop_headers(net::Headers& headers);

/// Makes a bridge's response safe to show under our own address: what somebody sent as an
/// attachment must not run as a page of ours.
void contain(net::HttpResponse& response);

}  // namespace holdfast::api
