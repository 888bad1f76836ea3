/// The light markup of `text_mode: styled`, read as signal-cli-rest-api reads it: `*italic*`,
/// `**bold**`, `***both***`, `~strikethrough~`, `||spoiler||`, `` `monospace` ``; a backslash
/// before a mark keeps it. Marks without a partner disappear, as they do there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::upstream {

struct StyledText {
  std::string text;                 ///< without the marks
  std::vector<std::string> styles;  ///< signal-cli's "start:length:STYLE", in UTF-16 units
};

/// `markup` is UTF-8.
[[nodiscard]] StyledText parse_styled(std::string_view markup);

}  // namespace holdfast::upstream
