#include <fmt/format.h>

#include <app/output.hpp>
#include <cstdio>

namespace holdfast::app {

bool print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
         std::fflush(stdout) == 0;
}

int fail(int exit_code, std::string_view sentence) {
  const std::string line = fmt::format("holdfast: {}\n", sentence);
  std::fwrite(line.data(), 1, line.size(), stderr);
  return exit_code;
}

std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (c == '\n') {
      out += "\n    ";
    } else if (c < 0x20 || c == 0x7f) {
      out += ' ';
    } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {  // U+0080 to U+009F
      out += ' ';
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string counted(std::int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace holdfast::app
