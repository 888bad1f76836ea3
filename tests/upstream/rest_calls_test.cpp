// What is said to signal-cli-rest-api, and what a daemon's lines say.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <upstream/rest_calls.hpp>
#include <upstream/rpc_frames.hpp>

namespace holdfast::upstream {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using core::Operation;
using core::Reason;

core::Entry entry_of(Operation operation) {
  core::Entry entry;
  entry.account = "+15550100001";
  entry.recipient = "+15550100002";
  entry.operation = operation;
  return entry;
}

TEST(RestCalls, ASendGoesToItsOneRecipientAndKeepsEverythingElseAsItCame) {
  const auto request = rest_request(
      entry_of(Operation::send),
      R"({ "message":"\u00e9 1.0", "number":"+1", "recipients":["a","b"], "recipient":"c", "x":1.50e2})",
      "/prefix");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->target, "/prefix/v2/send");
  EXPECT_EQ(net::header(request->headers, "Content-Type"), "application/json");
  EXPECT_EQ(
      request->body,
      R"({"number":"+15550100001","recipients":["+15550100002"],"message":"\u00e9 1.0","x":1.50e2})");
}

TEST(RestCalls, TheOneAttachmentOfV1BecomesAList) {
  const auto with =
      rest_request(entry_of(Operation::send),
                   R"({"message":"x","base64_attachment":"AAAA","is_group":false})", "");
  ASSERT_TRUE(with);
  EXPECT_EQ(json::parse(with->body).at("base64_attachments"), json::parse(R"(["AAAA"])"));
  EXPECT_FALSE(json::parse(with->body).get_object().contains("is_group"));
  const auto without = rest_request(entry_of(Operation::send), R"({"base64_attachment":""})", "");
  ASSERT_TRUE(without);
  EXPECT_FALSE(json::parse(without->body).get_object().contains("base64_attachments"));
}

TEST(RestCalls, EachOperationHasItsCall) {
  struct Case {
    Operation operation;
    const char* method;
    const char* target;
  };
  for (const Case& one :
       {Case{Operation::reaction, "POST", "/v1/reactions/%2B15550100001"},
        Case{Operation::remove_reaction, "DELETE", "/v1/reactions/%2B15550100001"},
        Case{Operation::receipt, "POST", "/v1/receipts/%2B15550100001"},
        Case{Operation::remote_delete, "DELETE", "/v1/remote-delete/%2B15550100001"}}) {
    const auto request =
        rest_request(entry_of(one.operation), R"({"recipient":"x","timestamp":5})", "");
    ASSERT_TRUE(request);
    EXPECT_EQ(request->method, one.method);
    EXPECT_EQ(request->target, one.target);
    EXPECT_EQ(request->body, R"({"recipient":"+15550100002","timestamp":5})");
  }
}

TEST(RestCalls, ABodyThatIsNoObjectIsRefused) {
  for (const char* body : {"", "[]", "{", R"({"message":"x"} y)"}) {
    const auto request = rest_request(entry_of(Operation::send), body, "");
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().code, Errc::invalid_argument);
  }
}

TEST(RestCalls, AboutSaysModeAndVersion) {
  const auto about = parse_about(
      R"({"versions":["v1","v2"],"build":2,"mode":"json-rpc","version":"0.100","capabilities":{}})");
  ASSERT_TRUE(about);
  EXPECT_EQ(about->version, "0.100");
  EXPECT_TRUE(streams(about->mode));
  EXPECT_FALSE(streams("normal"));
  EXPECT_FALSE(streams("native"));
  EXPECT_TRUE(streams("unknown"));
  EXPECT_FALSE(parse_about("<html>"));
  EXPECT_FALSE(parse_about("{}"));
}

TEST(RestCalls, ARefusedHandshakeKeepsTheBridgesWords) {
  net::Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = 8080;
  const std::chrono::system_clock::time_point now{};
  const auto refused = [&](int status, const std::string& body, const std::string& retry_after) {
    net::HandshakeFailure failure;
    failure.status = status;
    failure.body = body;
    failure.retry_after = retry_after;
    failure.error = Error{Errc::protocol, "x"};
    return refused_handshake(failure, endpoint, now);
  };
  const core::Failure busy = refused(503, R"({"error":"starting up for +15550100001"})", "30");
  EXPECT_EQ(busy.reason, Reason::busy);
  EXPECT_EQ(busy.retry_after, 30s);
  EXPECT_EQ(busy.evidence,
            "the bridge answered 503 instead of opening its stream: starting up for +…");
  EXPECT_EQ(refused(401, "", "").reason, Reason::unauthorised);
  EXPECT_EQ(refused(404, "", "").reason, Reason::protocol);
  EXPECT_EQ(refused(502, "", "").reason, Reason::unreachable);
  EXPECT_EQ(refused(429, "", "Thu, 01 Jan 1970 00:01:00 GMT").retry_after, 60s);

  net::HandshakeFailure silent;
  silent.error = Error{Errc::timed_out, "x"};
  EXPECT_EQ(refused_handshake(silent, endpoint, now).reason, Reason::timed_out);
}

TEST(RestCalls, AnAboutThatIsMissingDoesNotEndTheAttempt) {
  const std::chrono::system_clock::time_point now{};
  net::HttpResponse answer;
  for (const int status : {200, 204, 301, 400, 404, 405, 500, 501}) {
    answer.status = status;
    EXPECT_FALSE(refused_about(answer, now)) << status;
  }
  for (const int status : {401, 403, 407, 429, 502, 503, 504}) {
    answer.status = status;
    EXPECT_TRUE(refused_about(answer, now)) << status;
  }
  answer.status = 503;
  answer.headers.emplace_back("retry-after", "7");
  EXPECT_EQ(refused_about(answer, now)->retry_after, 7s);
}

TEST(RestCalls, AMissingAccountIsNotedWithoutNamingIt) {
  EXPECT_EQ(accounts_note(200, R"(["+15550100009","+15550100001"])", "+15550100001"), "");
  const std::string missing = accounts_note(200, R"(["+15550100009"])", "+15550100001");
  EXPECT_NE(missing.find("no such account"), std::string::npos);
  EXPECT_EQ(missing.find("+1555"), std::string::npos);
  EXPECT_NE(accounts_note(500, R"({"error":"Couldn't get list of accounts: x"})", "+15550100001")
                .find("Couldn't get list"),
            std::string::npos);
  EXPECT_NE(accounts_note(404, "", "+15550100001"), "");
}

TEST(RestCalls, HeadersOfOneConnectionAreNotPassedOn) {
  const net::Headers kept = end_to_end({{"Host", "a"},
                                        {"connection", "close, X-Mine"},
                                        {"x-mine", "1"},
                                        {"Keep-Alive", "5"},
                                        {"transfer-encoding", "chunked"},
                                        {"content-length", "5"},
                                        {"Upgrade", "h2c"},
                                        {"Accept", "*/*"},
                                        {"Content-Type", "text/plain"}});
  EXPECT_EQ(kept, (net::Headers{{"Accept", "*/*"}, {"Content-Type", "text/plain"}}));
}

// --- Lines of a daemon --------------------------------------------------------------------------

TEST(RpcFrames, EveryShapeOfANotificationGivesTheFrameAsItCame) {
  const std::string frame = R"({"envelope":{"source":"a","timestamp":1},"account":"+15550100001"})";
  EXPECT_EQ(frame_in(R"({"subscription":0,"result":)" + frame + "}"), frame);
  const std::string unwrapped = frame;
  EXPECT_EQ(frame_in(unwrapped), frame);
  const std::string old = R"({"envelope":{"timestamp":1},"account":"a","subscription":0})";
  EXPECT_EQ(frame_in(old), old);
  const std::string other = R"({"subscription":0,"error":{"code":1}})";
  EXPECT_EQ(frame_in(other), other);
  EXPECT_EQ(frame_in("[]"), "[]");
}

TEST(RpcFrames, AFrameIsForTheAccountThatItNames) {
  EXPECT_TRUE(is_for(R"({"account":"+15550100001"})", "+15550100001"));
  EXPECT_TRUE(is_for(R"({"account":"\u002b15550100001"})", "+15550100001"));
  EXPECT_FALSE(is_for(R"({"account":"+15550100002"})", "+15550100001"));
  EXPECT_TRUE(is_for(R"({"envelope":{}})", "+15550100001")) << "it names nobody";
  EXPECT_TRUE(is_for(R"({"account":null})", "+15550100001"));
  EXPECT_FALSE(is_for(R"({"account":5})", "+15550100001"));
}

TEST(RpcFrames, ReadWhatAnswersSay) {
  EXPECT_EQ(error_code_of(R"({"code":-32601,"message":"x"})"), -32601);
  EXPECT_EQ(error_code_of(R"({"code":"x"})"), 0);
  EXPECT_EQ(error_code_of("null"), 0);
  EXPECT_EQ(version_in(R"({"version":"0.14.6"})"), "0.14.6");
  EXPECT_EQ(version_in("[]"), "");
  EXPECT_EQ(listed_note(R"([{"number":"+15550100001"}])", "+15550100001"), "");
  EXPECT_NE(listed_note("[]", "+15550100001"), "");
  EXPECT_NE(listed_note("5", "+15550100001"), "");
  EXPECT_EQ(listed_note("[]", "+15550100001").find("+1555"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::upstream
