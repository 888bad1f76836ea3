#include <algorithm>
#include <api/json_fields.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <utility>

namespace holdfast::api {

namespace json = boost::json;

/// The parser's events. Two levels are looked at: the object itself, and the arrays and objects
/// right in it. What is deeper is only checked for being JSON.
class FieldReader {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;
  using error_code = json::error_code;
  using View = json::string_view;

  FieldReader(JsonFields* fields, std::initializer_list<FieldRule> rules)
      : fields_{fields}, rules_(rules) {}

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code&) {
    if (!stack_.empty()) put(FieldKind::object, {});
    stack_.push_back(FieldKind::object);
    return true;
  }
  bool on_object_end(std::size_t, error_code&) { return close(); }
  bool on_array_begin(error_code& ec) {
    if (stack_.empty()) return refuse(ec);
    put(FieldKind::texts, {});
    stack_.push_back(FieldKind::texts);
    return true;
  }
  bool on_array_end(std::size_t, error_code&) { return close(); }

  bool on_key_part(View part, std::size_t, error_code&) {
    if (stack_.size() <= 2) append(key_, part);
    return true;
  }
  bool on_key(View part, std::size_t, error_code&) {
    if (stack_.size() > 2) return true;
    append(key_, part);
    const std::string name = std::exchange(key_, {});
    if (stack_.size() == 1) {
      const bool dotted = name.find('.') != std::string::npos;
      outer_ = dotted ? nullptr : rule_for(name);
    } else {
      inner_ = outer_ == nullptr ? nullptr : rule_for(std::string{outer_->name} + "." + name);
    }
    return true;
  }
  bool on_string_part(View part, std::size_t, error_code&) {
    if (keeps_text()) cut_ |= !append(text_, part);
    return true;
  }
  bool on_string(View part, std::size_t, error_code& ec) {
    JsonFields::Value value;
    if (keeps_text()) cut_ |= !append(text_, part);
    value.text = std::exchange(text_, {});
    value.cut = std::exchange(cut_, false);
    return scalar(FieldKind::text, std::move(value), ec);
  }
  bool on_number_part(View, error_code&) { return true; }
  bool on_int64(std::int64_t number, View, error_code& ec) {
    JsonFields::Value value;
    value.integer = number;
    return scalar(FieldKind::integer, std::move(value), ec);
  }
  bool on_uint64(std::uint64_t, View, error_code& ec) { return scalar(std::nullopt, {}, ec); }
  bool on_double(double, View, error_code& ec) { return scalar(std::nullopt, {}, ec); }
  bool on_bool(bool flag, error_code& ec) {
    JsonFields::Value value;
    value.flag = flag;
    return scalar(FieldKind::flag, std::move(value), ec);
  }
  bool on_null(error_code& ec) {
    if (stack_.empty()) return refuse(ec);
    if (in_array())
      put(outer_ != nullptr && outer_->kind == FieldKind::objects ? FieldKind::object
                                                                  : FieldKind::text,
          {});
    else if (const FieldRule* rule = rule_here())
      forget(*rule);
    return true;
  }
  bool on_comment_part(View, error_code&) { return true; }
  bool on_comment(View, error_code&) { return true; }

 private:
  /// The document must be an object.
  static bool refuse(error_code& ec) {
    ec = json::error::syntax;
    return false;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }
  bool scalar(std::optional<FieldKind> is, JsonFields::Value value, error_code& ec) {
    if (stack_.empty()) return refuse(ec);
    put(is, std::move(value));
    return true;
  }

  const FieldRule* rule_for(std::string_view name) const {
    const auto found = std::ranges::find(rules_, name, &FieldRule::name);
    return found == rules_.end() ? nullptr : found;
  }
  [[nodiscard]] bool in_array() const {
    return stack_.size() == 2 && stack_.back() == FieldKind::texts;
  }
  /// The rule of the value that comes next; of the array, for its elements.
  [[nodiscard]] const FieldRule* rule_here() const {
    if (stack_.size() == 1 || in_array()) return outer_;
    return stack_.size() == 2 ? inner_ : nullptr;
  }
  [[nodiscard]] bool keeps_text() const {
    const FieldRule* rule = rule_here();
    if (rule == nullptr) return false;
    if (!in_array()) return rule->kind == FieldKind::text;
    return rule->kind == FieldKind::texts &&
           fields_->value(rule->name).texts.size() < JsonFields::texts_max;
  }
  /// Whether all of it fitted.
  static bool append(std::string& text, View part) {
    const std::size_t room = JsonFields::text_bytes_max - text.size();
    text.append(part.data(), std::min(part.size(), room));
    return part.size() <= room;
  }

  /// A value of the kind `is` (`texts`: any array; nothing: a number that is not an integer).
  void put(std::optional<FieldKind> is, JsonFields::Value value) {
    const FieldRule* rule = rule_here();
    if (rule == nullptr) return;
    if (in_array()) return put_element(*rule, is, std::move(value));
    const bool wants_array = rule->kind == FieldKind::texts || rule->kind == FieldKind::blobs ||
                             rule->kind == FieldKind::objects;
    value.obeys = wants_array ? is == FieldKind::texts : is == rule->kind;
    forget(*rule);
    fields_->values_.insert_or_assign(rule->name, std::move(value));
  }
  void put_element(const FieldRule& rule, std::optional<FieldKind> is, JsonFields::Value element) {
    JsonFields::Value& array = fields_->values_.at(rule.name);
    ++array.count;
    if (is != (rule.kind == FieldKind::objects ? FieldKind::object : FieldKind::text))
      array.obeys = false;
    if (rule.kind == FieldKind::texts && array.texts.size() < JsonFields::texts_max)
      array.texts.push_back(std::move(element.text));
  }
  /// With what was in it.
  void forget(const FieldRule& rule) {
    const std::string inside = std::string{rule.name} + ".";
    std::erase_if(fields_->values_, [&](const auto& item) {
      return item.first == rule.name || item.first.starts_with(inside);
    });
  }

  JsonFields* fields_;
  std::initializer_list<FieldRule> rules_;
  std::vector<FieldKind> stack_;  ///< `object` or `texts` (an array)
  const FieldRule* outer_ = nullptr;
  const FieldRule* inner_ = nullptr;
  std::string key_, text_;
  bool cut_ = false;
};

std::optional<JsonFields> JsonFields::read(std::string_view json_text,
                                           std::initializer_list<FieldRule> rules) {
  JsonFields fields;
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<FieldReader> parser{options, &fields, rules};
  json::error_code ec;
  const std::size_t read = parser.write_some(false, json_text.data(), json_text.size(), ec);
  if (ec || read != json_text.size()) return std::nullopt;
  for (const auto& [name, value] : fields.values_)
    if (!value.obeys) return std::nullopt;
  return fields;
}

const JsonFields::Value& JsonFields::value(std::string_view name) const {
  static const Value absent;
  const auto found = values_.find(name);
  return found == values_.end() ? absent : found->second;
}

const std::string& JsonFields::text(std::string_view name) const { return value(name).text; }
const std::vector<std::string>& JsonFields::texts(std::string_view name) const {
  return value(name).texts;
}
std::int64_t JsonFields::integer(std::string_view name) const { return value(name).integer; }
bool JsonFields::flag(std::string_view name) const { return value(name).flag; }
std::size_t JsonFields::count(std::string_view name) const { return value(name).count; }
bool JsonFields::is_cut(std::string_view name) const { return value(name).cut; }

}  // namespace holdfast::api
