#include <gmock/gmock.h>

#include <algorithm>
#include <upstream/attachment.hpp>
#include <upstream/factory.hpp>
#include <upstream/jsonrpc_bridge.hpp>
#include <upstream/recipient.hpp>

#include "harness.hpp"

namespace holdfast::upstream::test {
namespace {

using core::Reason;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = core::SendOutcome::Kind;

net::Url url_of(const net::Endpoint& endpoint) {
  net::Url url;
  url.scheme = endpoint.kind == net::Endpoint::Kind::unix_socket ? "unix" : "tcp";
  url.endpoint = endpoint;
  return url;
}

/// A daemon and a bridge to it. The daemon's first client is the receiving connection, the second
/// the sending one.
struct JsonRpc : testing::Test {
  Loop loop;
  Daemon daemon{loop, loopback(0)};
  Told told;
  std::unique_ptr<Calls> bridge;

  JsonRpc() { connect(BridgeTimes{}); }
  void connect(BridgeTimes times) {
    bridge = std::make_unique<Calls>(
        make_jsonrpc_bridge(loop.io, url_of(loopback(daemon.port())), account, told, times), told);
  }

  void answered(core::Generation generation = 1) {
    bridge->dial(generation);
    loop.until([&] { return told.has("answered " + std::to_string(generation) + " 0.14.6"); });
  }
  /// Both connections stand.
  void up() {
    answered();
    loop.until([&] { return told.send_ok == true; });
  }
  void subscribed(core::Generation generation = 1) {
    (*bridge)([&](Bridge& b) { b.subscribe(generation); });
    loop.until([&] { return told.has("subscribed " + std::to_string(generation)); });
  }
  void silence(const std::string& method) {
    daemon.answers[method] = [](Daemon::Client&, const json::object&) { return std::string{}; };
  }
  void lost() {
    loop.until([&] { return told.failure.has_value(); });
  }
  std::vector<std::string> frames() const {
    std::vector<std::string> texts;
    for (const auto& [generation, bytes] : told.frames) texts.push_back(bytes);
    return texts;
  }
  core::SendOutcome outcome(core::Seq seq) {
    loop.until([&] { return told.outcomes.contains(seq); });
    return told.outcomes[seq];
  }
  net::HttpResponse forward(const std::string& method, const std::string& target) {
    net::HttpRequest request;
    request.method = method;
    request.target = target;
    return loop.run(bridge->bridge().forward(std::move(request)));
  }
};

// --- Attempts -----------------------------------------------------------------------------------

TEST_F(JsonRpc, IsAnsweredOnceTheDaemonSaysItsVersionAndOpensASecondConnectionToSend) {
  up();
  EXPECT_THAT(told.events, ElementsAre("answered 1 0.14.6"));
  ASSERT_EQ(daemon.clients.size(), 2u);
  EXPECT_EQ(daemon.client(0).requests.front().at("method"), "version");
  EXPECT_EQ(daemon.client(1).requests.front().at("method"), "version");
}

TEST_F(JsonRpc, WorksOverAUnixSocket) {
  SocketPath path;
  Daemon other{loop, path.endpoint()};
  Calls local{make_jsonrpc_bridge(loop.io, url_of(path.endpoint()), account, told), told};
  local.dial(1);
  loop.until([&] { return told.send_ok == true; });
  EXPECT_THAT(told.events, ElementsAre("answered 1 0.14.6"));
}

TEST_F(JsonRpc, AnErrorIsAnAnswerToo) {
  daemon.answers["version"] = [](Daemon::Client&, const json::object&) {
    return R"(!{"code":-32601,"message":"Method not implemented"})";
  };
  bridge->dial(1);
  loop.until([&] { return told.has("answered 1 "); });
}

TEST_F(JsonRpc, ARefusedConnectionIsSaidSo) {
  daemon.stop_listening();
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::refused);
  EXPECT_THAT(told.failure->evidence,
              testing::MatchesRegex("127.0.0.1:[0-9]+ refused the connection"));
}

TEST_F(JsonRpc, AMissingSocketIsSaidSo) {
  SocketPath path;
  Calls local{make_jsonrpc_bridge(loop.io, url_of(path.endpoint()), account, told), told};
  local.dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::refused);
  EXPECT_EQ(told.failure->evidence, path.path() + " does not exist");
}

TEST_F(JsonRpc, AHintedAttemptRepeatsARefusedConnect) {
  const std::uint16_t port = daemon.port();
  daemon.stop_listening();
  bridge->dial(1, true);
  loop.settle();
  loop.settle();
  EXPECT_FALSE(told.failure);
  daemon.listen(loopback(port));
  loop.until([&] { return told.has("answered 1 0.14.6") || told.failure; });
  EXPECT_FALSE(told.failure);
}

TEST_F(JsonRpc, ADaemonThatDoesNotAnswerVersionIsTimedOut) {
  BridgeTimes times;
  times.answer_within = 60ms;
  connect(times);
  silence("version");
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::timed_out);
  EXPECT_EQ(told.failure->evidence, "no answer to version within 10 s");
  loop.until([&] { return daemon.client(0).ended; });
}

TEST_F(JsonRpc, ADaemonThatClosesInsteadOfAnsweringIsSaidSo) {
  daemon.answers["version"] = [](Daemon::Client& client, const json::object&) {
    client.stream->close();
    return std::string{};
  };
  bridge->dial(1);
  lost();
  EXPECT_EQ(told.failure->reason, Reason::closed);
  EXPECT_THAT(told.failure->evidence,
              HasSubstr("closed the connection instead of answering version"));
}

TEST_F(JsonRpc, NothingIsToldAfterHangUpOfAnAttempt) {
  silence("version");
  bridge->dial(1);
  loop.until([&] { return !daemon.clients.empty() && !daemon.client(0).requests.empty(); });
  bridge->hang_up(1);
  loop.until([&] { return daemon.client(0).ended; });
  loop.settle();
  EXPECT_TRUE(told.events.empty());
}

TEST_F(JsonRpc, HangUpBeforeTheConnectionStandsLeavesNoneBehind) {
  bridge->dial(1);
  bridge->hang_up(1);
  answered(2);
  EXPECT_THAT(told.events, ElementsAre("answered 2 0.14.6"));
  loop.until([&] {
    return std::count_if(daemon.clients.begin(), daemon.clients.end(),
                         [](const auto& client) { return !client->ended; }) == 2;
  });
}

// --- Receiving ----------------------------------------------------------------------------------

TEST_F(JsonRpc, SubscribesForItsAccountOnTheReceivingConnectionOnly) {
  up();
  subscribed();
  const json::object* request = daemon.client(0).find("subscribeReceive");
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->at("params"), json::parse(R"({"account":"+15550100001"})"));
  EXPECT_EQ(daemon.client(1).count("subscribeReceive"), 0u);
}

TEST_F(JsonRpc, TellsFramesOfEveryShapeAsTheBytesThatCame) {
  answered();
  subscribed();
  const std::string frame = data_frame("one");
  const std::string spaced = R"({ "account" : "+15550100001", "envelope" : {"timestamp": 1.0} })";
  const std::string old =
      R"({"envelope":{"source":"a","timestamp":5},"subscription":0,"account":"+15550100001"})";
  daemon.notify_wrapped(daemon.client(0), frame);
  daemon.notify(daemon.client(0), frame);
  daemon.notify(daemon.client(0), old);
  daemon.notify_wrapped(daemon.client(0), spaced);
  loop.until([&] { return told.frames.size() == 4; });
  EXPECT_THAT(frames(), ElementsAre(frame, frame, old, spaced));
  EXPECT_EQ(told.kinds.front(), core::FrameKind::data);
}

TEST_F(JsonRpc, PassesOverFramesOfOtherAccountsAndOtherNotifications) {
  answered();
  subscribed();
  daemon.notify(daemon.client(0), data_frame("for another", 1, "+15550100009"));
  daemon.write(daemon.client(0), R"({"jsonrpc":"2.0","method":"callEvent","params":{"x":1}})");
  daemon.write(daemon.client(0),
               R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"x"},"id":null})");
  daemon.write(daemon.client(0), R"({"jsonrpc":"2.0","result":{},"id":"not ours"})");
  daemon.notify(daemon.client(0), data_frame("mine"));
  loop.until([&] { return !told.frames.empty(); });
  EXPECT_THAT(frames(), ElementsAre(data_frame("mine")));
}

TEST_F(JsonRpc, WhatCannotBeReadBecomesAMalformedFrameAndStopsNothing) {
  answered();
  subscribed();
  daemon.write(daemon.client(0), "this is no JSON");
  daemon.notify(daemon.client(0), R"({"no":"envelope"})");
  daemon.write(daemon.client(0), "");
  daemon.notify(daemon.client(0), data_frame("after"));
  loop.until([&] { return told.frames.size() == 3; });
  EXPECT_THAT(frames(),
              ElementsAre("this is no JSON", R"({"no":"envelope"})", data_frame("after")));
  EXPECT_THAT(told.kinds, ElementsAre(core::FrameKind::malformed, core::FrameKind::malformed,
                                      core::FrameKind::data));
}

TEST_F(JsonRpc, TakesLinesOfManyMegabytes) {
  answered();
  subscribed();
  const std::string frame = data_frame(std::string(12u << 20, 'x'));
  daemon.notify_wrapped(daemon.client(0), frame);
  loop.until([&] { return !told.frames.empty(); });
  EXPECT_EQ(told.frames.front().second, frame);
}

TEST_F(JsonRpc, AnUnknownAccountIsTheReasonOfTheLoss) {
  daemon.answers["subscribeReceive"] = [](Daemon::Client&, const json::object&) {
    return R"(!{"code":-32602,"message":"Specified account does not exist","data":null})";
  };
  answered();
  (*bridge)([](Bridge& b) { b.subscribe(1); });
  lost();
  EXPECT_EQ(told.failure->reason, Reason::account);
  EXPECT_THAT(told.failure->evidence, HasSubstr("does not know this account"));
  EXPECT_THAT(told.failure->evidence, testing::Not(HasSubstr("+1555")));
}

TEST_F(JsonRpc, ADaemonWithoutSubscribeReceiveStreamsUnasked) {
  daemon.answers.erase("subscribeReceive");
  answered();
  subscribed();
  daemon.notify(daemon.client(0), data_frame("one"));
  loop.until([&] { return told.frames.size() == 1; });
}

TEST_F(JsonRpc, ASubscriptionWithoutAnAnswerIsTimedOut) {
  BridgeTimes times;
  times.answer_within = 500ms;
  connect(times);
  silence("subscribeReceive");
  answered();
  (*bridge)([](Bridge& b) { b.subscribe(1); });
  lost();
  EXPECT_EQ(told.failure->evidence, "no answer to subscribeReceive within 10 s");
}

TEST_F(JsonRpc, TheEndOfTheConnectionIsToldOnce) {
  answered();
  subscribed();
  daemon.client(0).stream->close();
  lost();
  loop.settle();
  EXPECT_THAT(told.events, ElementsAre("answered 1 0.14.6", "subscribed 1", "lost 1 closed"));
}

TEST_F(JsonRpc, ANewConnectionSubscribesWhileTheOldOneStillDelivers) {
  answered(1);
  subscribed(1);
  bridge->dial(2);
  loop.until([&] { return told.has("answered 2 0.14.6"); });
  daemon.notify_wrapped(daemon.client(0), data_frame("by the old"));
  loop.until([&] { return told.frames.size() == 1; });
  subscribed(2);
  auto& newer = *std::find_if(daemon.clients.rbegin(), daemon.clients.rend(), [](const auto& c) {
                   return c->count("subscribeReceive") == 1;
                 })->get();
  ASSERT_NE(&newer, &daemon.client(0));
  daemon.notify_wrapped(daemon.client(0), data_frame("by both"));
  daemon.notify_wrapped(newer, data_frame("by both"));
  loop.until([&] { return told.frames.size() == 3; });
  EXPECT_EQ(told.frames[0].first, 1u);
  bridge->hang_up(1);
  loop.until([&] { return daemon.client(0).ended; });
  daemon.notify_wrapped(newer, data_frame("by the new"));
  loop.until([&] { return told.frames.size() == 4; });
  EXPECT_EQ(told.frames[3].first, 2u);
  EXPECT_FALSE(told.failure) << "hanging up is no loss";
}

TEST_F(JsonRpc, TheLossOfAnOldConnectionNamesItsGeneration) {
  answered(1);
  bridge->dial(2);
  loop.until([&] { return told.has("answered 2 0.14.6"); });
  daemon.client(0).stream->close();
  lost();
  EXPECT_TRUE(told.has("lost 1 closed"));
  EXPECT_FALSE(told.has("lost 2 closed"));
}

TEST_F(JsonRpc, HangUpInTheMiddleOfABurstEndsItAtOnce) {
  answered();
  subscribed();
  told.during_frame = [&] { bridge->bridge().hang_up(1); };
  for (int i = 0; i < 20; ++i) daemon.notify(daemon.client(0), data_frame("x", 1000 + i));
  loop.until([&] { return daemon.client(0).ended; });
  loop.settle();
  EXPECT_EQ(told.frames.size(), 1u);
}

TEST_F(JsonRpc, AProbeAsksForTheVersionAndAnyByteIsLife) {
  answered();
  const int before = told.activity[1];
  (*bridge)([](Bridge& b) {
    b.probe(1);
    b.probe(1);
  });
  loop.until([&] { return told.activity[1] > before; });
  loop.settle();
  EXPECT_EQ(daemon.client(0).count("version"), 2u) << "one question is open at a time";
  (*bridge)([](Bridge& b) { b.probe(1); });
  loop.until([&] { return daemon.client(0).count("version") == 3; });
}

TEST_F(JsonRpc, AProbeAsksTheQuietSendingConnectionInTheSameBreath) {
  BridgeTimes times;
  times.silence_max = 1h;
  times.quiet_min = 0ms;
  connect(times);
  up();
  (*bridge)([](Bridge& b) { b.probe(1); });
  loop.until([&] { return daemon.client(1).count("version") == 2; });
}

// --- Holding back -------------------------------------------------------------------------------

TEST_F(JsonRpc, PauseUnsubscribesAndResumeSubscribesAgain) {
  answered();
  subscribed();
  (*bridge)([](Bridge& b) { b.pause(1); });
  loop.until([&] { return daemon.client(0).count("unsubscribeReceive") == 1; });
  EXPECT_EQ(daemon.client(0).find("unsubscribeReceive")->at("params"),
            json::parse(R"({"subscription":0})"));
  (*bridge)([](Bridge& b) { b.probe(1); });
  loop.until([&] { return daemon.client(0).count("version") == 2; });
  (*bridge)([](Bridge& b) { b.resume(1); });
  loop.until([&] { return daemon.client(0).count("subscribeReceive") == 2; });
  daemon.notify_wrapped(daemon.client(0), data_frame("after"));
  loop.until([&] { return told.frames.size() == 1; });
  EXPECT_EQ(std::count(told.events.begin(), told.events.end(), "subscribed 1"), 1);
}

TEST_F(JsonRpc, ResumeBeforeTheAnswerToTheUnsubscriptionSubscribesAfterIt) {
  answered();
  subscribed();
  std::optional<json::object> held;
  daemon.answers["unsubscribeReceive"] = [&](Daemon::Client&, const json::object& request) {
    held = request;
    return std::string{};
  };
  (*bridge)([](Bridge& b) { b.pause(1); });
  loop.until([&] { return held.has_value(); });
  (*bridge)([](Bridge& b) { b.resume(1); });
  loop.settle();
  EXPECT_EQ(daemon.client(0).count("subscribeReceive"), 1u);
  daemon.answer(daemon.client(0), *held, "{}");
  loop.until([&] { return daemon.client(0).count("subscribeReceive") == 2; });
}

TEST_F(JsonRpc, ADaemonThatStreamsOnIsNoLongerReadWhilePaused) {
  answered();
  subscribed();
  (*bridge)([](Bridge& b) { b.pause(1); });
  loop.until([&] { return daemon.client(0).count("unsubscribeReceive") == 1; });
  loop.settle();
  for (int i = 0; i < 100; ++i) daemon.notify(daemon.client(0), data_frame("x", 1000 + i));
  loop.until([&] { return told.frames.size() >= 9; });
  loop.settle();
  EXPECT_LE(told.frames.size(), 10u);
  const int before = told.activity[1];
  (*bridge)([](Bridge& b) { b.probe(1); });
  loop.until([&] { return told.activity[1] > before; });
  EXPECT_EQ(daemon.client(0).count("version"), 1u) << "silence is our own doing";
  (*bridge)([](Bridge& b) { b.resume(1); });
  loop.until([&] { return told.frames.size() == 100; });
  EXPECT_FALSE(told.failure);
}

TEST_F(JsonRpc, ADaemonThatStreamsUnaskedIsNotReadWhilePaused) {
  daemon.answers.erase("subscribeReceive");
  answered();
  subscribed();
  (*bridge)([](Bridge& b) { b.pause(1); });
  for (int i = 0; i < 20; ++i) daemon.notify(daemon.client(0), data_frame("x", 1000 + i));
  loop.settle();
  EXPECT_LE(told.frames.size(), 1u) << "one line may be under way";
  (*bridge)([](Bridge& b) { b.resume(1); });
  loop.until([&] { return told.frames.size() == 20; });
}

// --- Identifying --------------------------------------------------------------------------------

TEST_F(JsonRpc, IdentifiesItsAccountAmongThoseOfTheDaemon) {
  struct Case {
    const char* answer;
    const char* note;
  };
  core::Generation generation = 0;
  for (const Case& one :
       {Case{R"([{"number":"+15550100009"},{"number":"+15550100001"}])", ""},
        Case{R"(!{"code":-32601,"message":"Method not implemented"})", ""},
        Case{"[]", "signal-cli has no such account"},
        Case{R"(!{"code":-1,"message":"boom"})", "signal-cli could not list its accounts: "}}) {
    ++generation;
    daemon.answers["listAccounts"] = [&](Daemon::Client&, const json::object&) {
      return one.answer;
    };
    answered(generation);
    (*bridge)([&](Bridge& b) { b.identify(generation); });
    const std::string begin = "identified " + std::to_string(generation) + " ";
    loop.until([&] { return told.events.back().starts_with(begin); });
    const std::string note = told.events.back().substr(begin.size());
    EXPECT_TRUE(*one.note == '\0' ? note.empty() : note.starts_with(one.note)) << note;
  }
}

// --- Sending ------------------------------------------------------------------------------------

TEST_F(JsonRpc, SendsToTheOneRecipientOnTheSendingConnection) {
  up();
  bridge->transmit(7);
  EXPECT_EQ(outcome(7).kind, Kind::sent);
  EXPECT_EQ(outcome(7).timestamp, 1795471473250);
  EXPECT_EQ(daemon.client(0).count("send"), 0u);
  const json::object* request = daemon.client(1).find("send");
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->at("params").at("recipient"), json::parse(R"(["+15550100002"])"));
  EXPECT_EQ(request->at("params").at("account"), "+15550100001");
}

TEST_F(JsonRpc, ASendThatComesBeforeTheSendingConnectionStandsWaitsForIt) {
  answered();
  bridge->transmit(7);
  EXPECT_EQ(outcome(7).kind, Kind::sent);
}

TEST_F(JsonRpc, MatchesAnswersInAnyOrder) {
  up();
  std::vector<json::object> held;
  daemon.answers["send"] = [&](Daemon::Client&, const json::object& request) {
    held.push_back(request);
    return std::string{};
  };
  for (core::Seq seq = 1; seq <= 5; ++seq) bridge->transmit(seq, "text " + std::to_string(seq));
  loop.until([&] { return held.size() == 5; });
  for (auto request = held.rbegin(); request != held.rend(); ++request) {
    const std::string text{request->at("params").at("message").as_string()};
    daemon.answer(daemon.client(1), *request, R"({"timestamp":)" + text.substr(5) + "}");
  }
  for (core::Seq seq = 1; seq <= 5; ++seq) {
    EXPECT_EQ(outcome(seq).timestamp, static_cast<std::int64_t>(seq));
  }
}

TEST_F(JsonRpc, PassesOnWhatTheDaemonSaysOfASend) {
  up();
  daemon.answers["send"] = [](Daemon::Client&, const json::object&) {
    return R"(!{"code":-1,"message":"No recipients given","data":null})";
  };
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::failed);
  EXPECT_EQ(outcome(1).why, "No recipients given");
}

TEST_F(JsonRpc, WhatSignalCliCannotTakeIsNotSent) {
  up();
  bridge->transmit(1, std::string(20'000'001, 'x'));
  EXPECT_EQ(outcome(1).kind, Kind::failed);
  EXPECT_EQ(outcome(1).status, 413);
  bridge->transmit(2, "x", "group.not a group id");
  EXPECT_EQ(outcome(2).status, 400);
  EXPECT_EQ(daemon.client(1).count("send"), 0u);
}

TEST_F(JsonRpc, OtherOperationsAreCallsOfTheirOwn) {
  up();
  bridge->transmit(1, "x", bob, core::Operation::remote_delete);
  EXPECT_EQ(outcome(1).kind, Kind::failed) << "no timestamp";
  daemon.answers["sendReaction"] = [](Daemon::Client&, const json::object&) {
    return R"({"timestamp":5,"results":[{"type":"SUCCESS"}]})";
  };
  core::Entry entry;
  entry.seq = 2;
  entry.account = account;
  entry.recipient = bob;
  entry.operation = core::Operation::reaction;
  (*bridge)([&](Bridge& b) {
    b.transmit(entry,
               R"({"reaction":"a","target_author":"+15550100002","timestamp":1795471473250})");
  });
  EXPECT_EQ(outcome(2).kind, Kind::sent);
  EXPECT_EQ(daemon.client(1).count("sendReaction"), 1u);
}

TEST_F(JsonRpc, ASendThatWasWrittenAndNotAnsweredIsAmbiguous) {
  up();
  silence("send");
  bridge->transmit(1);
  loop.until([&] { return daemon.client(1).count("send") == 1; });
  daemon.client(1).stream->close();
  EXPECT_EQ(outcome(1).kind, Kind::ambiguous);
  EXPECT_EQ(outcome(1).why, "the connection was lost before the answer came");
  loop.until([&] { return told.send_ok == false; });
  EXPECT_THAT(told.send_evidence, HasSubstr("closed the connection"));
}

TEST_F(JsonRpc, ASendWhileTheSendingConnectionIsAwayIsNotSent) {
  up();
  daemon.answers["version"] = [](Daemon::Client& client, const json::object&) {
    client.stream->close();
    return std::string{};
  };
  daemon.client(1).stream->close();
  loop.until([&] { return told.send_ok == false; });
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::not_sent);
  EXPECT_THAT(outcome(1).why, HasSubstr("closed the connection"));
}

TEST_F(JsonRpc, TheSendingConnectionComesBackByItself) {
  up();
  daemon.client(1).stream->close();
  loop.until([&] { return told.send_ok == false; });
  loop.until([&] { return told.send_ok == true; });
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::sent);
}

TEST_F(JsonRpc, NothingIsDialledForSendingWhileTheReceivingSideIsAway) {
  up();
  daemon.client(0).stream->close();
  lost();
  daemon.client(1).stream->close();
  loop.until([&] { return told.send_ok == false; });
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::not_sent);
  EXPECT_EQ(daemon.clients.size(), 2u);
  answered(2);
  bridge->transmit(2);
  EXPECT_EQ(outcome(2).kind, Kind::sent) << "and no backoff is left from before";
}

TEST_F(JsonRpc, ASendWithoutAnAnswerInTimeIsAmbiguousAndALateAnswerChangesNothing) {
  BridgeTimes times;
  times.send_within = 400ms;
  connect(times);
  up();
  std::optional<json::object> held;
  daemon.answers["send"] = [&](Daemon::Client&, const json::object& request) {
    held = request;
    return std::string{};
  };
  bridge->transmit(1);
  EXPECT_EQ(outcome(1).kind, Kind::ambiguous);
  EXPECT_EQ(outcome(1).why, "no answer to the send within 120 s");
  daemon.answer(daemon.client(1), *held, R"({"timestamp":5})");
  daemon.answers.erase("send");
  bridge->transmit(2);
  EXPECT_EQ(outcome(2).kind, Kind::failed);
  EXPECT_EQ(told.outcomes.size(), 2u);
}

TEST_F(JsonRpc, AHalfOpenSendingConnectionIsNoticed) {
  BridgeTimes times;
  times.silence_max = 30ms;
  connect(times);
  up();
  silence("send");
  bridge->transmit(1);
  loop.until([&] { return daemon.client(1).count("version") >= 3; });
  EXPECT_EQ(told.send_ok, true) << "silence is followed by a question, and that by an answer";
  times.answer_within = 1s;
  Told other;
  Calls impatient{
      make_jsonrpc_bridge(loop.io, url_of(loopback(daemon.port())), account, other, times), other};
  const std::size_t first = daemon.clients.size();
  impatient.dial(1);
  loop.until([&] { return other.send_ok == true; });
  impatient.transmit(1);
  loop.until([&] { return daemon.client(first + 1).count("send") == 1; });
  silence("version");
  loop.until([&] { return other.send_ok == false; });
  EXPECT_EQ(other.send_evidence, "no answer to version within 10 s");
  loop.until([&] { return other.outcomes.contains(1); });
  EXPECT_EQ(other.outcomes[1].kind, Kind::ambiguous);
}

// --- Other requests -----------------------------------------------------------------------------

TEST_F(JsonRpc, TranslatesRequestsThatHaveACounterpart) {
  up();
  const net::HttpResponse accounts = forward("GET", "/v1/accounts");
  EXPECT_EQ(accounts.status, 200);
  EXPECT_EQ(accounts.body, R"(["+15550100001"])");
  daemon.answers["listGroups"] = [](Daemon::Client&, const json::object&) { return "[]"; };
  EXPECT_EQ(forward("GET", "/v1/groups/+15550100001").body, "[]");
  EXPECT_EQ(forward("GET", "/v1/attachments").status, 501);
  EXPECT_EQ(daemon.client(0).count("listAccounts"), 0u) << "the sending connection asks";
}

TEST_F(JsonRpc, RequestsWhileTheBridgeIsAwayAreToldWhenToComeBack) {
  const net::HttpResponse away = forward("GET", "/v1/accounts");
  EXPECT_EQ(away.status, 503);
  EXPECT_FALSE(net::header(away.headers, "Retry-After").empty());
  EXPECT_EQ(json::parse(away.body).at("code"), "unavailable");
}

// --- The end ------------------------------------------------------------------------------------

TEST_F(JsonRpc, StopSettlesWhatIsUnderWayAndTellsNothingElse) {
  up();
  subscribed();
  silence("send");
  bridge->transmit(1);
  loop.until([&] { return daemon.client(1).count("send") == 1; });
  const auto events = told.events;
  bridge->stop();
  EXPECT_EQ(outcome(1).kind, Kind::ambiguous);
  bridge->transmit(2);
  EXPECT_EQ(outcome(2).kind, Kind::not_sent);
  bridge->dial(5);
  loop.until([&] { return daemon.client(0).ended && daemon.client(1).ended; });
  loop.settle();
  EXPECT_EQ(told.events, events);
}

TEST_F(JsonRpc, NothingIsToldOnceTheBridgeIsGone) {
  up();
  subscribed();
  silence("send");
  bridge->transmit(1);
  loop.until([&] { return daemon.client(1).count("send") == 1; });
  daemon.notify(daemon.client(0), data_frame("late"));
  bridge->destroy();
  loop.until([&] { return daemon.client(0).ended && daemon.client(1).ended; });
  loop.settle();
  EXPECT_TRUE(told.outcomes.empty());
  EXPECT_TRUE(told.frames.empty());
}

TEST_F(JsonRpc, TheLoopMayEndWithEverythingUnderWay) {
  silence("send");
  up();
  bridge->transmit(1);
  bridge->dial(2);
  loop.until([&] { return daemon.client(1).count("send") == 1; });
}

// --- The factory --------------------------------------------------------------------------------

TEST(Factory, ChoosesTheBridgeByScheme) {
  net::asio::io_context io;
  Told told;
  for (const char* text : {"http://127.0.0.1:8080", "https://example.org", "tcp://127.0.0.1:7583",
                           "tls://example.org:7583", "unix:/run/signal-cli/socket"}) {
    auto url = net::parse_url(text);
    ASSERT_TRUE(url) << text;
    const auto bridge = make_bridge(io, std::move(*url), account, told);
    EXPECT_TRUE(bridge) << text;
  }
  net::Url url;
  url.scheme = "ftp";
  const auto bridge = make_bridge(io, url, account, told);
  ASSERT_FALSE(bridge);
  EXPECT_EQ(bridge.error().code, Errc::invalid_argument);
  EXPECT_THAT(bridge.error().message, HasSubstr("\"ftp:\""));
}

}  // namespace
}  // namespace holdfast::upstream::test
