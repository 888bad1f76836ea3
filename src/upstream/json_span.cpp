#include <boost/json/parse.hpp>
#include <string>
#include <upstream/json_span.hpp>

namespace holdfast::upstream {

namespace {

constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// The index behind the string that opens at `at`, or npos if it does not end.
std::size_t string_end(std::string_view text, std::size_t at) noexcept {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

}  // namespace

bool JsonMember::is(std::string_view name) const {
  if (key.find('\\') == std::string_view::npos) return key == name;
  boost::json::error_code ec;
  const boost::json::value plain = boost::json::parse('"' + std::string{key} + '"', ec);
  return !ec && plain.is_string() && std::string_view{plain.get_string()} == name;
}

JsonMembers::JsonMembers(std::string_view text) noexcept : text_{text} {
  skip_space();
  open_ = take('{');
}

std::optional<JsonMember> JsonMembers::next() noexcept {
  if (!open_) return std::nullopt;
  skip_space();
  if (take('}')) {
    open_ = false;
    skip_space();
    complete_ = at_ == text_.size();
    return std::nullopt;
  }
  open_ = false;  // until the member proves to be one
  if (!first_ && !take(',')) return std::nullopt;
  skip_space();
  const auto key = take_string();
  if (!key) return std::nullopt;
  skip_space();
  if (!take(':')) return std::nullopt;
  skip_space();
  const std::size_t begin = at_;
  if (!skip_value()) return std::nullopt;
  open_ = true;
  first_ = false;
  return JsonMember{*key, text_.substr(begin, at_ - begin)};
}

void JsonMembers::skip_space() noexcept {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
}

bool JsonMembers::take(char expected) noexcept {
  if (at_ >= text_.size() || text_[at_] != expected) return false;
  ++at_;
  return true;
}

std::optional<std::string_view> JsonMembers::take_string() noexcept {
  if (at_ >= text_.size() || text_[at_] != '"') return std::nullopt;
  const std::size_t end = string_end(text_, at_);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view inside = text_.substr(at_ + 1, end - at_ - 2);
  at_ = end;
  return inside;
}

bool JsonMembers::skip_value() noexcept {
  const std::size_t begin = at_;
  std::size_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      const std::size_t end = string_end(text_, at_);
      if (end == std::string_view::npos) return false;
      at_ = end;
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at_;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;  // it closes the object around the value
      --depth;
      ++at_;
    } else if (depth == 0 && (c == ',' || is_space(c))) {
      break;
    } else {
      ++at_;
      continue;  // inside a number or a word, or white space and punctuation of a container
    }
    if (depth == 0) break;
  }
  return depth == 0 && at_ > begin;
}

std::optional<std::string_view> find_span(std::string_view json,
                                          std::initializer_list<std::string_view> path) noexcept {
  std::string_view here = json;
  for (const std::string_view name : path) {
    std::optional<std::string_view> found;
    JsonMembers members{here};
    while (const auto member = members.next()) {
      if (member->is(name)) found = member->value;
    }
    if (!found) return std::nullopt;
    here = *found;
  }
  return here;
}

}  // namespace holdfast::upstream
