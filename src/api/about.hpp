/// `/v1/about`: what bots ask before they start.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

/// Whether a bridge's version is one of signal-cli-rest-api's ("0.100"); signal-cli's have three
/// numbers ("0.14.6").
[[nodiscard]] bool is_rest_version(std::string_view version);

/// The body of `/v1/about`; `bridge_versions`: the last known one of each link, or "".
[[nodiscard]] std::string about_json(const std::vector<std::string>& bridge_versions);

}  // namespace holdfast::api
