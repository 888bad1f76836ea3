/// Reading loosely typed JSON, as people write it into a control request.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::bridge_sim {

namespace json = boost::json;

[[nodiscard]] inline std::string to_text(const json::value& value) {
  if (value.is_string()) return std::string{value.get_string().data(), value.get_string().size()};
  return json::serialize(value);
}

[[nodiscard]] inline std::string text_of(const json::object& object, std::string_view key,
                                         std::string_view otherwise = {}) {
  const json::value* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? std::string{otherwise} : to_text(*value);
}

[[nodiscard]] inline std::optional<std::int64_t> number_of(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64()) return static_cast<std::int64_t>(value.get_uint64());
  if (value.is_double()) return static_cast<std::int64_t>(value.get_double());
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_string();
  std::int64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

[[nodiscard]] inline std::optional<std::int64_t> number_of(const json::object& object,
                                                           std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? std::nullopt : number_of(*value);
}

[[nodiscard]] inline bool flag_of(const json::object& object, std::string_view key,
                                  bool otherwise = false) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return otherwise;
  if (value->is_bool()) return value->get_bool();
  return to_text(*value) == "true" || to_text(*value) == "1";
}

/// A list, or a single value as a list of one.
[[nodiscard]] inline std::vector<std::string> texts_of(const json::value& value) {
  std::vector<std::string> texts;
  if (value.is_null()) return texts;
  if (!value.is_array()) {
    texts.push_back(to_text(value));
    return texts;
  }
  for (const json::value& item : value.get_array()) texts.push_back(to_text(item));
  return texts;
}

[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);
[[nodiscard]] bool is_uuid(std::string_view text);

}  // namespace holdfast::bridge_sim
