/// A frame as one line for a person.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::app {

/// When, from whom (and in which group), and what: "2025-03-01T14:02:07.125Z  Ada +15550100002:
/// hello". Safe for a terminal. `frame`: `{"envelope":…,"account":…}` as the bridge gave it.
[[nodiscard]] std::string message_text(std::string_view frame);

}  // namespace holdfast::app
