#include "sim_harness.hpp"

namespace holdfast::bridge_sim::test {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST(SimJsonRpc, AnswersAsTheTranscriptOfTheRealOneShows) {
  Sim sim;
  const auto lines = sim.lines();
  const std::vector<std::pair<std::string, std::string>> dialogue{
      {R"({"jsonrpc": "2.0", "method": "version", "id": "1"})",
       R"({"jsonrpc":"2.0","result":{"version":"0.14.6"},"id":"1"})"},
      {R"({"jsonrpc": "2.0", "method": "version", "id": null})",
       R"({"jsonrpc":"2.0","result":{"version":"0.14.6"},"id":null})"},
      {R"({"jsonrpc": "2.0", "method": "version", "id": 1.5, "params": null})",
       R"({"jsonrpc":"2.0","result":{"version":"0.14.6"},"id":1.5})"},
      {R"({"jsonrpc": "2.0", "method": "nope", "id": 1})",
       R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not implemented","data":null},"id":1})"},
      {R"({"jsonrpc": "2.0", "method": "listAccounts", "id": "a"})",
       R"({"jsonrpc":"2.0","result":[{"number":"+15550001111"}],"id":"a"})"},
      {"",
       R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"Empty input line","data":null},"id":null})"},
      {"   ",
       R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"Empty input line","data":null},"id":null})"},
      {"5",
       R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"unexpected type: NUMBER","data":null},"id":null})"},
      {"null",
       R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"unexpected type: NULL","data":null},"id":null})"},
      {R"({"method":"version","id":1})",
       R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"only jsonrpc version 2.0 is supported","data":null},"id":1})"},
      {R"({"jsonrpc":"2.0","id":3})",
       R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"method field must be set","data":null},"id":3})"},
      {"[]",
       R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"invalid request","data":null},"id":null})"},
      {R"([{"jsonrpc": "2.0", "method": "version", "id": 1},{"jsonrpc":"2.0","method":"version"}])",
       R"([{"jsonrpc":"2.0","result":{"version":"0.14.6"},"id":1}])"},
      {R"({"jsonrpc": "2.0", "method": "subscribeReceive", "id": 1})",
       R"({"jsonrpc":"2.0","result":0,"id":1})"},
      {R"({"jsonrpc": "2.0", "method": "subscribeReceive", "id": 2})",
       R"({"jsonrpc":"2.0","result":1,"id":2})"},
      {R"({"jsonrpc": "2.0", "method": "unsubscribeReceive", "id": 3, "params": {"subscription": 0}})",
       R"({"jsonrpc":"2.0","result":{},"id":3})"},
      {R"({"jsonrpc": "2.0", "method": "unsubscribeReceive", "id": 4, "params": [99]})",
       R"({"jsonrpc":"2.0","error":{"code":-1,"message":"Unknown subscription id","data":null},"id":4})"},
      {R"({"jsonrpc": "2.0", "method": "subscribeReceive", "id": 1, "params": {"account": "+15551230000"}})",
       R"({"jsonrpc":"2.0","error":{"code":-32602,"message":"Specified account does not exist","data":null},"id":1})"},
      {call("send", R"({"message":"x"})"),
       R"({"jsonrpc":"2.0","error":{"code":-1,"message":"No recipients given","data":null},"id":1})"},
      {call("send", R"({"recipient":"abc","message":"x"})"),
       R"({"jsonrpc":"2.0","error":{"code":-1,"message":"Invalid phone number 'abc': No valid characters found.","data":null},"id":1})"},
      {call("send", R"({"group-id":"zz","message":"x"})"),
       R"({"jsonrpc":"2.0","error":{"code":-1,"message":"Group not found: zz","data":null},"id":1})"},
  };
  for (const auto& [request, answer] : dialogue)
    EXPECT_EQ(sim.ask(*lines, request), answer) << request;
  EXPECT_THAT(sim.ask(*lines, "this is not json"),
              HasSubstr("-32700,\"message\":\"Unrecognized token 'this'"));
  EXPECT_THAT(sim.ask(*lines, R"({"jsonrpc":"2.0","method":"version","id":1,"extra":true})"),
              HasSubstr("-32600,\"message\":\"Unrecognized field \\\"extra\\\""));
}

TEST(SimJsonRpc, KeepsSilentAboutNotificationsAndResponses) {
  Sim sim;
  const auto lines = sim.lines();
  EXPECT_TRUE(sim.run(lines->write_line(R"({"jsonrpc":"2.0","method":"version"})")));
  EXPECT_TRUE(sim.run(lines->write_line(R"({"jsonrpc":"2.0","result":{},"id":"x"})")));
  EXPECT_THAT(sim.ask(*lines, call("version", "{}", "7")), EndsWith("\"id\":7}"));
}

TEST(SimJsonRpc, EndsTheConnectionOverInvalidUtf8AndHugeStrings) {
  Sim sim;
  const auto bad = sim.lines();
  EXPECT_EQ(sim.ask(*bad, "{\"jsonrpc\":\"2.0\",\"method\":\"version\",\"id\":\"\xff\"}"),
            "<closed>");
  const auto big = sim.lines();
  EXPECT_THAT(sim.ask(*big, call("version", "{}", "\"" + std::string(19'900'000, 'x') + "\"")),
              StartsWith("{\"jsonrpc\":\"2.0\",\"result\""));
  EXPECT_EQ(sim.ask(*big, call("version", "{}", "\"" + std::string(20'100'000, 'x') + "\"")),
            "<closed>");
}

TEST(SimJsonRpc, SendsToPeopleAndGroupsAndRecordsIt) {
  Sim sim;
  const auto lines = sim.lines();
  EXPECT_THAT(sim.ask(*lines, call("send", send_to_ada)),
              HasSubstr(R"("number":"+15550009001","username":null},"type":"SUCCESS"}]},"id":1})"));
  const std::string group =
      text_of(sim->state().at("groups").get_array()[0].get_object(), "internal_id");
  EXPECT_THAT(sim.ask(*lines, call("send", R"({"groupId":")" + group + R"(","message":"all"})")),
              HasSubstr("\"groupId\":\"" + group + "\",\"type\":\"SUCCESS\""));
  EXPECT_THAT(sim.sent_messages(), ElementsAre("hi", "all"));
}

TEST(SimJsonRpc, AnswersInOrderOfCompletion) {
  Options options = Sim::everything();
  options.seed = 7;
  Sim sim{std::move(options)};
  sim.fault(R"({"kind":"latency","ms":0,"jitter_ms":50})");
  const auto lines = sim.lines();
  std::vector<std::string> asked;
  std::vector<std::string> answered;
  for (int i = 0; i < 20; ++i) {
    asked.push_back(std::to_string(i));
    EXPECT_TRUE(sim.run(lines->write_line(call("send", send_to_ada, asked.back()))));
  }
  for (int i = 0; i < 20; ++i) {
    answered.push_back(text_of(object(sim.read(*lines)), "id"));
  }
  EXPECT_NE(answered, asked);
  EXPECT_THAT(answered, testing::UnorderedElementsAreArray(asked));
}

TEST(SimJsonRpc, ClassifiesErrorsAsSignalCliDoes) {
  Sim sim;
  const auto lines = sim.lines();
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"kind":"rate_limit","token":"tok","retry_after_s":86400})",
       R"("type":"RATE_LIMIT_FAILURE","token":"tok","retryAfterSeconds":86400)"},
      {R"({"kind":"rate_limit","variant":"plain"})", R"("type":"RATE_LIMIT_FAILURE"}]}}},"id")"},
      {R"({"kind":"rate_limit","variant":"hidden"})",
       R"("code":-32603,"message":"Failed to send message: [429])"},
      {R"({"kind":"untrusted"})", R"("code":-4)"},
      {R"({"kind":"unregistered"})", "UNREGISTERED_FAILURE"},
      {R"({"kind":"network_failure"})", "NETWORK_FAILURE"},
      {R"({"kind":"no_internet"})", "UnknownHostException"},
      {R"({"kind":"send_error","code":-3,"message":"odd"})",
       R"("code":-3,"message":"odd","data":null)"},
  };
  for (const auto& [fault, expected] : cases) {
    sim.fault(fault);
    EXPECT_THAT(sim.ask(*lines, call("send", send_to_ada)), HasSubstr(expected)) << fault;
  }
  EXPECT_THAT(sim.sent_messages(), testing::IsEmpty());
  sim.fault(R"({"kind":"deliver_then_error"})");
  EXPECT_THAT(sim.ask(*lines, call("send", send_to_ada)), HasSubstr("\"code\":-1"));
  EXPECT_THAT(sim.sent_messages(), ElementsAre("hi"));
}

TEST(SimJsonRpc, LosesOnlyTheAnswerOrAlsoTheMessage) {
  Sim sim;
  sim.fault(R"({"kind":"deliver_then_drop"})");
  EXPECT_EQ(sim.ask(*sim.lines(), call("send", send_to_ada)), "<closed>");
  EXPECT_THAT(sim.sent_messages(), ElementsAre("hi"));
  sim.fault(R"({"kind":"drop_send"})");
  EXPECT_EQ(sim.ask(*sim.lines(), call("send", send_to_ada)), "<closed>");
  EXPECT_THAT(sim.sent_messages(), ElementsAre("hi"));

  sim.fault(R"({"kind":"hang_sends"})");
  const auto lines = sim.lines();
  Started<Result<std::string>> answer{sim, lines->read_line()};
  EXPECT_TRUE(sim.run(lines->write_line(call("send", send_to_ada))));
  EXPECT_TRUE(sim.run(lines->write_line(call("version", "{}", "2"))));
  EXPECT_THAT(*answer.wait(), HasSubstr("\"id\":2"));
}

TEST(SimJsonRpc, AnswersWhatIsUnderWayAfterTheClientsEndOfFile) {
  Sim sim;
  sim.fault(R"({"kind":"latency","ms":50})");
  const auto lines = sim.lines();
  EXPECT_TRUE(sim.run(lines->write_line(call("send", send_to_ada))));
  lines->shutdown_send();
  EXPECT_THAT(sim.read(*lines), HasSubstr("SUCCESS"));
  EXPECT_EQ(sim.read(*lines), "<closed>");
}

// --- Receiving ----------------------------------------------------------------------------------

TEST(SimReceive, KeepsMessagesInManualModeUntilSomebodySubscribes) {
  Sim sim;
  sim.inject(R"({"text":"first","n":3})");
  const auto lines = sim.lines();
  EXPECT_EQ(sim.ask(*lines, call("version")),
            R"({"jsonrpc":"2.0","result":{"version":"0.14.6"},"id":1})");
  EXPECT_EQ(sim.counter("queued"), 3);
  sim.ask(*lines, call("subscribeReceive", R"({"account":"+15550001111"})"));
  for (int i = 1; i <= 3; ++i) {
    const std::string line = sim.read(*lines);
    EXPECT_THAT(
        line,
        StartsWith(
            R"({"jsonrpc":"2.0","method":"receive","params":{"subscription":0,"result":{"envelope")"));
    EXPECT_THAT(line, HasSubstr("first " + std::to_string(i)));
  }
  EXPECT_EQ(sim.counter("lost"), 0);
}

TEST(SimReceive, LosesMessagesInOnStartModeWhenNobodyIsThere) {
  Sim sim{Sim::everything(ReceiveMode::on_start)};
  sim.inject(R"({"n":5})");
  sim.until([&] { return sim.counter("lost") == 5; });
  const auto lines = sim.lines();
  sim.ask(*lines, call("version"));
  sim.inject(R"({"text":"there"})");
  EXPECT_THAT(sim.read(*lines),
              StartsWith(R"({"jsonrpc":"2.0","method":"receive","params":{"envelope")"));
}

TEST(SimReceive, HoldsMessagesBackWhileItsReceiverDoesNotRead) {
  Sim sim;
  const auto lines = sim.lines();
  sim.ask(*lines, call("subscribeReceive"));
  sim.inject(R"({"n":2000,"size":5000})");
  sim.settle();
  EXPECT_GT(sim.counter("queued"), 500);
  for (int i = 0; i < 2000; ++i) ASSERT_THAT(sim.read(*lines), HasSubstr("\"receive\""));
  EXPECT_EQ(sim.counter("lost"), 0);
}

TEST(SimReceive, CanDuplicateBreakAndStallWhatComesIn) {
  Sim sim;
  const auto lines = sim.lines();
  sim.ask(*lines, call("subscribeReceive"));
  sim.fault(R"({"kind":"duplicate"})");
  sim.inject(R"({"text":"twice"})");
  const std::string first = sim.read(*lines);
  EXPECT_EQ(sim.read(*lines), first);
  sim.fault(R"({"kind":"malformed","text":"{broken"})");
  EXPECT_THAT(sim.read(*lines), HasSubstr("{broken"));
  sim.fault(R"({"kind":"stall_receive"})");
  sim.inject("{}");
  sim.settle();
  EXPECT_EQ(sim.counter("queued"), 1);
  sim.fault(R"({"kind":"clear"})");
  EXPECT_THAT(sim.read(*lines), HasSubstr("message"));
}

TEST(SimReceive, GivesEachKindItsOwnShape) {
  Sim sim;
  const auto lines = sim.lines();
  sim.ask(*lines, call("subscribeReceive"));
  for (const auto& [kind, field] :
       std::vector<std::pair<std::string, std::string>>{{"data", "dataMessage"},
                                                        {"receipt", "receiptMessage"},
                                                        {"typing", "typingMessage"},
                                                        {"reaction", "reaction"},
                                                        {"edit", "editMessage"},
                                                        {"remote_delete", "remoteDelete"},
                                                        {"sync", "sentMessage"},
                                                        {"sync_empty", "syncMessage"},
                                                        {"call", "13874503249826373120"},
                                                        {"exception", "exception"},
                                                        {"story", "storyMessage"},
                                                        {"unknown", "fieldOfTheFuture"},
                                                        {"attachment", "attachments"}}) {
    sim.inject(R"({"kind":")" + kind + "\"}");
    EXPECT_THAT(sim.read(*lines), HasSubstr(field)) << kind;
  }
  sim.inject(R"({"raw":"{\"envelope\":{},\"account\":\"x\"}"})");
  EXPECT_THAT(sim.read(*lines), HasSubstr(R"("result":{"envelope":{},"account":"x"})"));
}

TEST(SimReceive, FollowsASendWithItsReceipt) {
  Sim sim;
  sim.fault(R"({"kind":"receipts"})");
  const auto lines = sim.lines();
  sim.ask(*lines, call("subscribeReceive"));
  EXPECT_TRUE(sim.run(lines->write_line(call("send", send_to_ada))));
  std::string both = sim.read(*lines);
  both += sim.read(*lines);
  const std::string timestamp =
      text_of(sim->sent().at("sent").get_array()[0].get_object(), "timestamp");
  EXPECT_THAT(both, HasSubstr("\"timestamps\":[" + timestamp + "]"));
}

// --- HTTP ---------------------------------------------------------------------------------------

TEST(SimJsonRpcOverHttp, AnswersAsTheTranscriptOfTheRealOneShows) {
  Sim sim;
  const std::uint16_t port = sim->jsonrpc_http_port();
  EXPECT_EQ(sim.http(port, "GET", "/api/v1/check").status, 200);
  EXPECT_EQ(sim.http(port, "POST", "/api/v1/check").status, 405);
  const auto version = sim.http(port, "POST", "/api/v1/rpc", call("version"));
  EXPECT_EQ(version.status, 200);
  EXPECT_EQ(version.body, R"({"jsonrpc":"2.0","result":{"version":"0.14.6"},"id":1})");
  EXPECT_EQ(sim.http(port, "POST", "/api/v1/rpc", call("version"), "text/plain").status, 415);
  EXPECT_EQ(sim.http(port, "POST", "/api/v1/rpc", R"({"jsonrpc":"2.0","method":"version"})").status,
            201);
  EXPECT_EQ(sim.http(port, "GET", "/api/v1/rpc").status, 405);
  EXPECT_EQ(sim.http(port, "GET", "/nope").status, 404);
  EXPECT_EQ(sim.http(port, "GET", "/api/v1/events?account=%2B15551230000").status, 400);
  EXPECT_THAT(sim.http(port, "POST", "/api/v1/rpc", call("subscribeReceive")).body,
              HasSubstr("-32601"));
}

}  // namespace
}  // namespace holdfast::bridge_sim::test
