#include <gtest/gtest.h>

#include <string>
#include <upstream/classify.hpp>
#include <vector>

namespace holdfast::upstream {
namespace {

using namespace std::chrono_literals;
using core::Operation;
using core::SendOutcome;
using Kind = SendOutcome::Kind;
using Scope = SendOutcome::Scope;

constexpr Sending person{Operation::send, false};
constexpr Sending group{Operation::send, true};
constexpr Sending reaction{Operation::reaction, false};

SendOutcome rest(int status, const std::string& body, const Sending& sending = person) {
  RestAnswer answer;
  answer.status = status;
  answer.body = body;
  return classify_rest(answer, sending);
}

std::string error_body(const std::string& text) { return R"({"error":")" + text + R"("})"; }

std::string rpc_error(int code, const std::string& message, const std::string& data = "null") {
  return R"({"code":)" + std::to_string(code) + R"(,"message":")" + message + R"(","data":)" +
         data + "}";
}

/// `data` of a send error with one result for each type; `more` is put into the first.
std::string results(const std::vector<std::string>& types, const std::string& more = {}) {
  std::string list;
  for (const std::string& type : types) {
    if (!list.empty()) list += ",";
    list +=
        R"({"recipientAddress":{"uuid":"u","number":null,"username":null},"type":")" + type + "\"";
    if (list.find("},{") == std::string::npos) list += more;
    list += "}";
  }
  return R"({"response":{"timestamp":1795470871600,"results":[)" + list + "]}}";
}

std::string rpc_result(const std::vector<std::string>& types) {
  const std::string data = results(types);
  return data.substr(12, data.size() - 13);
}

struct Expected {
  const char* text;
  Kind for_person;
  Kind for_group;
};

// What signal-cli says in `message`, and what signal-cli-rest-api passes on as a 400.
const std::vector<Expected> texts{
    {"Failed to send message", Kind::not_sent, Kind::not_sent},
    {"The user +15550100429 is not registered.", Kind::failed, Kind::failed},
    {"No recipients given", Kind::failed, Kind::failed},
    {"Invalid phone number '429': No valid characters found.", Kind::failed, Kind::failed},
    {"Invalid mention syntax (x) expected 'start:length:recipientNumber'", Kind::failed,
     Kind::failed},
    {"Sending empty message is not allowed, either a message, attachment or sticker must be given.",
     Kind::failed, Kind::failed},
    {"Group not found: 4XMBgW3qq0fnc1CPTcOCzJ769cWWfbXWZugjoB5spuU=", Kind::failed, Kind::failed},
    {"User is not a member in group: Crew (x)", Kind::failed, Kind::failed},
    {"Failed to send sticker: no such pack", Kind::failed, Kind::failed},
    {"Failed to send message due to untrusted identities", Kind::failed, Kind::failed},
    {"Specified account does not exist", Kind::not_sent, Kind::not_sent},
    {"Method requires valid account parameter", Kind::not_sent, Kind::not_sent},
    {"Failed to send message: /429: /429 (No such file or directory) (AttachmentInvalidException) "
     "(UnexpectedErrorException)",
     Kind::failed, Kind::failed},
    {"class java.lang.Integer cannot be cast to class java.lang.Long (ClassCastException)",
     Kind::failed, Kind::failed},
    {"Failed to send message: chat.signal.org: Temporary failure in name resolution "
     "(UnknownHostException) (UnexpectedErrorException)",
     Kind::not_sent, Kind::not_sent},
    {"Failed to send message: Connection refused (ConnectException) (UnexpectedErrorException)",
     Kind::not_sent, Kind::not_sent},
    {"Failed to send message: [429] Rate limit exceeded: 429 (RateLimitException) "
     "(UnexpectedErrorException)",
     Kind::rate_limited, Kind::ambiguous},
    {"Failed to send message: [413] Rate limit exceeded: 413 (RateLimitException) "
     "(UnexpectedErrorException)",
     Kind::rate_limited, Kind::ambiguous},
    {"Failed to send message due to rate limiting", Kind::rate_limited, Kind::ambiguous},
    {"Failed to send message: [428] (ProofRequiredException) (UnexpectedErrorException)",
     Kind::rate_limited, Kind::ambiguous},
    {"Failed to send message: [499] (DeprecatedVersionException) (UnexpectedErrorException)",
     Kind::failed, Kind::failed},
    {"Failed to send message: timeout (SocketTimeoutException) (UnexpectedErrorException)",
     Kind::ambiguous, Kind::ambiguous},
    {"Failed to send message: Connection reset (SocketException) (UnexpectedErrorException)",
     Kind::ambiguous, Kind::ambiguous},
    {"Failed to send message: No prekeys available (IOException), maybe one of the devices of the "
     "recipient wasn't online for a while.",
     Kind::not_sent, Kind::ambiguous},
    {"null (NullPointerException)", Kind::ambiguous, Kind::ambiguous},
    {"An internal server error has occurred.", Kind::ambiguous, Kind::ambiguous},
};

TEST(Classify, ReadsEveryTextOfSignalCli) {
  for (const Expected& one : texts) {
    for (const int code : {-1, -32603}) {
      EXPECT_EQ(classify_rpc_error(rpc_error(code, one.text), person).kind, one.for_person)
          << code << ": " << one.text;
      EXPECT_EQ(classify_rpc_error(rpc_error(code, one.text), group).kind, one.for_group)
          << code << " to a group: " << one.text;
      if (std::string_view{one.text}.starts_with("User is not a member")) break;  // always -1
    }
  }
}

TEST(Classify, ReadsTheSameTextsInsideA400) {
  for (const Expected& one : texts) {
    EXPECT_EQ(rest(400, error_body(one.text)).kind, one.for_person) << one.text;
    EXPECT_EQ(rest(400, error_body(one.text), group).kind, one.for_group) << one.text;
  }
}

TEST(Classify, ReadsTheTextsOfTheRestBridgeItself) {
  const std::vector<Expected> own{
      {"Couldn't process request - invalid request", Kind::failed, Kind::failed},
      {"Couldn't process request - please provide at least one recipient", Kind::failed,
       Kind::failed},
      {"Couldn't process request - please provide a valid number", Kind::failed, Kind::failed},
      {"Couldn't process request - please provide valid sticker delimiter", Kind::failed,
       Kind::failed},
      {"Couldn't process request - invalid signal-cli response", Kind::ambiguous, Kind::ambiguous},
      {"'view_once' can only be set for image attachments!", Kind::failed, Kind::failed},
      {"Please specify at least one recipient", Kind::failed, Kind::failed},
      {"Invalid group id", Kind::failed, Kind::failed},
      {"Unable to complete request due to untrusted recipient keys", Kind::failed, Kind::failed},
      {"illegal base64 data at input byte 4", Kind::failed, Kind::failed},
      {"Number not registered with JSON-RPC", Kind::not_sent, Kind::not_sent},
      {"write tcp 127.0.0.1:41000->127.0.0.1:6001: write: broken pipe", Kind::not_sent,
       Kind::not_sent},
      {"unexpected end of JSON input", Kind::ambiguous, Kind::ambiguous},
      {"invalid character 'x' looking for beginning of value", Kind::ambiguous, Kind::ambiguous},
      {"Failed to send message due to rate limiting (Couldn't parse JSON for more details",
       Kind::rate_limited, Kind::ambiguous},
  };
  for (const Expected& one : own) {
    EXPECT_EQ(rest(400, error_body(one.text)).kind, one.for_person) << one.text;
    EXPECT_EQ(rest(400, error_body(one.text), group).kind, one.for_group) << one.text;
  }
}

TEST(Classify, PassesOnTheBridgesWords) {
  EXPECT_EQ(rest(400, error_body("Invalid group id")).why, "Invalid group id");
  EXPECT_EQ(rest(400, error_body("Invalid group id")).status, 400);
  EXPECT_EQ(classify_rpc_error(rpc_error(-1, "No recipients given"), person).why,
            "No recipients given");
  EXPECT_LT(rest(400, error_body(std::string(100'000, 'x'))).why.size(), 400u);
}

TEST(Classify, AsksToUpgradeABridgeThatSignalRefuses) {
  const SendOutcome outcome = rest(
      400,
      error_body(
          "Failed to send message: [499] (DeprecatedVersionException) (UnexpectedErrorException)"));
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_NE(outcome.why.find("upgrade the bridge"), std::string::npos);
}

// --- 201 ----------------------------------------------------------------------------------------

TEST(Classify, TakesTheTimestampFromEveryShapeOfA201) {
  for (const char* body :
       {R"({"timestamp":"1795471489915"})", R"({"timestamp":1795471489915})",
        R"([{"timestamp":"1795471489915"}])", R"([{"timestamp":1795471489915,"errors":{}}])",
        R"([{"timestamp":"1795471489915","errors":{"recipients":[]}}])"}) {
    const SendOutcome outcome = rest(201, body);
    EXPECT_EQ(outcome.kind, Kind::sent) << body;
    EXPECT_EQ(outcome.timestamp, 1795471489915) << body;
  }
}

TEST(Classify, A201WithErrorsForEverybodyIsNoSuccess) {
  const auto with = [](const std::string& reason) {
    return R"([{"timestamp":"17","errors":{"recipients":[{"uuid":"u","number":"","username":"","reason":")" +
           reason + R"("}]}}])";
  };
  EXPECT_EQ(rest(201, with("UNREGISTERED_FAILURE")).kind, Kind::failed);
  EXPECT_EQ(rest(201, with("IDENTITY_FAILURE")).kind, Kind::failed);
  EXPECT_EQ(rest(201, with("NETWORK_FAILURE")).kind, Kind::not_sent);
  EXPECT_EQ(rest(201, with("RATE_LIMIT_FAILURE")).kind, Kind::rate_limited);
  EXPECT_EQ(rest(201, with("SOMETHING_NEW")).kind, Kind::ambiguous);
  const SendOutcome some = rest(201, with("UNREGISTERED_FAILURE"), group);
  EXPECT_EQ(some.kind, Kind::sent) << "a group's 201 means that somebody got it";
  EXPECT_NE(some.why.find("UNREGISTERED_FAILURE"), std::string::npos);
}

TEST(Classify, A2xxWithoutTimestampIsSuccessOnlyWhereNoneIsDue) {
  EXPECT_EQ(rest(201, "").kind, Kind::sent);
  EXPECT_EQ(rest(201, "").timestamp, 0);
  EXPECT_EQ(rest(201, R"({"timestamp":"x"})").timestamp, 0);
  EXPECT_EQ(rest(200, "<html>please log in</html>").kind, Kind::ambiguous);
  EXPECT_EQ(rest(204, "", reaction).kind, Kind::sent);
}

// --- Other statuses -----------------------------------------------------------------------------

struct Status {
  int status;
  const char* body;
  Kind kind;
  int for_caller;
};

TEST(Classify, ReadsEveryStatus) {
  const std::vector<Status> statuses{
      {301, "", Kind::not_sent, 0},
      {307, "", Kind::not_sent, 0},
      {401, "", Kind::not_sent, 0},
      {403, "", Kind::not_sent, 0},
      {404, "404 page not found", Kind::failed, 404},
      {405, "", Kind::failed, 405},
      {408, "", Kind::not_sent, 0},
      {413, "<html>413 Request Entity Too Large</html>", Kind::failed, 413},
      {415, "", Kind::failed, 415},
      {428, "", Kind::rate_limited, 0},
      {429, "", Kind::rate_limited, 0},
      {500, R"({"error":"x"})", Kind::ambiguous, 0},
      {502, "<html>Bad Gateway</html>", Kind::ambiguous, 0},
      {503, "", Kind::not_sent, 0},
      {504, "", Kind::ambiguous, 0},
      {100, "", Kind::ambiguous, 0},
      {599, "", Kind::ambiguous, 0},
  };
  for (const Status& one : statuses) {
    const SendOutcome outcome = rest(one.status, one.body);
    EXPECT_EQ(outcome.kind, one.kind) << one.status;
    EXPECT_EQ(outcome.status, one.for_caller) << one.status;
    EXPECT_FALSE(outcome.why.empty()) << one.status;
  }
  EXPECT_NE(rest(404, "").why.find("/v2/send"), std::string::npos);
  EXPECT_NE(rest(404, "", reaction).why.find("/v1/reactions"), std::string::npos);
}

std::string too_many(const std::string& tokens) {
  return R"({"error":"Failed to send message due to rate limiting. Use the attached challenge tokens",)"
         R"("challenge_tokens":)" +
         tokens + R"(,"account":"+15550100001"})";
}

TEST(Classify, A429WithATokenFreezesTheAccountUntilProofIsGiven) {
  const SendOutcome outcome = rest(429, too_many(R"(["tok-1"])"));
  EXPECT_EQ(outcome.kind, Kind::rate_limited);
  EXPECT_EQ(outcome.scope, Scope::account);
  EXPECT_EQ(outcome.challenge_token, "tok-1");
  EXPECT_FALSE(outcome.retry_after);
}

TEST(Classify, A429WithAnEmptyTokenIsAPlainLimitOfTheRecipient) {
  for (const char* tokens : {R"([""])", "[]", "null"}) {
    const SendOutcome outcome = rest(429, too_many(tokens));
    EXPECT_EQ(outcome.kind, Kind::rate_limited) << tokens;
    EXPECT_EQ(outcome.scope, Scope::recipient) << tokens;
    EXPECT_EQ(outcome.challenge_token, "") << tokens;
  }
}

TEST(Classify, A429ToAGroupMayHaveReachedSomebody) {
  const SendOutcome outcome = rest(429, too_many(R"(["tok-1",""])"), group);
  EXPECT_EQ(outcome.kind, Kind::ambiguous);
  EXPECT_EQ(outcome.scope, Scope::account) << "the limit counts all the same";
  EXPECT_EQ(outcome.challenge_token, "tok-1");
}

TEST(Classify, A429sRetryAfterIsKept) {
  RestAnswer answer;
  answer.status = 429;
  answer.retry_after = 30s;
  EXPECT_EQ(classify_rest(answer, person).retry_after, 30s);
}

// --- JSON-RPC -----------------------------------------------------------------------------------

TEST(Classify, AnySuccessIsSent) {
  const SendOutcome all = classify_rpc_result(rpc_result({"SUCCESS"}), person);
  EXPECT_EQ(all.kind, Kind::sent);
  EXPECT_EQ(all.timestamp, 1795470871600);
  EXPECT_EQ(all.why, "");
  const SendOutcome some = classify_rpc_result(
      rpc_result({"SUCCESS", "UNREGISTERED_FAILURE", "NETWORK_FAILURE"}), group);
  EXPECT_EQ(some.kind, Kind::sent);
  EXPECT_EQ(some.why, "sent to 1 of 3 recipients (NETWORK_FAILURE, UNREGISTERED_FAILURE)");
  const SendOutcome in_error = classify_rpc_error(
      rpc_error(-1, "Failed to send message", results({"SUCCESS", "NETWORK_FAILURE"})), group);
  EXPECT_EQ(in_error.kind, Kind::sent);
  EXPECT_EQ(in_error.timestamp, 1795470871600);
}

TEST(Classify, AResultWithoutResultsIsWhatSignalCliSaysItIs) {
  EXPECT_EQ(classify_rpc_result(R"({"timestamp":5,"results":[]})", group).kind, Kind::sent);
  EXPECT_EQ(classify_rpc_result(R"({"timestamp":5})", person).timestamp, 5);
  EXPECT_EQ(classify_rpc_result("{}", reaction).kind, Kind::sent);
  EXPECT_EQ(classify_rpc_result("{}", person).kind, Kind::ambiguous);
  EXPECT_EQ(classify_rpc_result("[]", person).kind, Kind::ambiguous);
  EXPECT_EQ(classify_rpc_result("", person).kind, Kind::ambiguous);
}

struct Results {
  int code;
  std::vector<std::string> types;
  Kind for_person;
  Kind for_group;
};

TEST(Classify, ReadsTheResultsInsideAnError) {
  const std::vector<Results> cases{
      {-1, {"NETWORK_FAILURE"}, Kind::not_sent, Kind::not_sent},
      {-1, {"UNREGISTERED_FAILURE"}, Kind::failed, Kind::failed},
      {-1, {"INVALID_PRE_KEY_FAILURE"}, Kind::failed, Kind::failed},
      {-1, {"UNREGISTERED_FAILURE", "UNREGISTERED_FAILURE"}, Kind::failed, Kind::failed},
      {-1, {"NETWORK_FAILURE", "UNREGISTERED_FAILURE"}, Kind::not_sent, Kind::not_sent},
      {-1, {"RATE_LIMIT_FAILURE", "NETWORK_FAILURE"}, Kind::rate_limited, Kind::ambiguous},
      {-1, {"SOMETHING_NEW", "NETWORK_FAILURE"}, Kind::ambiguous, Kind::ambiguous},
      {-4, {"IDENTITY_FAILURE"}, Kind::failed, Kind::failed},
      {-5, {"RATE_LIMIT_FAILURE"}, Kind::rate_limited, Kind::ambiguous},
  };
  for (const Results& one : cases) {
    const std::string error = rpc_error(one.code, "Failed to send message", results(one.types));
    EXPECT_EQ(classify_rpc_error(error, person).kind, one.for_person) << one.types.front();
    EXPECT_EQ(classify_rpc_error(error, group).kind, one.for_group) << one.types.front();
  }
  const SendOutcome outcome = classify_rpc_error(
      rpc_error(-1, "Failed to send message", results({"UNREGISTERED_FAILURE"})), person);
  EXPECT_EQ(outcome.status, 400);
  EXPECT_EQ(outcome.why, "Failed to send message (UNREGISTERED_FAILURE)");
}

TEST(Classify, ReadsTheTimeAndTheTokenOfARateLimit) {
  const auto limited = [](const std::string& more) {
    return classify_rpc_error(rpc_error(-5, "Failed to send message due to rate limiting",
                                        results({"RATE_LIMIT_FAILURE"}, more)),
                              person);
  };
  const SendOutcome proof = limited(R"(,"token":"tok-1","retryAfterSeconds":86400)");
  EXPECT_EQ(proof.kind, Kind::rate_limited);
  EXPECT_EQ(proof.scope, Scope::account);
  EXPECT_EQ(proof.challenge_token, "tok-1");
  EXPECT_EQ(proof.retry_after, 24h);

  const SendOutcome odd = limited(R"(,"token":"tok-1","retryAfterSeconds":-1)");
  EXPECT_FALSE(odd.retry_after) << "-1 says nothing";
  const SendOutcome plain = limited("");
  EXPECT_EQ(plain.scope, Scope::recipient);
  EXPECT_FALSE(plain.retry_after);
  EXPECT_EQ(limited(R"(,"retryAfterSeconds":30)").retry_after, 30s);
  EXPECT_EQ(limited(R"(,"retryAfterSeconds":9223372036854775807)").retry_after, 720h) << "bounded";
  EXPECT_FALSE(limited(R"(,"retryAfterSeconds":0)").retry_after);
}

TEST(Classify, AnOldVersionsTokenBehindANetworkFailureIsARateLimit) {
  const SendOutcome outcome = classify_rpc_error(
      rpc_error(-1, "Failed to send message", results({"NETWORK_FAILURE"}, R"(,"token":"tok-1")")),
      person);
  EXPECT_EQ(outcome.kind, Kind::rate_limited);
  EXPECT_EQ(outcome.challenge_token, "tok-1");
}

TEST(Classify, TwoLimitedRecipientsFreezeTheAccount) {
  const SendOutcome outcome =
      classify_rpc_error(rpc_error(-5, "Failed to send message due to rate limiting",
                                   results({"RATE_LIMIT_FAILURE", "RATE_LIMIT_FAILURE"})),
                         group);
  EXPECT_EQ(outcome.kind, Kind::ambiguous);
  EXPECT_EQ(outcome.scope, Scope::account);
}

TEST(Classify, ReadsCodesWithoutResults) {
  struct Case {
    int code;
    const char* message;
    Kind for_person;
    Kind for_group;
  };
  const std::vector<Case> cases{
      {-3, "Failed to send message: x", Kind::not_sent, Kind::ambiguous},
      {-3, "UnknownHostException", Kind::not_sent, Kind::not_sent},
      {-4, "Failed to send message due to untrusted identities", Kind::failed, Kind::failed},
      {-5, "Failed to send message due to rate limiting", Kind::rate_limited, Kind::ambiguous},
      {-6, "captcha rejected", Kind::failed, Kind::failed},
      {-32600, "Unrecognized field", Kind::failed, Kind::failed},
      {-32601, "Method not implemented", Kind::failed, Kind::failed},
      {-32602, "Specified account does not exist", Kind::not_sent, Kind::not_sent},
      {-32602, "Method requires valid account parameter", Kind::not_sent, Kind::not_sent},
      {-32602, "Invalid params", Kind::failed, Kind::failed},
      {-32603, "something (SomeException)", Kind::ambiguous, Kind::ambiguous},
      {-99, "new", Kind::ambiguous, Kind::ambiguous},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(classify_rpc_error(rpc_error(one.code, one.message), person).kind, one.for_person)
        << one.code << one.message;
    EXPECT_EQ(classify_rpc_error(rpc_error(one.code, one.message), group).kind, one.for_group)
        << one.code << one.message;
  }
}

TEST(Classify, AnAnswerThatCannotBeReadIsAmbiguous) {
  for (const char* error : {"", "null", "5", "[]", "{\"code\":", "{}"}) {
    EXPECT_EQ(classify_rpc_error(error, person).kind, Kind::ambiguous) << error;
  }
}

TEST(Classify, EveryDefiniteFailureHasAStatusForTheCaller) {
  for (const Expected& one : texts) {
    const SendOutcome outcome = rest(400, error_body(one.text));
    if (outcome.kind == Kind::failed) {
      EXPECT_GE(outcome.status, 400) << one.text;
      EXPECT_LT(outcome.status, 500) << one.text;
    } else {
      EXPECT_EQ(outcome.status, 0) << one.text;
    }
  }
  EXPECT_EQ(refused_call(Error{Errc::too_large, "x"}).status, 413);
  EXPECT_EQ(refused_call(Error{Errc::invalid_argument, "x"}).status, 400);
}

TEST(Classify, KnowsAGroupByItsRecipient) {
  core::Entry entry;
  entry.recipient = "group.abc";
  EXPECT_TRUE(sending_of(entry).is_group);
  entry.recipient = "+15550100002";
  EXPECT_FALSE(sending_of(entry).is_group);
}

}  // namespace
}  // namespace holdfast::upstream
