#include <gmock/gmock.h>

#include <algorithm>
#include <upstream/rest_bridge.hpp>

#include "harness.hpp"

namespace holdfast::upstream::test {
namespace {

using core::Reason;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = core::SendOutcome::Kind;

struct Rest : testing::Test {
  Loop loop;
  RestServer server{loop};
  Told told;
  std::unique_ptr<Calls> bridge;

  Rest() { connect(BridgeTimes{}); }
  void connect(BridgeTimes times, const std::string& prefix = {}) {
    net::Url url;
    url.scheme = "http";
    url.endpoint = loopback(server.port());
    url.path = prefix;
    bridge = std::make_unique<Calls>(make_rest_bridge(loop.io, url, account, told, times), told);
  }

  void answered(core::Generation generation = 1) {
    bridge->dial(generation);
    loop.until([&] { return told.has("answered " + std::to_string(generation) + " 0.100"); });
  }
  void lost() {
    loop.until([&] { return told.failure.has_value(); });
  }
  core::SendOutcome outcome(core::Seq seq) {
    loop.until([&] { return told.outcomes.contains(seq); });
    return told.outcomes[seq];
  }
  std::vector<std::string> frames() const {
    std::vector<std::string> texts;
    for (const auto& [generation, bytes] : told.frames) texts.push_back(bytes);
    return texts;
  }
  std::vector<std::string> calls() const {
    std::vector<std::string> seen;
    for (const net::HttpRequest& request : server.requests) {
      seen.push_back(request.method + " " + request.path());
    }
    return seen;
  }
  net::HttpResponse forward(net::HttpRequest request) {
    return loop.run(bridge->bridge().forward(std::move(request)));
  }
};

// --- Attempts -----------------------------------------------------------------------------------

TEST_F(Rest, AsksAboutThenOpensTheStreamThenAsksForTheAccounts) {
  answered();
  EXPECT_THAT(calls(),
              ElementsAre("GET /v1/about", "GET /v1/receive/+15550100001", "GET /v1/accounts"));
  EXPECT_THAT(told.events, ElementsAre("answered 1 0.100"));
  EXPECT_EQ(told.send_ok, true);
}

TEST_F(Rest, ABridgeWithoutStreamIsNamedAndItsMessagesAreNotTouched) {
  for (const std::string mode : {"normal", "native"}) {
    told.failure.reset();
    server.respond("GET /v1/about", 200, R"({"mode":")" + mode + R"(","version":"0.100"})");
    bridge->dial(1);
    lost();
    EXPECT_EQ(told.failure->reason, Reason::bridge_mode);
    EXPECT_THAT(told.failure->evidence, HasSubstr("MODE=" + mode));
    EXPECT_THAT(told.failure->evidence, HasSubstr("MODE=json-rpc"));
  }
  loop.settle();
  EXPECT_THAT(calls(), ElementsAre("GET /v1/about", "GET /v1/about"));
}

TEST_F(Rest, GoesOnWhereAboutIsMissing) {
  server.answers.erase("GET /v1/about");
  bridge->dial(1);
  loop.until([&] { return told.has("answered 1 "); });
}

TEST_F(Rest, KeepsThePathOfItsUrl) {
  connect(BridgeTimes{}, "/signal");
  server.respond("GET /signal/v1/accounts", 200, R"(["+15550100001"])");
  bridge->dial(1);
  loop.until([&] { return told.has("answered 1 "); });
  EXPECT_THAT(calls(), ElementsAre("GET /signal/v1/about", "GET /signal/v1/receive/+15550100001",
                                   "GET /signal/v1/accounts"));
}

TEST_F(Rest, ARefusedConnectionIsSaidSo) {
  server.stop_listening();
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::refused);
  EXPECT_THAT(told.failure->evidence,
              testing::MatchesRegex("127.0.0.1:[0-9]+ refused the connection"));
}

TEST_F(Rest, AHintedAttemptRepeatsARefusedConnect) {
  const std::uint16_t port = server.port();
  server.stop_listening();
  bridge->dial(1, true);
  loop.settle();
  loop.settle();
  EXPECT_FALSE(told.failure);
  server.listen(port);
  loop.until([&] { return told.has("answered 1 0.100") || told.failure; });
  EXPECT_FALSE(told.failure);
}

TEST_F(Rest, ABusyBridgeSaysWhenToComeBack) {
  server.respond("GET /v1/about", 503, R"({"error":"starting up"})", {{"Retry-After", "30"}});
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::busy);
  EXPECT_EQ(told.failure->retry_after, 30s);
  EXPECT_EQ(told.failure->evidence, "the bridge answered 503: starting up");
}

TEST_F(Rest, ARefusedStreamKeepsTheBridgesWords) {
  server.takes_sockets = false;
  server.respond("GET /v1/receive/+15550100001", 503, R"({"error":"too many streams"})",
                 {{"Retry-After", "7"}});
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::busy);
  EXPECT_EQ(told.failure->retry_after, 7s);
  EXPECT_THAT(told.failure->evidence, HasSubstr("too many streams"));
}

TEST_F(Rest, ABridgeThatWantsCredentialsIsSaidSo) {
  server.respond("GET /v1/about", 401, "");
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::unauthorised);
}

TEST_F(Rest, ADeadDaemonBehindALivingBridgeIsNotConnected) {
  BridgeTimes times;
  times.answer_within = 1s;
  connect(times);
  server.respond("GET /v1/accounts", 0, "");
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::timed_out);
  EXPECT_EQ(told.failure->evidence, "no answer to /v1/accounts within 10 s");
  loop.until([&] { return server.sockets_ended == server.sockets.size(); });
  EXPECT_FALSE(told.has("answered 1 0.100"));
}

TEST_F(Rest, AnyAnswerOfTheAccountsCountsAndItsWordsAreNoted) {
  server.respond("GET /v1/accounts", 500, R"({"error":"Couldn't get list of accounts: x"})");
  answered();
  (*bridge)([](Bridge& b) { b.identify(1); });
  loop.until([&] { return told.events.size() == 2; });
  EXPECT_THAT(told.events.back(), HasSubstr("Couldn't get list of accounts"));
}

TEST_F(Rest, IdentifyNotesAMissingAccountAndStays) {
  server.respond("GET /v1/accounts", 200, R"(["+15550100009"])");
  answered();
  (*bridge)([](Bridge& b) { b.identify(1); });
  loop.until([&] { return told.events.size() == 2; });
  EXPECT_THAT(told.events.back(), HasSubstr("identified 1 the bridge has no such account"));
  EXPECT_FALSE(told.failure);
  server.respond("GET /v1/accounts", 200, R"(["+15550100001"])");
  (*bridge)([](Bridge& b) { b.identify(1); });
  loop.until([&] { return told.events.size() == 3; });
  EXPECT_EQ(told.events.back(), "identified 1 ") << "asked anew";
}

TEST_F(Rest, NothingIsToldAfterHangUpOfAnAttempt) {
  server.respond("GET /v1/accounts", 0, "");
  bridge->dial(1);
  loop.until([&] { return server.count("GET /v1/accounts") == 1; });
  bridge->hang_up(1);
  loop.until([&] { return server.sockets_ended == 1; });
  loop.settle();
  EXPECT_TRUE(told.events.empty());
}

// --- Receiving ----------------------------------------------------------------------------------

TEST_F(Rest, TellsFramesInOrderAsTheBytesThatCame) {
  answered();
  (*bridge)([](Bridge& b) { b.subscribe(1); });
  loop.until([&] { return told.has("subscribed 1"); });
  std::vector<std::string> sent;
  for (int i = 0; i < 50; ++i) {
    sent.push_back(data_frame("text " + std::to_string(i), 1000 + i));
    server.write(0, sent.back());
  }
  sent.push_back("{ no JSON");
  server.write(0, sent.back());
  loop.until([&] { return told.frames.size() == sent.size(); });
  EXPECT_EQ(frames(), sent);
  EXPECT_EQ(told.kinds.back(), core::FrameKind::malformed);
}

TEST_F(Rest, TakesFramesThatComeBeforeTheAttemptIsAnswered) {
  server.respond("GET /v1/accounts", 0, "");
  bridge->dial(1);
  loop.until([&] { return server.sockets.size() == 1; });
  server.write(0, data_frame("early"));
  loop.until([&] { return told.frames.size() == 1; });
  EXPECT_TRUE(told.events.empty());
}

TEST_F(Rest, TheEndOfTheStreamIsToldWithItsReason) {
  answered();
  server.close(0, 1001, "going away");
  lost();
  EXPECT_EQ(told.failure->reason, Reason::closed);
  EXPECT_THAT(told.failure->evidence, HasSubstr("closed the stream"));
  EXPECT_THAT(told.failure->evidence, HasSubstr("1001"));
  EXPECT_THAT(told.events, ElementsAre("answered 1 0.100", "lost 1 closed"));
}

TEST_F(Rest, AStreamThatIsCutIsToldToo) {
  answered();
  server.sockets[0]->abort();
  lost();
  EXPECT_EQ(told.failure->reason, Reason::closed);
}

TEST_F(Rest, AFrameAboveTheLimitEndsTheStreamWithThatReason) {
  answered();
  server.write(0, std::string((16u << 20) + 1, 'x'));
  lost();
  EXPECT_EQ(told.failure->reason, Reason::protocol);
}

TEST_F(Rest, TwoGenerationsStandSideBySide) {
  answered(1);
  answered(2);
  server.write(0, data_frame("by the old"));
  loop.until([&] { return told.frames.size() == 1; });
  bridge->hang_up(1);
  loop.until([&] { return server.sockets_ended == 1; });
  server.write(1, data_frame("by the new"));
  loop.until([&] { return told.frames.size() == 2; });
  EXPECT_EQ(told.frames[0].first, 1u);
  EXPECT_EQ(told.frames[1].first, 2u);
  EXPECT_FALSE(told.failure);
}

TEST_F(Rest, HangUpInTheMiddleOfABurstEndsItAtOnce) {
  answered();
  told.during_frame = [&] { bridge->bridge().hang_up(1); };
  for (int i = 0; i < 20; ++i) server.write(0, data_frame("x", 1000 + i));
  loop.until([&] { return server.sockets_ended == 1; });
  loop.settle();
  EXPECT_EQ(told.frames.size(), 1u);
}

TEST_F(Rest, AProbeIsAPingAndItsPongIsLife) {
  answered();
  loop.settle();
  const int before = told.activity[1];
  (*bridge)([](Bridge& b) {
    b.probe(1);
    b.probe(1);
  });
  loop.until([&] { return told.activity[1] > before; });
}

TEST_F(Rest, PausingStopsReadingAndResumingGoesOn) {
  answered();
  (*bridge)([](Bridge& b) { b.pause(1); });
  for (int i = 0; i < 20; ++i) server.write(0, data_frame("x", 1000 + i));
  loop.settle();
  EXPECT_LE(told.frames.size(), 1u) << "one frame may be under way";
  const int before = told.activity[1];
  (*bridge)([](Bridge& b) { b.probe(1); });
  loop.until([&] { return told.activity[1] > before; });
  (*bridge)([](Bridge& b) { b.resume(1); });
  loop.until([&] { return told.frames.size() == 20; });
}

// --- Sending ------------------------------------------------------------------------------------

TEST_F(Rest, SendsToTheOneRecipient) {
  answered();
  bridge->transmit(7);
  EXPECT_EQ(outcome(7).kind, Kind::sent);
  EXPECT_EQ(outcome(7).timestamp, 1795471489915);
  EXPECT_EQ(server.requests.back().body,
            R"({"number":"+15550100001","recipients":["+15550100002"],"message":"hi"})");
}

TEST_F(Rest, MakesAtMostSixteenCallsAtATimeAndAllOfThemInTheEnd) {
  BridgeTimes times;
  times.send_within = 1s;
  connect(times);
  server.respond("POST /v2/send", 0, "");
  for (core::Seq seq = 1; seq <= 20; ++seq) bridge->transmit(seq);
  loop.until([&] { return server.count("POST /v2/send") == 16; });
  loop.settle();
  EXPECT_EQ(server.count("POST /v2/send"), 16u);
  server.respond("POST /v2/send", 201, R"({"timestamp":"5"})");
  for (core::Seq seq = 1; seq <= 16; ++seq) EXPECT_EQ(outcome(seq).kind, Kind::ambiguous);
  EXPECT_EQ(outcome(1).why, "no answer to the send within 120 s");
  for (core::Seq seq = 17; seq <= 20; ++seq) EXPECT_EQ(outcome(seq).kind, Kind::sent);
}

TEST_F(Rest, ASendThatReachedNobodyIsNotSent) {
  answered();
  server.stop_listening();
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::not_sent);
  EXPECT_THAT(outcome(1).why, HasSubstr("refused the connection"));
  EXPECT_EQ(told.send_ok, false);
}

TEST_F(Rest, ASendThatWasWrittenAndNotAnsweredIsAmbiguous) {
  answered();
  server.respond("POST /v2/send", -1, "");
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::ambiguous);
  EXPECT_EQ(outcome(1).why, "the connection was lost before the answer came");
  EXPECT_EQ(told.send_ok, false);
  server.respond("POST /v2/send", 201, R"([{"timestamp":"5"}])");
  bridge->transmit(2);
  EXPECT_EQ(outcome(2).kind, Kind::sent);
  EXPECT_EQ(told.send_ok, true);
}

TEST_F(Rest, PassesOnWhatTheBridgeSaysOfASend) {
  server.respond("POST /v2/send", 400, R"({"error":"Invalid group id"})");
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::failed);
  EXPECT_EQ(outcome(1).why, "Invalid group id");
  server.respond("POST /v2/send", 429, "", {{"Retry-After", "30"}});
  bridge->transmit(2);
  EXPECT_EQ(outcome(2).kind, Kind::rate_limited);
  EXPECT_EQ(outcome(2).retry_after, 30s);
  server.respond("DELETE /v1/remote-delete/+15550100001", 201, R"({"timestamp":"9"})");
  bridge->transmit(3, "x", bob, core::Operation::remote_delete);
  EXPECT_EQ(outcome(3).timestamp, 9);
}

// --- Other requests -----------------------------------------------------------------------------

TEST_F(Rest, PassesOtherRequestsOnAsTheyAre) {
  server.respond("POST /v1/groups/+15550100001", 201, R"({"id":"group.x"})", {{"X-Mine", "1"}});
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/v1/groups/+15550100001?a=b";
  request.headers = {{"host", "elsewhere"}, {"content-length", "3"}, {"Accept", "*/*"}};
  request.body = R"({"name":"x"})";
  const net::HttpResponse response = forward(std::move(request));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, R"({"id":"group.x"})");
  EXPECT_EQ(net::header(response.headers, "X-Mine"), "1");
  EXPECT_EQ(net::header(response.headers, "Connection"), "");
  const net::HttpRequest& seen = server.requests.back();
  EXPECT_EQ(seen.target, "/v1/groups/+15550100001?a=b");
  EXPECT_EQ(seen.body, R"({"name":"x"})");
  EXPECT_EQ(net::header(seen.headers, "Accept"), "*/*");
  EXPECT_THAT(std::string{net::header(seen.headers, "Host")}, HasSubstr("127.0.0.1"));
}

TEST_F(Rest, RequestsWhileTheBridgeIsAwayAreToldWhenToComeBack) {
  server.stop_listening();
  net::HttpRequest request;
  request.target = "/v1/groups/+15550100001";
  const net::HttpResponse away = forward(std::move(request));
  EXPECT_EQ(away.status, 503);
  EXPECT_FALSE(net::header(away.headers, "Retry-After").empty());
  EXPECT_EQ(json::parse(away.body).at("code"), "unavailable");
}

TEST_F(Rest, ARequestWhoseAnswerIsLostIsNotCalledAway) {
  server.respond("POST /v1/groups/+15550100001", -1, "");
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/v1/groups/+15550100001";
  EXPECT_EQ(forward(request).status, 502);
  BridgeTimes times;
  times.forward_within = 60ms;
  connect(times);
  server.respond("POST /v1/groups/+15550100001", 0, "");
  EXPECT_EQ(forward(request).status, 504);
}

// --- The end ------------------------------------------------------------------------------------

TEST_F(Rest, StopSettlesWhatIsUnderWayAndTellsNothingElse) {
  answered();
  server.respond("POST /v2/send", 0, "");
  for (core::Seq seq = 1; seq <= 17; ++seq) bridge->transmit(seq);
  loop.until([&] { return server.count("POST /v2/send") == 16; });
  bridge->stop();
  bridge->transmit(18);
  bridge->dial(2);
  EXPECT_EQ(outcome(1).kind, Kind::ambiguous);
  EXPECT_EQ(outcome(17).kind, Kind::not_sent);
  EXPECT_EQ(outcome(18).kind, Kind::not_sent);
  loop.until([&] { return told.outcomes.size() == 18 && server.sockets_ended == 1; });
  EXPECT_THAT(told.events, ElementsAre("answered 1 0.100"));
}

TEST_F(Rest, NothingIsToldOnceTheBridgeIsGone) {
  answered();
  server.respond("POST /v2/send", 0, "");
  bridge->transmit(1);
  loop.until([&] { return server.count("POST /v2/send") == 1; });
  server.write(0, data_frame("late"));
  bridge->destroy();
  loop.until([&] { return server.sockets_ended == 1; });
  loop.settle();
  EXPECT_TRUE(told.outcomes.empty());
  EXPECT_TRUE(told.frames.empty());
}

TEST_F(Rest, TheLoopMayEndWithEverythingUnderWay) {
  server.respond("POST /v2/send", 0, "");
  answered();
  bridge->transmit(1);
  bridge->dial(2);
  loop.until([&] { return server.count("POST /v2/send") == 1; });
}

}  // namespace
}  // namespace holdfast::upstream::test
