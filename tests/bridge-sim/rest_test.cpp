#include "sim_harness.hpp"

namespace holdfast::bridge_sim::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(SimRest, AnswersAsTheRealOneDoes) {
  Sim sim;
  EXPECT_EQ(sim.rest("GET", "/v1/about").body,
            R"({"versions":["v1","v2"],"build":2,"mode":"json-rpc","version":"0.100",)"
            R"("capabilities":{"v2/send":["quotes","mentions"]}})");
  EXPECT_EQ(sim.rest("GET", "/v1/health").status, 204);
  EXPECT_EQ(sim.rest("GET", "/v1/accounts").body, R"(["+15550001111"])");
  EXPECT_EQ(sim.rest("GET", "/nope").body, "404 page not found");
  const auto moved = sim.rest("GET", "/v1/about/");
  EXPECT_EQ(moved.status, 301);
  EXPECT_EQ(net::header(moved.headers, "Location"), "/v1/about");
  const auto plain = sim.rest("GET", "/v1/receive/+15550001111");
  EXPECT_EQ(plain.status, 400);
  EXPECT_THAT(plain.body, StartsWith("Bad Request\n{\"error\":\"websocket: the client"));
}

TEST(SimRest, SendsAndSaysWhatIsWrong) {
  Sim sim;
  const auto sent = sim.rest("POST", "/v2/send", rest_to_ada);
  EXPECT_EQ(sent.status, 201);
  EXPECT_THAT(sent.body, testing::MatchesRegex(R"(\{"timestamp":"[0-9]+"\})"));
  sim.fault(R"({"kind":"rest","array_answers":true})");
  EXPECT_THAT(sim.rest("POST", "/v2/send", rest_to_ada).body,
              testing::MatchesRegex(R"(\[\{"timestamp":"[0-9]+"\}\])"));
  const auto malformed = sim.rest("POST", "/v2/send", "{");
  EXPECT_EQ(malformed.body, R"({"error":"Couldn't process request - invalid request"})");
  EXPECT_THAT(net::header(malformed.headers, "Content-Type"), StartsWith("text/plain"));
  for (const auto& [body, text] : std::vector<std::pair<std::string, std::string>>{
           {R"({"number":"+15550001111","recipients":[]})", "at least one recipient"},
           {R"({"recipients":["+1555"]})", "valid number"},
           {R"({"number":"+15550001111","recipients":["+1555"],"sticker":"x"})",
            "sticker delimiter"},
           {R"({"number":"+15550001111","recipients":["group.x"],"message":"m"})",
            "Invalid group id"},
           {R"({"number":"+15559999999","recipients":["+1555"],"message":"m"})",
            "Specified account does not exist"},
           {R"({"number":"+15550001111","recipients":["+1555"],"message":"m","view_once":true})",
            "image attachments"}}) {
    const auto refused = sim.rest("POST", "/v2/send", body);
    EXPECT_EQ(refused.status, 400);
    EXPECT_THAT(refused.body, HasSubstr(text));
  }
}

TEST(SimRest, SaysRateLimitInEachOfItsDisguises) {
  Sim sim;
  sim.fault(R"({"kind":"rate_limit","token":"tok"})");
  const auto token = sim.rest("POST", "/v2/send", rest_to_ada);
  EXPECT_EQ(token.status, 429);
  EXPECT_THAT(token.body, HasSubstr(R"("challenge_tokens":["tok"],"account":"+15550001111")"));
  sim.fault(R"({"kind":"rate_limit","variant":"plain"})");
  EXPECT_THAT(sim.rest("POST", "/v2/send", rest_to_ada).body,
              HasSubstr(R"("challenge_tokens":[""])"));
  sim.fault(R"({"kind":"rate_limit","variant":"hidden"})");
  const auto hidden = sim.rest("POST", "/v2/send", rest_to_ada);
  EXPECT_EQ(hidden.status, 400);
  EXPECT_THAT(hidden.body, HasSubstr("[429] Rate limit exceeded"));
  sim.fault(R"({"kind":"send_error","status":502,"body":"<html>"})");
  const auto proxy = sim.rest("POST", "/v2/send", rest_to_ada);
  EXPECT_EQ(proxy.status, 502);
  EXPECT_EQ(proxy.body, "<html>");
}

TEST(SimRest, TranslatesTheOtherSends) {
  Sim sim;
  const std::string to = R"({"recipient":"+15550009001")";
  EXPECT_EQ(sim.rest("PUT", "/v1/typing-indicator/" + account, to + "}").status, 204);
  EXPECT_EQ(sim.rest("POST", "/v1/reactions/" + account,
                     to + R"(,"reaction":"x","target_author":"+1555","timestamp":5})")
                .status,
            204);
  EXPECT_THAT(sim.rest("POST", "/v1/reactions/" + account, to + "}").body,
              HasSubstr("reaction missing"));
  EXPECT_EQ(
      sim.rest("POST", "/v1/receipts/" + account, to + R"(,"receipt_type":"read","timestamp":5})")
          .status,
      204);
  EXPECT_EQ(sim.rest("DELETE", "/v1/remote-delete/" + account, to + R"(,"timestamp":5})").status,
            201);
  std::vector<std::string> operations;
  const json::object all = sim->sent();
  for (const json::value& sent : all.at("sent").get_array()) {
    operations.push_back(text_of(sent.get_object(), "op"));
  }
  EXPECT_THAT(operations, ElementsAre("sendTyping", "sendReaction", "sendReceipt", "remoteDelete"));
}

TEST(SimRest, ListsGroupsByBothIds) {
  Sim sim;
  const auto groups = sim.rest("GET", "/v1/groups/" + account);
  const std::string id = text_of(sim->state().at("groups").get_array()[0].get_object(), "id");
  EXPECT_THAT(groups.body, HasSubstr("\"id\":\"" + id + "\",\"internal_id\":"));
  EXPECT_THAT(sim.rest("GET", "/v1/groups/" + account + "/" + net::percent_encode(id)).body,
              StartsWith("{\"name\":\"Crew\""));
  EXPECT_EQ(sim.rest("GET", "/v1/groups/" + account + "/group.x").status, 404);
  EXPECT_EQ(sim.rest("POST", "/v2/send",
                     R"({"number":"+15550001111","recipients":[")" + id + R"("],"message":"all"})")
                .status,
            201);
  EXPECT_THAT(sim.sent_messages(), ElementsAre("all"));
}

TEST(SimRest, BroadcastsToEveryWebSocketOfTheNumber) {
  Sim sim;
  const auto one = sim.socket();
  const auto two = sim.socket();
  const auto stranger = sim.socket("+15557770000");
  Started<Result<std::string>> never{sim, stranger->read()};
  sim.inject(R"({"text":"to all"})");
  EXPECT_THAT(sim.read(*one), StartsWith("{\"envelope\""));
  EXPECT_THAT(sim.read(*two), HasSubstr("to all"));
  EXPECT_FALSE(never.done());
}

TEST(SimRest, RefusesMoreThan512BytesFromAClient) {
  Sim sim;
  const auto socket = sim.socket();
  EXPECT_TRUE(sim.run(socket->write_text("ignored")));
  const std::string big(513, 'x');
  EXPECT_TRUE(sim.run(socket->write_text(big)));
  auto end = sim.run(socket->read());
  ASSERT_FALSE(end);
  EXPECT_THAT(end.error().message, HasSubstr("1009"));
}

TEST(SimRest, DropsMessagesForABusyClientWhenAsked) {
  Sim sim;
  sim.fault(R"({"kind":"drop_when_busy"})");
  const auto socket = sim.socket();
  sim.inject(R"({"n":5000,"size":2000})");
  sim.until([&] { return sim.counter("queued") == 0; });
  EXPECT_GT(sim.counter("dropped"), 0);
}

TEST(SimRest, IsPolledInNormalMode) {
  Options options = Sim::everything();
  options.rest_settings.mode = "normal";
  Sim sim{std::move(options)};
  EXPECT_THAT(sim.rest("GET", "/v1/about").body, HasSubstr("\"mode\":\"normal\""));
  sim.inject(R"({"n":3})");
  const auto two = sim.rest("GET", "/v1/receive/" + account + "?timeout=0&max_messages=2");
  EXPECT_THAT(net::header(two.headers, "Content-Type"), StartsWith("text/plain"));
  boost::json::error_code ec;
  EXPECT_EQ(json::parse(two.body, ec).get_array().size(), 2u);
  EXPECT_EQ(json::parse(sim.rest("GET", "/v1/receive/" + account + "?timeout=0").body, ec)
                .get_array()
                .size(),
            1u);
  EXPECT_EQ(sim.rest("GET", "/v1/receive/" + account + "?timeout=0").body, "[]");
}

TEST(SimRest, StaysAliveOnTheSurfaceWhileItsCallsHang) {
  Sim sim;
  sim.fault(R"({"kind":"hang_calls"})");
  EXPECT_EQ(sim.rest("GET", "/v1/health").status, 204);
  net::HttpClient client{Sim::at(sim->rest_port())};
  net::HttpRequest request;
  request.target = "/v1/accounts";
  Started<Result<net::HttpResponse>> hanging{sim, client.call(request, 20s)};
  sim.until([&] { return number_of(sim->state(), "calls_under_way") == 1; });
  EXPECT_FALSE(hanging.done());
  sim.fault(R"({"kind":"clear"})");
  EXPECT_EQ(hanging.wait()->status, 200);
}

}  // namespace
}  // namespace holdfast::bridge_sim::test
