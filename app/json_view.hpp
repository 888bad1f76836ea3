/// Looks into JSON that this or another process wrote, without trusting it: what is missing, or is
/// something else, reads as nothing.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

class JsonView {
 public:
  explicit JsonView(const boost::json::value* value = nullptr) : value_{value} {}

  [[nodiscard]] bool exists() const { return value_ != nullptr && !value_->is_null(); }
  [[nodiscard]] JsonView operator[](std::string_view key) const {
    if (value_ == nullptr || !value_->is_object()) return JsonView{};
    return JsonView{value_->get_object().if_contains(key)};
  }
  /// The elements of a list; empty for anything else.
  [[nodiscard]] std::vector<JsonView> elements() const {
    std::vector<JsonView> all;
    if (value_ == nullptr || !value_->is_array()) return all;
    for (const boost::json::value& element : value_->get_array()) all.emplace_back(&element);
    return all;
  }

  [[nodiscard]] std::string text(std::string_view key) const { return (*this)[key].as_text(); }
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t otherwise = 0) const {
    return (*this)[key].as_integer(otherwise);
  }
  [[nodiscard]] bool boolean(std::string_view key) const {
    const JsonView found = (*this)[key];
    return found.exists() && found.value_->is_bool() && found.value_->get_bool();
  }

  [[nodiscard]] std::string as_text() const {
    if (value_ == nullptr || !value_->is_string()) return {};
    const boost::json::string& text = value_->get_string();
    return {text.data(), text.size()};
  }
  [[nodiscard]] std::int64_t as_integer(std::int64_t otherwise = 0) const {
    if (value_ == nullptr) return otherwise;
    boost::system::error_code ec;
    const auto number = value_->to_number<std::int64_t>(ec);
    return ec ? otherwise : number;
  }

 private:
  const boost::json::value* value_;
};

/// A parsed text; its root does not exist where the text is no JSON.
class JsonDocument {
 public:
  explicit JsonDocument(std::string_view text) {
    boost::system::error_code ec;
    value_ = boost::json::parse(text, ec);
    if (!ec) root_ = JsonView{&value_};
  }
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  [[nodiscard]] const JsonView& root() const { return root_; }
  [[nodiscard]] const boost::json::value& value() const { return value_; }

 private:
  boost::json::value value_;
  JsonView root_;
};

}  // namespace holdfast::app
