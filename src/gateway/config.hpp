/// What a person can set, with its defaults. Filled by the command line and the TOML file.
#pragma once

#include <core/jitter.hpp>
#include <core/time.hpp>
#include <filesystem>
#include <holdfast/rate_limiter.hpp>
#include <net/url.hpp>
#include <string>
#include <vector>

namespace holdfast::gateway {

/// A bridge and the accounts that Holdfast holds on it.
struct Upstream {
  std::string url;  ///< as it was written; shown in the status
  net::Url parsed;
  std::vector<std::string> accounts;
};

struct Config {
  std::vector<Upstream> upstreams;
  net::Endpoint listen{net::Endpoint::Kind::tcp, "127.0.0.1", 8090};
  std::filesystem::path data_dir;
  core::JitterKind jitter = core::JitterKind::equal;
  bool hints = true;
  RateLimiterOptions pacing{};
  core::Duration send_wait{3'000};  ///< how long /v2/send waits for the real timestamp
  std::vector<std::string> tokens;  ///< any of them opens every face; empty: see `auth_none`
  bool auth_none = false;           ///< `[auth] mode = "none"`: beyond loopback without a token
  std::vector<std::string> allowed_hosts;  ///< further Host names that are not foreign
};

}  // namespace holdfast::gateway
