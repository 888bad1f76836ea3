#include <fmt/format.h>
#include <toml++/toml.h>

#include <app/config_file.hpp>
#include <app/values.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <utility>

namespace holdfast::app {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::size_t listed_max = 10'000;  // accounts or host names in one list

/// What a value is, for a person.
std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

/// Reads one file; the first error sticks and what follows does nothing.
class Reader {
 public:
  explicit Reader(std::filesystem::path file) : file_{std::move(file)} {}

  /// One key of a table, and what to do with its value.
  struct Key {
    std::string_view name;
    std::function<void(const std::string& what, const toml::node&)> read;
  };

  /// Calls each key's reader; a key that is not among `keys` is an error. `prefix`: "pacing." or
  /// "".
  void table(const toml::table& table, std::string_view prefix, std::span<const Key> keys) {
    for (const auto& [name, node] : table) {
      const Key* known = nullptr;
      std::vector<std::string_view> names;
      for (const Key& key : keys) {
        names.push_back(key.name);
        if (key.name == name.str()) known = &key;
      }
      if (known == nullptr) {
        fail(name.source(), fmt::format("unknown key {}", unknown_word(name.str(), names)) +
                                (prefix.empty() ? "" : fmt::format(" (in [{}])", prefix)));
        return;
      }
      known->read(
          prefix.empty() ? std::string{name.str()} : fmt::format("{}.{}", prefix, name.str()),
          node);
      if (error_) return;
    }
  }

  void sub_table(const std::string& what, const toml::node& node, std::span<const Key> keys) {
    if (const toml::table* found = node.as_table()) {
      table(*found, what, keys);
    } else {
      wrong_kind(what, node, fmt::format("a table, written [{}]", what));
    }
  }

  std::optional<std::string> text(const std::string& what, const toml::node& node) {
    if (const auto* found = node.as_string()) return found->get();
    wrong_kind(what, node, "text in quotes");
    return std::nullopt;
  }

  std::optional<bool> boolean(const std::string& what, const toml::node& node) {
    if (const auto* found = node.as_boolean()) return found->get();
    wrong_kind(what, node, "true or false");
    return std::nullopt;
  }

  std::optional<std::int64_t> integer(const std::string& what, const toml::node& node) {
    if (const auto* found = node.as_integer()) return found->get();
    wrong_kind(what, node, "a whole number");
    return std::nullopt;
  }

  /// A path, relative to the file's directory.
  std::optional<std::filesystem::path> path(const std::string& what, const toml::node& node) {
    const auto found = text(what, node);
    if (!found) return std::nullopt;
    if (found->empty() || found->starts_with('~')) {
      fail(node.source(), fmt::format("{}: \"{}\" is no path; write it in full", what, *found));
      return std::nullopt;
    }
    return file_.parent_path() / *found;
  }

  std::vector<std::pair<std::string, toml::source_region>> texts(const std::string& what,
                                                                 const toml::node& node) {
    std::vector<std::pair<std::string, toml::source_region>> all;
    const toml::array* list = node.as_array();
    if (list == nullptr) {
      wrong_kind(what, node, "a list of texts, such as [\"…\"]");
      return all;
    }
    if (list->size() > listed_max) {
      fail(node.source(), fmt::format("{} has more than {} values", what, listed_max));
      return all;
    }
    for (const toml::node& item : *list) {
      auto value = text(what, item);
      if (!value) break;
      all.emplace_back(std::move(*value), item.source());
    }
    return all;
  }

  /// The value, or nothing and an error that names the line.
  template <typename T>
  std::optional<T> checked(const std::string& what, const toml::source_region& where,
                           Result<T> result) {
    if (result) return std::move(*result);
    fail(where, fmt::format("{}: {}", what, result.error().message));
    return std::nullopt;
  }

  void fail(const toml::source_region& where, std::string message) {
    if (error_) return;
    error_ = Error{Errc::invalid_argument,
                   fmt::format("{}:{}: {}", file_.string(), where.begin.line, std::move(message))};
  }

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  void wrong_kind(const std::string& what, const toml::node& node, std::string_view wanted) {
    fail(node.source(), fmt::format("{} must be {}, not {}", what, wanted, kind_of(node)));
  }

  std::filesystem::path file_;
  std::optional<Error> error_;
};

using Key = Reader::Key;

void read_upstream(Reader& reader, const toml::node& node, Settings& settings) {
  gateway::Upstream upstream;
  const std::array keys{
      Key{"url",
          [&](const std::string& what, const toml::node& value) {
            const auto url = reader.text(what, value);
            if (!url) return;
            auto parsed = reader.checked(what, value.source(), parse_upstream_url(*url));
            if (!parsed) return;
            upstream.url = *url;
            upstream.parsed = std::move(*parsed);
          }},
      Key{"accounts",
          [&](const std::string& what, const toml::node& value) {
            for (const auto& [account, where] : reader.texts(what, value)) {
              auto parsed = reader.checked(what, where, parse_account(account));
              if (!parsed) return;
              upstream.accounts.push_back(std::move(*parsed));
            }
          }},
  };
  reader.sub_table("upstream", node, keys);
  if (upstream.url.empty()) {
    reader.fail(node.source(), "this [[upstream]] has no url");
  } else if (upstream.accounts.empty()) {
    reader.fail(node.source(),
                "this [[upstream]] has no accounts; for example: accounts = [\"+15550100001\"]");
  }
  settings.upstreams.push_back(std::move(upstream));
}

void read_upstreams(Reader& reader, const toml::node& node, Settings& settings) {
  const toml::array* list = node.as_array();
  if (list == nullptr || !list->is_homogeneous(toml::node_type::table)) {
    reader.fail(node.source(), "an upstream is written [[upstream]], with two brackets");
    return;
  }
  for (const toml::node& item : *list) {
    read_upstream(reader, item, settings);
    if (reader.error()) return;
  }
}

void read_link(Reader& reader, const std::string& what, const toml::node& node,
               Settings& settings) {
  const std::array keys{
      Key{"jitter",
          [&](const std::string& name, const toml::node& value) {
            const auto text = reader.text(name, value);
            if (!text) return;
            settings.jitter = core::parse_jitter(*text);
            if (!settings.jitter) {
              constexpr std::array<std::string_view, 3> known{"none", "equal", "full"};
              reader.fail(value.source(),
                          fmt::format("{}: no such kind: {}", name, unknown_word(*text, known)));
            }
          }},
      Key{"hints", [&](const std::string& name,
                       const toml::node& value) { settings.hints = reader.boolean(name, value); }},
  };
  reader.sub_table(what, node, keys);
}

void read_pacing(Reader& reader, const std::string& what, const toml::node& node,
                 Settings& settings) {
  const std::array keys{
      Key{"rate",
          [&](const std::string& name, const toml::node& value) {
            if (const auto text = reader.text(name, value)) {
              settings.rate_per_s = reader.checked(name, value.source(), parse_rate(*text));
            }
          }},
      Key{"burst",
          [&](const std::string& name, const toml::node& value) {
            if (const auto burst = reader.integer(name, value)) {
              settings.burst = reader.checked(name, value.source(), check_burst(*burst));
            }
          }},
  };
  reader.sub_table(what, node, keys);
}

void read_send(Reader& reader, const std::string& what, const toml::node& node,
               Settings& settings) {
  const std::array keys{
      Key{"wait",
          [&](const std::string& name, const toml::node& value) {
            if (const auto text = reader.text(name, value)) {
              settings.send_wait =
                  reader.checked(name, value.source(), parse_duration(*text, send_wait_max));
            }
          }},
  };
  reader.sub_table(what, node, keys);
}

void read_auth(Reader& reader, const std::string& what, const toml::node& node,
               Settings& settings) {
  const std::array keys{
      Key{"token_file",
          [&](const std::string& name, const toml::node& value) {
            settings.token_file = reader.path(name, value);
          }},
      Key{"mode",
          [&](const std::string& name, const toml::node& value) {
            const auto text = reader.text(name, value);
            if (!text) return;
            settings.auth_none = *text == "none";
            if (!settings.auth_none) {
              reader.fail(
                  value.source(),
                  fmt::format("{}: \"{}\" is no mode; the only one is \"none\", and without "
                              "it token_file says who may call",
                              name, *text));
            }
          }},
  };
  reader.sub_table(what, node, keys);
}

void read_server(Reader& reader, const std::string& what, const toml::node& node,
                 Settings& settings) {
  const std::array keys{
      Key{"allowed_hosts",
          [&](const std::string& name, const toml::node& value) {
            for (auto& [host, where] : reader.texts(name, value)) {
              if (host.empty() || host.find_first_of(":/ ") != std::string::npos) {
                reader.fail(where, fmt::format("{}: \"{}\" is no host name; write it without a "
                                               "scheme and a port, such as box.lan",
                                               name, host));
                return;
              }
              settings.allowed_hosts.push_back(std::move(host));
            }
          }},
  };
  reader.sub_table(what, node, keys);
}

Settings read_all(Reader& reader, const toml::table& root) {
  Settings settings;
  // clang-format off
  const std::array keys{
      Key{"upstream", [&](const std::string&, const toml::node& node) { read_upstreams(reader, node, settings); }},
      Key{"listen", [&](const std::string& what, const toml::node& node) {
            if (const auto text = reader.text(what, node)) {
              settings.listen = reader.checked(what, node.source(), net::parse_listen_address(*text));
            }
          }},
      Key{"data_dir", [&](const std::string& what, const toml::node& node) { settings.data_dir = reader.path(what, node); }},
      Key{"link", [&](const std::string& what, const toml::node& node) { read_link(reader, what, node, settings); }},
      Key{"pacing", [&](const std::string& what, const toml::node& node) { read_pacing(reader, what, node, settings); }},
      Key{"send", [&](const std::string& what, const toml::node& node) { read_send(reader, what, node, settings); }},
      Key{"auth", [&](const std::string& what, const toml::node& node) { read_auth(reader, what, node, settings); }},
      Key{"server", [&](const std::string& what, const toml::node& node) { read_server(reader, what, node, settings); }},
  };
  // clang-format on
  reader.table(root, "", keys);
  return settings;
}

}  // namespace

Result<Settings> parse_config(std::string_view text, const std::filesystem::path& file) {
  Reader reader{file};
  try {
    const toml::table root = toml::parse(text, file.string());
    Settings settings = read_all(reader, root);
    if (reader.error()) return *reader.error();
    return settings;
  } catch (const toml::parse_error& broken) {
    reader.fail(broken.source(), std::string{broken.description()});
    return *reader.error();
  }
}

Result<Settings> read_config_file(const std::filesystem::path& file) {
  const auto refuse = [&](const std::string& why) {
    return Error{Errc::invalid_argument,
                 fmt::format("the configuration file {}: {}", file.string(), why)};
  };
  std::error_code ec;
  if (std::filesystem::is_directory(file, ec)) return refuse("it is a directory");
  std::ifstream in{file, std::ios::binary};
  if (!in) return refuse(std::strerror(errno));
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return refuse("it cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max) {
    return refuse(fmt::format("it is larger than {} bytes", file_bytes_max));
  }
  return parse_config(text, file);
}

}  // namespace holdfast::app
