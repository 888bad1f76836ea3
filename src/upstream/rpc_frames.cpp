#include <algorithm>
#include <boost/json/parse.hpp>
#include <charconv>
#include <upstream/json_span.hpp>
#include <upstream/rpc_frames.hpp>
#include <upstream/words.hpp>

namespace holdfast::upstream {

namespace {

namespace json = boost::json;

/// Whether the JSON value is the string `text`.
bool is_string(std::string_view value, std::string_view text) {
  if (value.size() < 2 || value.front() != '"') return false;
  return JsonMember{value.substr(1, value.size() - 2), {}}.is(text);
}

}  // namespace

std::string_view frame_in(std::string_view params) noexcept {
  const auto result = find_span(params, {"result"});
  return result && result->starts_with('{') ? *result : params;
}

bool is_for(std::string_view frame, std::string_view account) noexcept {
  const auto named = find_span(frame, {"account"});
  return !named || *named == "null" || is_string(*named, account);
}

std::int64_t error_code_of(std::string_view error) noexcept {
  const auto code = find_span(error, {"code"});
  std::int64_t number = 0;
  if (code) std::from_chars(code->data(), code->data() + code->size(), number);
  return number;
}

std::string version_in(std::string_view result) {
  json::error_code ec;
  const json::value parsed = json::parse(result, ec);
  const json::object* object = ec ? nullptr : parsed.if_object();
  const json::value* version = object ? object->if_contains("version") : nullptr;
  if (version == nullptr || !version->is_string()) return {};
  return one_line(std::string_view{version->get_string()}, 40);
}

std::string listed_note(std::string_view result, std::string_view account) {
  json::error_code ec;
  const json::value parsed = json::parse(result, ec);
  const json::array* list = ec ? nullptr : parsed.if_array();
  if (list == nullptr) return "signal-cli's list of accounts could not be read";
  const bool listed = std::any_of(list->begin(), list->end(), [&](const json::value& entry) {
    const json::object* object = entry.if_object();
    const json::value* number = object ? object->if_contains("number") : nullptr;
    return number && number->is_string() && std::string_view{number->get_string()} == account;
  });
  if (listed) return {};
  return "signal-cli has no such account; register or link it there, or restart signal-cli if it "
         "was started without network";
}

}  // namespace holdfast::upstream
