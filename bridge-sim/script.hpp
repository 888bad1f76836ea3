/// Script files: what happens when, one line each. `README.md` documents them.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <holdfast/result.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::bridge_sim {

namespace json = boost::json;

struct ScriptLine {
  std::chrono::milliseconds at{0};
  std::chrono::milliseconds every{0};  ///< repeats from `at` on; 0: once
  bool is_inject = false;              ///< else a fault
  json::object request;                ///< what the control call would get
};

struct Script {
  std::vector<ScriptLine> lines;
  std::chrono::milliseconds loop{0};  ///< starts again after this; 0: runs once
};

/// Errors name the line.
[[nodiscard]] Result<Script> parse_script(std::string_view text);

/// "500ms", "5s", "2m".
[[nodiscard]] Result<std::chrono::milliseconds> parse_time(std::string_view text);

}  // namespace holdfast::bridge_sim
