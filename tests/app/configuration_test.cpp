#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <app/config_file.hpp>
#include <app/settings.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>

namespace holdfast::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Environment person{"", "/home/person", false};

Settings with_upstream() {
  UpstreamPairing pairing;
  EXPECT_TRUE(pairing.upstream("http://127.0.0.1:8080"));
  EXPECT_TRUE(pairing.account("+15550100001"));
  Settings settings;
  settings.upstreams = *pairing.finish();
  return settings;
}

std::string file_refusal(std::string_view text) {
  const auto settings = parse_config(text, "h.toml");
  return settings ? "it was accepted" : settings.error().message;
}

/// A directory of the test's own.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
    path_ = name;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::filesystem::path file(const std::string& name, std::string_view text, mode_t mode) {
    const auto file = path_ / name;
    std::ofstream{file} << text;
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    return file;
  }

 private:
  std::filesystem::path path_;
};

TEST(ConfigFile, SetsEverything) {
  const auto settings = parse_config(R"(
listen = "127.0.0.1:9000"
data_dir = "/srv/holdfast"
[[upstream]]
url = "unix:/run/signal"
accounts = ["+15550100001", "+15550100002"]
[[upstream]]
url = "http://127.0.0.1:8080"
accounts = ["+15550100003"]
[link]
jitter = "full"
hints = false
[pacing]
rate = "60/min"
burst = 5
[send]
wait = "1s"
[auth]
token_file = "tokens"
[server]
allowed_hosts = ["box.lan"]
)",
                                     "/etc/holdfast/h.toml");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->listen->port, 9000);
  EXPECT_EQ(settings->data_dir, "/srv/holdfast");
  ASSERT_EQ(settings->upstreams.size(), 2u);
  EXPECT_EQ(settings->upstreams[0].url, "unix:/run/signal");
  EXPECT_THAT(settings->upstreams[0].accounts, ElementsAre("+15550100001", "+15550100002"));
  EXPECT_THAT(settings->upstreams[1].accounts, ElementsAre("+15550100003"));
  EXPECT_EQ(settings->jitter, core::JitterKind::full);
  EXPECT_EQ(settings->hints, false);
  EXPECT_EQ(settings->rate_per_s, 1.0);
  EXPECT_EQ(settings->burst, 5u);
  EXPECT_EQ(settings->send_wait, core::Duration{1'000});
  EXPECT_EQ(settings->token_file, "/etc/holdfast/tokens");
  EXPECT_THAT(settings->allowed_hosts, ElementsAre("box.lan"));
}

TEST(ConfigFile, NamesTheLineOfAnUnknownKeyAndTheNearestOne) {
  EXPECT_EQ(file_refusal("listen = \"8090\"\nlissten = \"8091\"\n"),
            "h.toml:2: unknown key \"lissten\"; did you mean \"listen\"?");
  EXPECT_EQ(file_refusal("[pacing]\n\nbursts = 3\n"),
            "h.toml:3: unknown key \"bursts\"; did you mean \"burst\"? (in [pacing])");
  EXPECT_EQ(file_refusal("[[upstream]]\nurl = \"sim:\"\naccount = \"+15550100001\"\n"),
            "h.toml:3: unknown key \"account\"; did you mean \"accounts\"? (in [upstream])");
}

TEST(ConfigFile, NamesTheLineOfAWrongType) {
  EXPECT_EQ(file_refusal("\nlisten = 8090\n"),
            "h.toml:2: listen must be text in quotes, not a whole number");
  EXPECT_EQ(file_refusal("[link]\nhints = \"no\"\n"),
            "h.toml:2: link.hints must be true or false, not text");
  EXPECT_EQ(file_refusal("[pacing]\nburst = 2.5\n"),
            "h.toml:2: pacing.burst must be a whole number, not a number");
  EXPECT_EQ(file_refusal("pacing = 3\n"),
            "h.toml:1: pacing must be a table, written [pacing], not a whole number");
  EXPECT_EQ(file_refusal("[[upstream]]\nurl = \"sim:\"\naccounts = \"+15550100001\"\n"),
            "h.toml:3: upstream.accounts must be a list of texts, such as [\"…\"], not text");
}

TEST(ConfigFile, NamesTheLineOfAWrongValue) {
  EXPECT_THAT(file_refusal("[pacing]\nrate = \"fast\"\n"),
              HasSubstr("h.toml:2: pacing.rate: \"fast\" is no rate"));
  EXPECT_THAT(
      file_refusal("[[upstream]]\nurl = \"sim:\"\naccounts = [\n\"+15550100001\",\n\"1\"]\n"),
      HasSubstr("h.toml:5: upstream.accounts: \"1\" is no account"));
  EXPECT_THAT(file_refusal("[[upstream]]\nurl = \"htp://x\"\n"),
              HasSubstr("h.toml:2: upstream.url: \"htp\""));
  EXPECT_THAT(file_refusal("[auth]\nmode = \"open\"\n"), HasSubstr("h.toml:2: auth.mode"));
  EXPECT_THAT(file_refusal("[server]\nallowed_hosts = [\"http://box\"]\n"),
              HasSubstr("h.toml:2: server.allowed_hosts"));
}

TEST(ConfigFile, NamesTheLineOfASyntaxError) {
  EXPECT_THAT(file_refusal("listen = \"8090\"\nlisten = \n"), HasSubstr("h.toml:2: "));
}

TEST(ConfigFile, WantsUpstreamsComplete) {
  EXPECT_EQ(file_refusal("[[upstream]]\naccounts = [\"+15550100001\"]\n"),
            "h.toml:1: this [[upstream]] has no url");
  EXPECT_THAT(file_refusal("[[upstream]]\nurl = \"sim:\"\n"),
              HasSubstr("h.toml:1: this [[upstream]] has no accounts"));
  EXPECT_THAT(file_refusal("[upstream]\nurl = \"sim:\"\n"), HasSubstr("two brackets"));
}

TEST(ConfigFile, WithoutAFileSaysSo) {
  const auto settings = read_config_file("/nonexistent/h.toml");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().message,
            "the configuration file /nonexistent/h.toml: No such file or directory");
}

TEST(Configuration, LetsFlagsWinOverTheFile) {
  Settings flags = with_upstream();
  flags.burst = 7;
  Settings file;
  file.upstreams = {gateway::Upstream{"sim:", *net::parse_url("sim:"), {"+15550100009"}}};
  file.burst = 3;
  file.rate_per_s = 4;
  const auto config = make_config(std::move(flags), std::move(file), person);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->upstreams.size(), 1u);
  EXPECT_EQ(config->upstreams[0].url, "http://127.0.0.1:8080");
  EXPECT_EQ(config->pacing.account_burst, 7u);
  EXPECT_EQ(config->pacing.account_rate_per_s, 4);
}

TEST(Configuration, HasTheDocumentedDefaults) {
  const auto config = make_config(with_upstream(), {}, person);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen.to_string(), "127.0.0.1:8090");
  EXPECT_EQ(config->data_dir, "/home/person/.local/state/holdfast");
  EXPECT_EQ(config->jitter, core::JitterKind::equal);
  EXPECT_TRUE(config->hints);
  EXPECT_EQ(config->pacing.account_rate_per_s, 2);
  EXPECT_EQ(config->pacing.account_burst, 20u);
  EXPECT_EQ(config->pacing.recipient_rate_per_s, 1);
  EXPECT_EQ(config->pacing.recipient_burst, 10u);
  EXPECT_EQ(config->send_wait, core::Duration{3'000});
}

TEST(Configuration, TurnsPacingOffForRecipientsToo) {
  Settings flags = with_upstream();
  flags.rate_per_s = unlimited_rate;
  const auto config = make_config(std::move(flags), {}, person);
  ASSERT_TRUE(config);
  EXPECT_TRUE(std::isinf(config->pacing.account_rate_per_s));
  EXPECT_TRUE(std::isinf(config->pacing.recipient_rate_per_s));
}

TEST(Configuration, NeedsABridge) {
  EXPECT_THAT(make_config({}, {}, person).error().message, HasSubstr("no bridge is given"));
}

TEST(Configuration, RefusesAnAccountTwice) {
  UpstreamPairing pairing;
  ASSERT_TRUE(pairing.upstream("sim:"));
  ASSERT_TRUE(pairing.account("+15550100001"));
  ASSERT_TRUE(pairing.upstream("http://127.0.0.1:8080"));
  ASSERT_TRUE(pairing.account("+15550100001"));
  Settings flags;
  flags.upstreams = *pairing.finish();
  EXPECT_THAT(make_config(std::move(flags), {}, person).error().message,
              HasSubstr("the account …01 is given twice"));
}

TEST(DataDir, FollowsTheEnvironment) {
  EXPECT_EQ(*default_data_dir({"/state", "/home/p", false}), "/state/holdfast");
  EXPECT_EQ(*default_data_dir({"", "/home/p", false}), "/home/p/.local/state/holdfast");
  EXPECT_EQ(*default_data_dir({"relative", "/home/p", false}), "/home/p/.local/state/holdfast");
  EXPECT_EQ(*default_data_dir({"", "/root", true}), "/var/lib/holdfast");
  EXPECT_THAT(default_data_dir({"", "", false}).error().message, HasSubstr("--data-dir"));
}

TEST(Reach, BeyondLoopbackNeedsATokenOrAWord) {
  Settings flags = with_upstream();
  flags.listen = *net::parse_listen_address("0.0.0.0:8090");
  EXPECT_THAT(make_config(flags, {}, person).error().message,
              HasSubstr("0.0.0.0:8090 can be reached by other machines, so it needs a token"));

  Settings open;
  open.auth_none = true;
  const auto config = make_config(flags, open, person);
  ASSERT_TRUE(config);
  EXPECT_TRUE(config->auth_none);

  Scratch scratch;
  Settings guarded;
  guarded.token_file = scratch.file("tokens", "0123456789abcdef\n", 0600);
  EXPECT_TRUE(make_config(flags, guarded, person));

  guarded.auth_none = true;
  EXPECT_THAT(make_config(flags, guarded, person).error().message, HasSubstr("keep one of them"));
}

TEST(Tokens, AreReadOnePerLine) {
  Scratch scratch;
  const auto file =
      scratch.file("tokens", "# the bot\n0123456789abcdef\r\n\n  fedcba9876543210-_.~  \n", 0600);
  const auto tokens = read_tokens(file);
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_THAT(*tokens, ElementsAre("0123456789abcdef", "fedcba9876543210-_.~"));
}

TEST(Tokens, AreRefusedWhereOthersCanReadThem) {
  Scratch scratch;
  const auto tokens = read_tokens(scratch.file("tokens", "0123456789abcdef\n", 0644));
  ASSERT_FALSE(tokens);
  EXPECT_THAT(tokens.error().message, HasSubstr("run: chmod 600"));
}

TEST(Tokens, NeverAppearInAnError) {
  Scratch scratch;
  for (const char* token : {"short-secret", "with spaces inside it"}) {
    const auto tokens = read_tokens(scratch.file("tokens", token, 0600));
    ASSERT_FALSE(tokens);
    EXPECT_THAT(tokens.error().message, HasSubstr("line 1: "));
    EXPECT_THAT(tokens.error().message, testing::Not(HasSubstr(token)));
  }
}

TEST(Tokens, MustBeThere) {
  Scratch scratch;
  EXPECT_THAT(read_tokens(scratch.file("tokens", "# none\n", 0600)).error().message,
              HasSubstr("there is no token in it"));
  EXPECT_THAT(read_tokens("/nonexistent/tokens").error().message, HasSubstr("No such file"));
}

}  // namespace
}  // namespace holdfast::app
