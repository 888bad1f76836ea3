#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <app/settings.hpp>
#include <app/values.hpp>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

namespace holdfast::app {
namespace {

Error invalid(std::string message) { return Error{Errc::invalid_argument, std::move(message)}; }

template <typename T>
std::optional<T> first(std::optional<T> preferred, std::optional<T> other) {
  return preferred ? std::move(preferred) : std::move(other);
}

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<void> check_token(std::string_view token) {
  if (token.size() < token_chars_min) {
    return invalid(
        fmt::format("a token of {} characters is too short; take at least {}, such as "
                    "the output of: openssl rand -hex 16",
                    token.size(), token_chars_min));
  }
  for (const char c : token) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (!plain) {
      return invalid(
          "a token may only have letters, digits and -_.~, because bots write it into a URL");
    }
  }
  return {};
}

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view blank = " \t\r";
  const auto begin = line.find_first_not_of(blank);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(blank) - begin + 1);
}

Result<void> check_accounts(const std::vector<gateway::Upstream>& upstreams) {
  std::set<std::string> seen;
  for (const gateway::Upstream& upstream : upstreams) {
    for (const std::string& account : upstream.accounts) {
      if (!seen.insert(account).second) {
        return invalid(
            fmt::format("the account {} is given twice; one account is held on one bridge only",
                        redacted(account)));
      }
    }
  }
  return {};
}

Result<void> check_reach(const gateway::Config& config) {
  if (config.listen.is_local() || !config.tokens.empty() || config.auth_none) return {};
  return invalid(fmt::format(
      "{} can be reached by other machines, so it needs a token: set token_file under [auth] in "
      "the "
      "configuration file, or listen on 127.0.0.1; mode = \"none\" under [auth] lets everyone in",
      config.listen.to_string()));
}

}  // namespace

Result<net::Url> parse_upstream_url(std::string_view text) {
  constexpr std::array<std::string_view, 6> bridges{"http", "https", "unix", "tcp", "tls", "sim"};
  auto url = net::parse_url(text);
  if (url && std::find(bridges.begin(), bridges.end(), url->scheme) == bridges.end()) {
    return invalid(
        fmt::format("no bridge is spoken to by \"{}:\"; write http:// or https:// for "
                    "signal-cli-rest-api, and unix:/path, tcp:// or tls:// for a signal-cli daemon",
                    url->scheme));
  }
  return url;
}

Result<void> UpstreamPairing::upstream(std::string_view url) {
  if (!upstreams_.empty() && upstreams_.back().accounts.empty()) {
    return invalid(fmt::format("--upstream {} has no --account behind it", upstreams_.back().url));
  }
  auto parsed = parse_upstream_url(url);
  if (!parsed) return invalid("--upstream: " + parsed.error().message);
  upstreams_.push_back(gateway::Upstream{std::string{url}, std::move(*parsed), {}});
  return {};
}

Result<void> UpstreamPairing::account(std::string_view account) {
  auto parsed = parse_account(account);
  if (!parsed) return invalid("--account: " + parsed.error().message);
  if (upstreams_.empty()) {
    return invalid(fmt::format(
        "--account {} has no --upstream before it; an account belongs to the upstream before it",
        redacted(*parsed)));
  }
  upstreams_.back().accounts.push_back(std::move(*parsed));
  return {};
}

Result<std::vector<gateway::Upstream>> UpstreamPairing::finish() {
  if (!upstreams_.empty() && upstreams_.back().accounts.empty()) {
    return invalid(fmt::format("--upstream {} has no --account behind it", upstreams_.back().url));
  }
  return std::move(upstreams_);
}

Environment Environment::of_process() {
  return Environment{environment_variable("XDG_STATE_HOME"), environment_variable("HOME"),
                     ::geteuid() == 0};
}

Result<std::filesystem::path> default_data_dir(const Environment& environment) {
  const std::filesystem::path state_home{environment.xdg_state_home};
  if (state_home.is_absolute()) return state_home / "holdfast";
  if (environment.is_root) return std::filesystem::path{"/var/lib/holdfast"};
  const std::filesystem::path home{environment.home};
  if (home.is_absolute()) return home / ".local" / "state" / "holdfast";
  return invalid("there is no home directory to keep the messages in; choose one with --data-dir");
}

Result<std::vector<std::string>> read_tokens(const std::filesystem::path& file) {
  const auto refuse = [&](std::string_view why) {
    return invalid(fmt::format("the token file {}: {}", file.string(), why));
  };
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return refuse(std::strerror(errno));
  if (!S_ISREG(found.st_mode)) return refuse("not a file");
  if ((found.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return refuse(
        fmt::format("other users may read or change it; run: chmod 600 {}", file.string()));
  }
  std::ifstream in{file};
  if (!in) return refuse(std::strerror(errno));
  std::vector<std::string> tokens;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const std::string_view token = trimmed(line);
    if (token.empty() || token.starts_with('#')) continue;
    if (auto checked = check_token(token); !checked) {
      return refuse(fmt::format("line {}: {}", number, checked.error().message));
    }
    if (tokens.size() == tokens_max) return refuse(fmt::format("more than {} tokens", tokens_max));
    tokens.emplace_back(token);
  }
  if (in.bad()) return refuse("it cannot be read");
  if (tokens.empty()) return refuse("there is no token in it");
  return tokens;
}

Result<gateway::Config> make_config(Settings flags, Settings file, const Environment& environment) {
  gateway::Config config;
  config.upstreams =
      flags.upstreams.empty() ? std::move(file.upstreams) : std::move(flags.upstreams);
  if (config.upstreams.empty()) {
    return invalid(
        "no bridge is given; for example: "
        "--upstream http://127.0.0.1:8080 --account +15550100001");
  }
  if (auto checked = check_accounts(config.upstreams); !checked) return checked.error();

  config.listen = first(std::move(flags.listen), std::move(file.listen)).value_or(config.listen);
  config.jitter = first(flags.jitter, file.jitter).value_or(config.jitter);
  config.hints = first(flags.hints, file.hints).value_or(config.hints);
  config.send_wait = first(flags.send_wait, file.send_wait).value_or(config.send_wait);
  if (const auto rate = first(flags.rate_per_s, file.rate_per_s)) {
    if (std::isinf(*rate)) {
      config.pacing = RateLimiter::unlimited();
    } else {
      config.pacing.account_rate_per_s = *rate;
    }
  }
  config.pacing.account_burst =
      first(flags.burst, file.burst).value_or(config.pacing.account_burst);

  if (auto data_dir = first(std::move(flags.data_dir), std::move(file.data_dir))) {
    config.data_dir = std::move(*data_dir);
  } else {
    auto usual = default_data_dir(environment);
    if (!usual) return usual.error();
    config.data_dir = std::move(*usual);
  }

  config.allowed_hosts = std::move(file.allowed_hosts);
  config.auth_none = file.auth_none;
  if (file.token_file) {
    if (file.auth_none) {
      return invalid("[auth] has both a token_file and mode = \"none\"; keep one of them");
    }
    auto tokens = read_tokens(*file.token_file);
    if (!tokens) return tokens.error();
    config.tokens = std::move(*tokens);
  }
  if (auto checked = check_reach(config); !checked) return checked.error();
  return config;
}

}  // namespace holdfast::app
