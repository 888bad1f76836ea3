#include <boost/json/parse.hpp>
#include <bridge_sim/bridge_sim.hpp>
#include <bridge_sim/script.hpp>
#include <bridge_sim/values.hpp>
#include <cmath>
#include <cstdlib>

namespace holdfast::bridge_sim {
namespace {

Error wrong(std::size_t line, const std::string& what) {
  return Error{Errc::invalid_argument, "script line " + std::to_string(line) + ": " + what};
}

/// Words; double quotes keep spaces together, and `\"` and `\\` are escapes within them.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  bool open = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '\\' && i + 1 < line.size()) {
      word += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
      open = true;
    } else if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
      if (open) words.push_back(std::exchange(word, {}));
      open = false;
    } else if (!quoted && !open && c == '#') {
      break;
    } else {
      word += c;
      open = true;
    }
  }
  if (open) words.push_back(word);
  return words;
}

/// `key=value`; a number, true or false becomes one, a phone number stays text.
void put(json::object& request, std::string_view key, const std::string& text) {
  if (text == "true" || text == "false") {
    request[key] = text == "true";
    return;
  }
  const auto number = text.starts_with('+') ? std::nullopt : number_of(json::value(text));
  if (number) {
    request[key] = *number;
  } else {
    request[key] = text;
  }
}

/// The words after the time: what happens, `for TIME`, `key=value`.
Result<ScriptLine> parse_action(std::size_t number, const std::vector<std::string>& words,
                                std::size_t first, ScriptLine line) {
  if (first >= words.size()) return wrong(number, "says when, but not what");
  line.is_inject = words[first] == "inject";
  if (!line.is_inject) line.request["kind"] = words[first];
  for (std::size_t i = first + 1; i < words.size(); ++i) {
    if (words[i] == "for" || words[i] == "from") {
      if (i + 1 >= words.size()) return wrong(number, "\"" + words[i] + "\" lacks a time");
      auto time = parse_time(words[i + 1]);
      if (!time) return wrong(number, time.error().message);
      if (words[i] == "for") line.request["for_ms"] = time->count();
      if (words[i] == "from") line.at = *time;
      ++i;
      continue;
    }
    const auto equals = words[i].find('=');
    if (equals == std::string::npos || equals == 0) {
      return wrong(number, "\"" + words[i] + "\" is neither key=value nor \"for TIME\"");
    }
    put(line.request, words[i].substr(0, equals), words[i].substr(equals + 1));
  }
  return line;
}

}  // namespace

Result<std::chrono::milliseconds> parse_time(std::string_view text) {
  const std::string copy{text};
  char* end = nullptr;
  const double number = std::strtod(copy.c_str(), &end);
  const std::string_view unit{end};
  const double scale = unit == "ms" ? 1 : unit == "s" ? 1'000 : unit == "m" ? 60'000 : 0;
  if (end == copy.c_str() || scale == 0 || !(number >= 0) || number * scale > 1e12) {
    return Error{Errc::invalid_argument, "\"" + copy + "\" is no time; write 500ms, 5s or 2m"};
  }
  return std::chrono::milliseconds{static_cast<std::int64_t>(std::llround(number * scale))};
}

Result<Script> parse_script(std::string_view text) {
  Script script;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    const auto words = words_of(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (words.empty()) continue;
    const bool known = words[0] == "at" || words[0] == "every" || words[0] == "loop";
    if (!known) return wrong(number, "begins with \"" + words[0] + "\", not at, every or loop");
    if (words.size() < 2) return wrong(number, "lacks a time");
    auto time = parse_time(words[1]);
    if (!time) return wrong(number, time.error().message);
    if (words[0] == "loop") {
      script.loop = *time;
      continue;
    }
    ScriptLine line;
    if (words[0] == "at") line.at = *time;
    if (words[0] == "every") line.every = *time;
    if (words[0] == "every" && time->count() == 0) return wrong(number, "repeats without a pause");
    auto parsed = parse_action(number, words, 2, std::move(line));
    if (!parsed) return parsed.error();
    script.lines.push_back(std::move(*parsed));
  }
  return script;
}

std::string demo_script() {
  return R"(# Traffic, and every kind of outage, over and over.
every 900ms inject text="status report {i}"
every 7s    inject kind=typing
every 11s   inject text="to the crew {i}" group=first
at 8s   restart for 3s
at 18s  drop
at 26s  accept_then_drop for 3s
at 38s  half_open for 22s
at 70s  rate_limit variant=plain retry_after_s=5 count=1
at 78s  deliver_then_drop
at 88s  refuse for 9s
at 88s  drop
loop 105s
)";
}

}  // namespace holdfast::bridge_sim
