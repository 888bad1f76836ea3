/// The raw bytes of a value inside a JSON text. Frames are stored and forwarded as the bytes that
/// came, so what a caller sees is never the work of a serialiser.
///
/// Made for any input: on text that is no JSON the answer is "nothing" or some span inside the
/// text, never a read outside of it, never more than linear time, no recursion. Whoever needs to
/// know that a value is well-formed parses it.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace holdfast::upstream {

/// One member of a JSON object.
struct JsonMember {
  std::string_view key;    ///< between the quotes, escapes as they came
  std::string_view value;  ///< without the white space around it

  /// Whether the key, its escapes resolved, is `name`.
  [[nodiscard]] bool is(std::string_view name) const;
};

/// Walks over the members of one object, in the order of the text.
class JsonMembers {
 public:
  /// `text`: the object, white space around it allowed. Must outlive the walk.
  explicit JsonMembers(std::string_view text) noexcept;

  /// The next member; nothing behind the last one, and where the text stops being JSON.
  [[nodiscard]] std::optional<JsonMember> next() noexcept;

  /// After `next()` gave nothing: whether the object was closed and nothing follows it.
  [[nodiscard]] bool complete() const noexcept { return complete_; }

 private:
  void skip_space() noexcept;
  [[nodiscard]] bool take(char expected) noexcept;
  [[nodiscard]] std::optional<std::string_view> take_string() noexcept;
  [[nodiscard]] bool skip_value() noexcept;

  std::string_view text_;
  std::size_t at_ = 0;
  bool open_ = false;  ///< between the braces
  bool first_ = true;  ///< no comma is due
  bool complete_ = false;
};

/// The value under `path` ({"params", "result"}: the member `result` of the member `params`). Of
/// equal keys the last one counts, as in JSON parsers.
[[nodiscard]] std::optional<std::string_view> find_span(
    std::string_view json, std::initializer_list<std::string_view> path) noexcept;

}  // namespace holdfast::upstream
