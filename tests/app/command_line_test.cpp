#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <app/command_line.hpp>
#include <app/exit_codes.hpp>
#include <vector>

namespace holdfast::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Command parse(std::vector<const char*> words) {
  words.insert(words.begin(), "holdfast");
  return parse_command_line(static_cast<int>(words.size()), words.data(), "1.2.3");
}

template <typename T>
T parse_as(const std::vector<const char*>& words) {
  Command command = parse(words);
  if (const Say* say = std::get_if<Say>(&command)) ADD_FAILURE() << say->text;
  return std::get<T>(std::move(command));
}

std::string refusal(const std::vector<const char*>& words) {
  const Command command = parse(words);
  const Say* say = std::get_if<Say>(&command);
  if (say == nullptr) return "it was accepted";
  EXPECT_EQ(say->exit_code, exit_usage);
  return say->text;
}

TEST(RunCommandLine, PairsEachAccountWithTheUpstreamBeforeIt) {
  const auto run =
      parse_as<RunCommand>({"run", "--upstream", "http://127.0.0.1:8080", "--account",
                            "+15550100001", "--account", "+15550100002", "--jitter", "none",
                            "--upstream=unix:/run/signal", "--account=+15550100003"});
  ASSERT_EQ(run.flags.upstreams.size(), 2u);
  EXPECT_EQ(run.flags.upstreams[0].url, "http://127.0.0.1:8080");
  EXPECT_EQ(run.flags.upstreams[0].parsed.endpoint.port, 8080);
  EXPECT_THAT(run.flags.upstreams[0].accounts, ElementsAre("+15550100001", "+15550100002"));
  EXPECT_EQ(run.flags.upstreams[1].parsed.endpoint.host, "/run/signal");
  EXPECT_THAT(run.flags.upstreams[1].accounts, ElementsAre("+15550100003"));
}

TEST(RunCommandLine, RefusesAnUpstreamWithoutAnAccount) {
  EXPECT_EQ(refusal({"run", "--upstream", "sim:"}), "--upstream sim: has no --account behind it");
  EXPECT_EQ(refusal({"run", "--upstream", "sim:", "--upstream", "http://h:1", "--account",
                     "+15550100001"}),
            "--upstream sim: has no --account behind it");
}

TEST(RunCommandLine, RefusesAnAccountWithoutAnUpstream) {
  EXPECT_EQ(refusal({"run", "--account", "+15550100001", "--upstream", "sim:"}),
            "--account …01 has no --upstream before it; an account belongs to the upstream "
            "before it");
}

TEST(RunCommandLine, NamesTheOptionWhoseValueIsWrong) {
  EXPECT_THAT(refusal({"run", "--upstream", "htp://x"}), HasSubstr("--upstream: \"htp\" in"));
  EXPECT_THAT(refusal({"run", "--upstream", "sim:", "--account", "5550100"}),
              HasSubstr("--account: \"5550100\" is no account"));
  EXPECT_THAT(refusal({"run", "--listen", "somewhere"}), HasSubstr("--listen: \"somewhere\""));
  EXPECT_THAT(refusal({"run", "--rate", "fast"}), HasSubstr("--rate: \"fast\" is no rate"));
  EXPECT_THAT(refusal({"run", "--burst", "0"}), HasSubstr("--burst: a burst of 0"));
  EXPECT_THAT(refusal({"run", "--send-wait", "3"}), HasSubstr("--send-wait: \"3\""));
  EXPECT_THAT(refusal({"run", "--jitter", "ful"}), HasSubstr("did you mean \"full\"?"));
}

TEST(RunCommandLine, TakesEveryFlag) {
  const auto run = parse_as<RunCommand>({"run", "--listen", "0.0.0.0:9000", "--data-dir", "/tmp/d",
                                         "--config", "h.toml", "--rate", "60/min", "--burst", "5",
                                         "--no-hints", "--jitter", "full", "--send-wait", "500ms"});
  EXPECT_EQ(run.flags.listen->to_string(), "0.0.0.0:9000");
  EXPECT_EQ(run.flags.data_dir, "/tmp/d");
  EXPECT_EQ(run.config_file, "h.toml");
  EXPECT_EQ(run.flags.rate_per_s, 1.0);
  EXPECT_EQ(run.flags.burst, 5u);
  EXPECT_EQ(run.flags.hints, false);
  EXPECT_EQ(run.flags.jitter, core::JitterKind::full);
  EXPECT_EQ(run.flags.send_wait, core::Duration{500});
}

TEST(RunCommandLine, ChoosesNothingThatWasNotSaid) {
  const auto run = parse_as<RunCommand>({"run"});
  EXPECT_TRUE(run.flags.upstreams.empty());
  EXPECT_FALSE(run.flags.listen || run.flags.data_dir || run.flags.jitter || run.flags.hints ||
               run.flags.rate_per_s || run.flags.burst || run.flags.send_wait || run.config_file);
}

TEST(RunCommandLine, RefusesAFlagThatIsGivenTwiceOrHalf) {
  EXPECT_EQ(refusal({"run", "--burst", "1", "--burst", "2"}), "--burst is given more than once");
  EXPECT_EQ(refusal({"run", "--burst"}), "--burst needs a value");
  EXPECT_THAT(refusal({"run", "--no-hints=maybe"}), HasSubstr("a flag takes no value"));
}

TEST(RunCommandLine, RefusesASchemeThatLeadsToNoBridge) {
  EXPECT_THAT(refusal({"run", "--upstream", "ws://127.0.0.1:8080"}),
              HasSubstr("--upstream: no bridge is spoken to by \"ws:\""));
}

TEST(CommandLine, SuggestsTheFlagOrCommandThatWasMeant) {
  EXPECT_EQ(refusal({"run", "--lissten", "1"}),
            "\"run\" does not take \"--lissten\"; did you mean \"--listen\"?");
  EXPECT_EQ(refusal({"run", "--acount=+15550100001"}),
            "\"run\" does not take \"--acount\"; did you mean \"--account\"?");
  EXPECT_EQ(refusal({"stats"}),
            "there is no command or option \"stats\"; did you mean \"status\"?");
}

TEST(CommandLine, PrintsTheVersion) {
  const Command command = parse({"--version"});
  EXPECT_EQ(std::get<Say>(command).text, "holdfast 1.2.3\n");
  EXPECT_EQ(std::get<Say>(command).exit_code, exit_ok);
}

TEST(CommandLine, HelpsPerCommand) {
  const Command help = parse({"run", "--help"});
  EXPECT_EQ(std::get<Say>(help).exit_code, exit_ok);
  for (const char* flag : {"--upstream", "--account", "--listen", "--data-dir", "--config",
                           "--jitter", "--no-hints", "--rate", "--burst", "--send-wait"}) {
    EXPECT_THAT(std::get<Say>(help).text, HasSubstr(flag));
  }
}

TEST(CommandLine, WithoutACommandIsAnErrorWithHelp) { EXPECT_THAT(refusal({}), HasSubstr("demo")); }

TEST(SendCommandLine, TakesSeveralRecipients) {
  const auto send =
      parse_as<SendCommand>({"send", "--account", "+15550100001", "--to", "+15550100002", "--to",
                             "group.abc=", "--message", "-", "--url", "http://box:9000/t/secret"});
  EXPECT_THAT(send.recipients, ElementsAre("+15550100002", "group.abc="));
  EXPECT_EQ(send.message, "-");
  EXPECT_EQ(send.access.url.endpoint.port, 9000);
  EXPECT_EQ(send.access.url.path, "/t/secret");
}

TEST(SendCommandLine, NeedsAnAccountAndARecipient) {
  EXPECT_THAT(refusal({"send", "--to", "+15550100002"}), HasSubstr("--account"));
  EXPECT_THAT(refusal({"send", "--account", "+15550100001"}), HasSubstr("--to"));
}

TEST(SendCommandLine, RefusesAKeyThatNoHeaderCanCarry) {
  EXPECT_THAT(refusal({"send", "--account", "+15550100001", "--to", "+15550100002",
                       "--idempotency-key", "a\r\nb"}),
              HasSubstr("--idempotency-key"));
}

TEST(ReceiveCommandLine, TakesSecondsWithAndWithoutAUnit) {
  const auto bare =
      parse_as<ReceiveCommand>({"receive", "--account", "+15550100001", "--timeout", "30"});
  EXPECT_EQ(bare.timeout, core::Duration{30'000});
  const auto unit = parse_as<ReceiveCommand>(
      {"receive", "--account", "+15550100001", "--timeout", "1.5s", "--max", "7"});
  EXPECT_EQ(unit.timeout, core::Duration{1'500});
  EXPECT_EQ(unit.frames_max, 7u);
  EXPECT_THAT(refusal({"receive", "--account", "+15550100001", "--max", "0"}),
              HasSubstr("--max: \"0\""));
}

TEST(OutboxCommandLine, TakesAnIdOrAState) {
  EXPECT_EQ(parse_as<OutboxCommand>({"outbox", "0badcafe-7"}).id, "0badcafe-7");
  EXPECT_EQ(parse_as<OutboxCommand>({"outbox", "--state", "held"}).state, core::EntryState::held);
  EXPECT_THAT(refusal({"outbox", "--state", "heldd"}), HasSubstr("did you mean \"held\"?"));
}

TEST(DemoCommandLine, StopsAfterATime) {
  EXPECT_EQ(parse_as<DemoCommand>({"demo", "--for", "30s"}).stop_after, core::Duration{30'000});
  EXPECT_FALSE(parse_as<DemoCommand>({"demo"}).stop_after);
  EXPECT_THAT(refusal({"demo", "--for", "long"}), HasSubstr("--for: \"long\" is no duration"));
}

}  // namespace
}  // namespace holdfast::app
