#include <array>
#include <cstddef>
#include <upstream/text_style.hpp>

namespace holdfast::upstream {

namespace {

/// What a mark opens and closes.
struct Mark {
  std::string_view text;
  std::array<std::string_view, 2> styles;
};

// A longer mark comes before its own beginning.
// clang-format off
constexpr std::array marks{
    Mark{"***", {"BOLD", "ITALIC"}},
    Mark{"**",  {"BOLD", ""}},
    Mark{"*",   {"ITALIC", ""}},
    Mark{"||",  {"SPOILER", ""}},
    Mark{"~",   {"STRIKETHROUGH", ""}},
    Mark{"`",   {"MONOSPACE", ""}},
};
// clang-format on

const Mark* mark_at(std::string_view text) {
  for (const Mark& mark : marks) {
    if (text.starts_with(mark.text)) return &mark;
  }
  return nullptr;
}

/// A backslash counts before these; before a lone "|" too, although that is no mark.
bool can_be_escaped(std::string_view text) {
  return !text.empty() && std::string_view{"*`|~"}.find(text.front()) != std::string_view::npos;
}

class StyleParser {
 public:
  StyledText parse(std::string_view markup) {
    bool escaped = false;
    while (!markup.empty()) {
      const Mark* mark = mark_at(markup);
      if (mark != nullptr) {
        if (escaped) {
          append(mark->text);
        } else {
          meet(*mark);
        }
        markup.remove_prefix(mark->text.size());
        escaped = false;
        continue;
      }
      escaped = markup.front() == '\\' && can_be_escaped(markup.substr(1));
      if (!escaped) append(markup.substr(0, 1));
      markup.remove_prefix(1);
    }
    return std::move(done_);
  }

 private:
  struct Open {
    const Mark* mark;
    std::size_t begin;
  };

  void append(std::string_view bytes) {
    done_.text += bytes;
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte & 0xc0u) != 0x80u) ++length_;  // the first byte of a character
      if (byte >= 0xf0u) ++length_;            // a surrogate pair
    }
  }

  /// Closes what the innermost equal mark opened, or opens something.
  void meet(const Mark& mark) {
    if (open_.empty() || open_.back().mark != &mark) {
      open_.push_back(Open{&mark, length_});
      return;
    }
    const std::size_t begin = open_.back().begin;
    open_.pop_back();
    for (const std::string_view style : mark.styles) {
      if (style.empty()) continue;
      done_.styles.push_back(std::to_string(begin) + ':' + std::to_string(length_ - begin) + ':' +
                             std::string{style});
    }
  }

  StyledText done_;
  std::size_t length_ = 0;  ///< of the text so far, in UTF-16 units
  std::vector<Open> open_;
};

}  // namespace

StyledText parse_styled(std::string_view markup) { return StyleParser{}.parse(markup); }

}  // namespace holdfast::upstream
