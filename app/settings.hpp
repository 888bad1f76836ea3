/// What a person chose, on the command line or in the file, and how it becomes a configuration.
#pragma once

#include <core/jitter.hpp>
#include <cstdint>
#include <filesystem>
#include <gateway/config.hpp>
#include <holdfast/result.hpp>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::app {

/// The longest `--send-wait`: callers of /v2/send give up long before.
inline constexpr core::Duration send_wait_max{10 * 60'000};
inline constexpr std::size_t token_chars_min = 16;
inline constexpr std::size_t tokens_max = 1'000;

/// One source's choices; nothing where it says nothing.
struct Settings {
  std::vector<gateway::Upstream> upstreams;
  std::optional<net::Endpoint> listen;
  std::optional<std::filesystem::path> data_dir;
  std::optional<core::JitterKind> jitter;
  std::optional<bool> hints;
  std::optional<double> rate_per_s;  ///< `unlimited_rate` turns pacing off
  std::optional<std::uint32_t> burst;
  std::optional<core::Duration> send_wait;
  std::optional<std::filesystem::path> token_file;
  bool auth_none = false;
  std::vector<std::string> allowed_hosts;
};

/// A bridge's address: `net::parse_url()` for the schemes that lead to a bridge.
[[nodiscard]] Result<net::Url> parse_upstream_url(std::string_view text);

/// `--upstream` and `--account` in the order in which they were written: an account belongs to the
/// upstream before it. Errors name what lacks its partner.
class UpstreamPairing {
 public:
  Result<void> upstream(std::string_view url);
  Result<void> account(std::string_view account);
  /// Whatever was given, complete.
  Result<std::vector<gateway::Upstream>> finish();

 private:
  std::vector<gateway::Upstream> upstreams_;
};

/// What the process finds around it.
struct Environment {
  std::string xdg_state_home;
  std::string home;
  bool is_root = false;

  [[nodiscard]] static Environment of_process();
};

/// Where the store is unless somebody says otherwise: $XDG_STATE_HOME/holdfast, /var/lib/holdfast
/// for root, ~/.local/state/holdfast for everyone else.
[[nodiscard]] Result<std::filesystem::path> default_data_dir(const Environment& environment);

/// The tokens of `file`: one a line, blank lines and lines that start with '#' are none. Refused
/// where other users may read the file, and for tokens that are short or do not fit into a URL.
[[nodiscard]] Result<std::vector<std::string>> read_tokens(const std::filesystem::path& file);

/// Each choice of `flags`, else of `file`, else the default. The upstreams of `flags`, where there
/// are any, replace all of the file's. Reads the token file. Errors: `invalid_argument`.
[[nodiscard]] Result<gateway::Config> make_config(Settings flags, Settings file,
                                                  const Environment& environment);

}  // namespace holdfast::app
