/// The configuration file, in TOML. docs/configuration.md lists every key.
#pragma once

#include <app/settings.hpp>
#include <filesystem>
#include <string_view>

namespace holdfast::app {

/// Reads `file`. Relative paths in it are relative to its directory. Errors name the file, the line
/// and, for a word nobody knows, the nearest one that is known.
[[nodiscard]] Result<Settings> read_config_file(const std::filesystem::path& file);

/// The same from text; `file` is what errors call it, and where relative paths start.
[[nodiscard]] Result<Settings> parse_config(std::string_view text,
                                            const std::filesystem::path& file);

}  // namespace holdfast::app
