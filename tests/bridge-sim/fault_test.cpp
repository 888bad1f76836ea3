#include <bridge_sim/script.hpp>

#include "sim_harness.hpp"

namespace holdfast::bridge_sim::test {
namespace {

using testing::HasSubstr;

Result<net::LineStreamPtr> try_to_connect(Sim& sim) {
  return sim.run(net::connect_lines(Sim::at(sim->jsonrpc_port()), net::ConnectOptions{}));
}

TEST(SimFault, RefusesConnectsAndKeepsConnections) {
  Sim sim;
  const auto lines = sim.lines();
  sim.ask(*lines, call("version"));
  sim.fault(R"({"kind":"refuse"})");
  EXPECT_EQ(try_to_connect(sim).error().code, Errc::refused);
  EXPECT_THAT(sim.ask(*lines, call("version")), HasSubstr("version"));
  sim.fault(R"({"kind":"refuse","on":false})");
  sim.until([&] { return try_to_connect(sim).has_value(); });
}

TEST(SimFault, EndsByItselfAfterItsTime) {
  Sim sim;
  sim.fault(R"({"kind":"refuse","for_ms":50})");
  EXPECT_FALSE(try_to_connect(sim));
  sim.until([&] { return try_to_connect(sim).has_value(); });
}

TEST(SimFault, DropsConnectionsOfOneFaceOnly) {
  Sim sim;
  const auto lines = sim.lines();
  const auto socket = sim.socket();
  sim.fault(R"({"kind":"drop","face":"rest"})");
  EXPECT_EQ(sim.read(*socket), "<closed>");
  EXPECT_THAT(sim.ask(*lines, call("version")), HasSubstr("version"));
}

TEST(SimFault, MovesNoByteWhileHalfOpen) {
  Sim sim;
  const auto lines = sim.lines();
  const auto socket = sim.socket();
  int pongs = 0;
  socket->on_pong = [&](std::string_view) { ++pongs; };
  sim.fault(R"({"kind":"half_open"})");
  Started<Result<std::string>> answer{sim, lines->read_line()};
  Started<Result<std::string>> frame{sim, socket->read()};
  EXPECT_TRUE(sim.run(lines->write_line(call("version"))));
  EXPECT_TRUE(sim.run(socket->ping("still there?")));
  sim.inject(R"({"text":"held"})");
  const auto late = try_to_connect(sim);  // connects, and hears nothing
  ASSERT_TRUE(late);
  sim.settle();
  EXPECT_FALSE(answer.done());
  EXPECT_FALSE(frame.done());
  EXPECT_EQ(pongs, 0);
  sim.fault(R"({"kind":"half_open","on":false})");
  EXPECT_THAT(*answer.wait(), HasSubstr("version"));
  EXPECT_THAT(*frame.wait(), HasSubstr("held"));
  Started<Result<std::string>> more{sim, socket->read()};
  sim.until([&] { return pongs == 1; });
}

TEST(SimFault, AcceptsAndDrops) {
  Sim sim;
  sim.fault(R"({"kind":"accept_then_drop"})");
  const auto lines = try_to_connect(sim);
  ASSERT_TRUE(lines);
  EXPECT_EQ(sim.read(**lines), "<closed>");
}

TEST(SimFault, RestartsAndForgetsWhatWasUnderWay) {
  Sim sim;
  const auto lines = sim.lines();
  sim.ask(*lines, call("subscribeReceive"));
  sim.fault(R"({"kind":"latency","ms":20})");
  EXPECT_TRUE(sim.run(lines->write_line(call("send", send_to_ada))));
  sim.until([&] { return number_of(sim->state(), "calls_under_way") == 1; });
  sim.fault(R"({"kind":"restart","for_ms":60})");
  EXPECT_EQ(sim.read(*lines), "<closed>");
  EXPECT_EQ(try_to_connect(sim).error().code, Errc::refused);
  sim.inject(R"({"text":"waits at the service"})");
  sim.until([&] { return try_to_connect(sim).has_value(); });
  EXPECT_TRUE(sim.sent_messages().empty());
  const auto again = sim.lines();
  EXPECT_THAT(sim.ask(*again, call("subscribeReceive")), HasSubstr("\"result\":0"));
  EXPECT_THAT(sim.read(*again), HasSubstr("waits at the service"));
}

TEST(SimFault, HidesAnAccountThatDidNotLoad) {
  Sim sim;
  const auto lines = sim.lines();
  sim.fault(R"({"kind":"account_unknown"})");
  EXPECT_THAT(
      sim.ask(*lines,
              call("send", R"({"account":"+15550001111","recipient":"+1555","message":"x"})")),
      HasSubstr("Specified account does not exist"));
  EXPECT_EQ(sim.rest("GET", "/v1/accounts").body, "[]");
  sim.fault(R"({"kind":"clear"})");
  EXPECT_EQ(sim.rest("GET", "/v1/accounts").body, R"(["+15550001111"])");
}

TEST(SimFault, RefusesAKindThatIsNone) {
  Sim sim;
  EXPECT_THAT(sim->fault(object(R"({"kind":"nonsense"})")).error().message, HasSubstr("nonsense"));
}

TEST(SimControl, DoesOverHttpWhatTheFunctionsDo) {
  Sim sim;
  const std::uint16_t port = sim->control_port();
  EXPECT_THAT(sim.http(port, "POST", "/inject", R"({"n":2})").body, HasSubstr("\"injected\":2"));
  EXPECT_THAT(sim.http(port, "GET", "/state").body, HasSubstr("\"queued\":2"));
  EXPECT_EQ(sim.http(port, "POST", "/fault", R"({"kind":"drop"})").body, R"({"ok":true})");
  EXPECT_EQ(sim.http(port, "POST", "/fault", R"({"kind":"x"})").status, 400);
  EXPECT_EQ(sim.http(port, "POST", "/inject", R"({"account":"+1"})").status, 404);
  EXPECT_EQ(sim.http(port, "POST", "/inject", "no").status, 400);
  EXPECT_EQ(sim.http(port, "GET", "/other").status, 404);
  sim.rest("POST", "/v2/send", rest_to_ada);
  EXPECT_THAT(sim.http(port, "GET", "/sent").body, HasSubstr("\"message\":\"hi\""));
  EXPECT_EQ(sim.http(port, "GET", "/sent?after=1").body, R"({"sent":[]})");
  EXPECT_EQ(sim.http(port, "DELETE", "/sent").status, 200);
  EXPECT_EQ(sim.http(port, "GET", "/sent").body, R"({"sent":[]})");
}

TEST(SimScript, RunsFaultsAndTrafficAndBeginsAgain) {
  Options options = Sim::everything();
  std::vector<std::string> events;
  options.on_event = [&events](const std::string& sentence) { events.push_back(sentence); };
  options.script =
      "# a comment\n"
      "at 10ms  refuse for 20ms\n"
      "every 15ms inject from=+15550009002 text=\"number {i}\"  # another\n"
      "loop 100ms\n";
  Sim sim{std::move(options)};
  sim.until([&] { return events.size() >= 4 && sim.counter("injected") > 10; });
  EXPECT_EQ(events[0], "the bridge: refuse");
  EXPECT_EQ(events[1], "the bridge: end of refuse");
  EXPECT_EQ(events[2], "the bridge: refuse");
  const auto lines = sim.lines();
  sim.ask(*lines, call("subscribeReceive"));
  EXPECT_THAT(sim.read(*lines), HasSubstr("number 1\""));
}

TEST(SimScript, NamesTheLineThatIsWrong) {
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {"\nat 5 refuse", "script line 2: \"5\" is no time"},
           {"at", "script line 1: lacks a time"},
           {"at 5s", "not what"},
           {"at 5s refuse for", "lacks a time"},
           {"at 5s refuse quickly", "neither key=value"},
           {"every 0s inject", "without a pause"},
           {"when 5s refuse", "begins with \"when\""}}) {
    const auto script = parse_script(text);
    ASSERT_FALSE(script) << text;
    EXPECT_THAT(script.error().message, HasSubstr(expected));
  }
  EXPECT_TRUE(parse_script(demo_script()));
}

TEST(SimEnd, MayComeWhileEverythingIsUnderWay) {
  Sim sim;
  const auto lines = sim.lines();
  const auto socket = sim.socket();
  sim.ask(*lines, call("subscribeReceive"));
  sim.fault(R"({"kind":"hang_sends"})");
  sim.fault(R"({"kind":"refuse","for_ms":60000})");
  EXPECT_TRUE(sim.run(lines->write_line(call("send", send_to_ada))));
  sim.inject(R"({"n":1000})");
  sim.settle();
  sim.end();
  sim.settle();
  while (sim.run(lines->read_line())) continue;
  while (sim.run(socket->read())) continue;
}

TEST(SimStart, NamesTheAddressThatIsInUse) {
  Sim sim;
  Options options;
  options.rest = Sim::at(sim->rest_port());
  const auto second = BridgeSim::start(sim.io, std::move(options));
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("127.0.0.1:" + std::to_string(sim->rest_port())));
}

}  // namespace
}  // namespace holdfast::bridge_sim::test
