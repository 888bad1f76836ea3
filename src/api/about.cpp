#include <algorithm>
#include <api/about.hpp>
#include <api/replies.hpp>

namespace holdfast::api {

bool is_rest_version(std::string_view version) {
  const auto dot = version.find('.');
  if (dot == std::string_view::npos) return false;
  const auto is_count = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const std::string_view second = version.substr(dot + 1);
  return is_count(version.substr(0, dot)) && is_count(second.substr(0, second.find('-')));
}

std::string about_json(const std::vector<std::string>& bridge_versions) {
  const auto known = std::ranges::find_if(bridge_versions, is_rest_version);
  const std::string version = known == bridge_versions.end() ? "0.100" : *known;
  return R"({"versions":["v1","v2"],"build":2,"mode":"json-rpc","version":)" + json_text(version) +
         R"(,"capabilities":{"v2/send":["quotes","mentions"]}})";
}

}  // namespace holdfast::api
