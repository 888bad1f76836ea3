/// Reads the few fields of a request that Holdfast decides by, out of a body that may hold 150 MiB
/// of attachments, without copying the rest.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

/// What a field must be; JSON's null counts as absent.
enum class FieldKind {
  text,
  texts,    ///< an array of texts
  blobs,    ///< the same, and only counted
  integer,  ///< a whole number of 64 bits
  flag,
  object,
  objects,
};

/// A field to read. "outer.inner" is a field of an object at the top level. The name is a literal.
struct FieldRule {
  std::string_view name;
  FieldKind kind;
};

class JsonFields {
 public:
  static constexpr std::size_t depth_max = 64;
  static constexpr std::size_t text_bytes_max = 64u << 10;  ///< longer ones are cut
  static constexpr std::size_t texts_max = 1'001;           ///< further ones are only counted

  /// Nothing where `json` is not one well-formed object, is nested deeper than 64, or breaks a
  /// rule. Fields without a rule may be anything. Of equal names the last one counts.
  [[nodiscard]] static std::optional<JsonFields> read(std::string_view json,
                                                      std::initializer_list<FieldRule> rules);

  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  [[nodiscard]] const std::string& text(std::string_view name) const;  ///< "" if absent
  [[nodiscard]] const std::vector<std::string>& texts(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;  ///< 0 if absent
  [[nodiscard]] bool flag(std::string_view name) const;             ///< false if absent
  [[nodiscard]] std::size_t count(std::string_view name) const;     ///< elements of an array
  [[nodiscard]] bool is_cut(std::string_view name) const;           ///< see `text_bytes_max`

 private:
  friend class FieldReader;
  struct Value {
    bool obeys = false;  ///< the rule
    std::string text;
    std::vector<std::string> texts;
    std::int64_t integer = 0;
    std::size_t count = 0;
    bool flag = false;
    bool cut = false;
  };
  [[nodiscard]] const Value& value(std::string_view name) const;

  std::map<std::string_view, Value> values_;
};

}  // namespace holdfast::api
