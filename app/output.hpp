/// What the short commands print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::app {

/// Writes `text` to standard output at once; false when nobody takes it any more.
bool print(std::string_view text);

/// Writes "holdfast: <sentence>" to standard error and returns `exit_code`.
int fail(int exit_code, std::string_view sentence);

/// `text` from somebody else, safe for a terminal: no control characters, line breaks indented.
[[nodiscard]] std::string harmless(std::string_view text);

/// "1 message", "2 messages".
[[nodiscard]] std::string counted(std::int64_t count, std::string_view what);

}  // namespace holdfast::app
