#include <gtest/gtest.h>

#include <api/encoding.hpp>
#include <api/send_answer.hpp>
#include <api/send_request.hpp>
#include <boost/json.hpp>

namespace holdfast::api {
namespace {

/// 32 zero bytes, twice base64.
const std::string group = "group.QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT0=";

std::string why_refused(const std::string& body) {
  const auto call = read_send_v2(body);
  return call ? "" : call.error().message;
}

TEST(SendV2, ReadsAccountAndRecipientsAndKeepsTheBodyAsItCame) {
  const std::string body =
      R"({ "message":"hi", "number":"+15550100001","recipients":["+15550100002","+15550100003"],"x":1})";
  const auto call = read_send_v2(body);
  ASSERT_TRUE(call);
  EXPECT_EQ(call->account, "+15550100001");
  EXPECT_EQ(call->recipients, (std::vector<std::string>{"+15550100002", "+15550100003"}));
  EXPECT_EQ(call->operation, core::Operation::send);
  EXPECT_EQ(call->body, body);
}

TEST(SendV2, TakesTheHiddenRecipientToo) {
  const auto call = read_send_v2(
      R"({"number":"+15550100001","recipient":"+15550100003","recipients":["+15550100002"]})");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->recipients, (std::vector<std::string>{"+15550100002", "+15550100003"}));
}

TEST(SendV2, SendsToEachPersonOnce) {
  const auto call =
      read_send_v2(R"({"number":"+15550100001","recipients":["+1 555 0100002","+15550100002"]})");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->recipients, std::vector<std::string>{"+15550100002"});
}

TEST(SendV2, RefusesInTheBridgesOwnWords) {
  const std::string from = R"("number":"+15550100001")";
  const std::string to = R"("recipients":["+15550100002"])";
  EXPECT_EQ(why_refused("{"), "Couldn't process request - invalid request");
  EXPECT_EQ(why_refused("{" + from + R"(,"recipients":"+15550100002"})"),
            "Couldn't process request - invalid request");
  EXPECT_EQ(why_refused("{" + from + R"(,"recipients":[]})"),
            "Couldn't process request - please provide at least one recipient");
  EXPECT_EQ(why_refused("{" + to + "}"),
            "Couldn't process request - please provide a valid number");
  EXPECT_EQ(why_refused("{" + from + "," + to + R"(,"sticker":"abc"})"),
            "Couldn't process request - please provide valid sticker delimiter");
  EXPECT_EQ(why_refused("{" + from + "," + to + R"(,"view_once":true})"),
            "'view_once' can only be set for image attachments!");
  EXPECT_EQ(
      why_refused("{" + from + "," + to +
                  R"(,"message":"see","link_preview":{"url":"https://a.example","title":"A"}})"),
      "Link Preview URL is missing in the message!");
}

TEST(SendV2, RefusesMixedKindsOfRecipients) {
  const auto mixed = [](const std::string& recipients) {
    return why_refused(R"({"number":"+15550100001","recipients":[)" + recipients + "]}");
  };
  const std::string in_quotes = '"' + group + '"';
  EXPECT_TRUE(mixed(in_quotes).empty());
  EXPECT_TRUE(mixed(R"("+15550100002","01234567-89ab-cdef-0123-456789ABCDEF")").empty());
  EXPECT_TRUE(mixed(R"("group.42")").empty()) << "a user name";
  EXPECT_NE(mixed(in_quotes + R"(,"+15550100002")").find("Groups and phone numbers"),
            std::string::npos);
  EXPECT_NE(mixed(in_quotes + R"(,"someone.01")").find("Groups and usernames"), std::string::npos);
  EXPECT_NE(mixed(R"("+15550100002","someone.01")").find("phone numbers and usernames"),
            std::string::npos);
  EXPECT_NE(mixed(R"("group.bm90IGEgZ3JvdXA=")").find("Invalid identifier"), std::string::npos);
  EXPECT_NE(mixed(R"("group.Ym05MElERXk=")").find("Invalid Signal group size"), std::string::npos);
}

TEST(SendV2, TakesAThousandRecipientsAndNotOneMore) {
  const auto with = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i)
      list += std::string{i == 0 ? "" : ","} + "\"+1555" + std::to_string(1'000'000 + i) + "\"";
    return read_send_v2(R"({"number":"+15550100001","recipients":[)" + list + "]}");
  };
  EXPECT_EQ(with(1'000)->recipients.size(), 1'000U);
  EXPECT_FALSE(with(1'001));
}

TEST(SendV1, BecomesTheShapeOfV2) {
  const auto call = read_send_v1(
      R"({"number":"+15550100001","recipients":["+15550100002"],"message":"hi","base64_attachment":"QQ=="})");
  ASSERT_TRUE(call);
  EXPECT_EQ(
      call->body,
      R"({"number":"+15550100001","recipients":["+15550100002"],"message":"hi","base64_attachments":["QQ=="]})");
}

TEST(SendV1, GivesAGroupItsPrefix) {
  const auto call = read_send_v1(R"({"number":"+15550100001","recipients":[")" + group.substr(6) +
                                 R"("],"message":"hi","is_group":true})");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->recipients, std::vector<std::string>{group});
  EXPECT_NE(call->body.find(group), std::string::npos);
}

TEST(SendV1, RefusesWhatNamesNobody) {
  const auto call = read_send_v1(R"({"number":"+15550100001","message":"hi"})");
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().message, "Please specify at least one recipient");
}

TEST(Operations, NeedWhatTheBridgeNeeds) {
  using enum core::Operation;
  const auto refusal = [](core::Operation operation, const char* body) {
    const auto call = read_operation(operation, body);
    return call ? std::string{} : call.error().message;
  };
  const char* reacted =
      R"({"recipient":"+15550100002","target_author":"+15550100002","timestamp":1700000000000})";
  EXPECT_EQ(refusal(reaction, reacted), "Couldn't process request - reaction missing");
  EXPECT_EQ(refusal(remove_reaction, reacted), "");
  EXPECT_EQ(refusal(receipt, R"({"recipient":"+15550100002","timestamp":1})"),
            "Couldn't process request - receipt type must be read or viewed");
  EXPECT_EQ(refusal(remote_delete, R"({"recipient":"+15550100002"})"),
            "Couldn't process request - timestamp missing");
  EXPECT_EQ(refusal(remote_delete, R"({"timestamp":1})"),
            "Couldn't process request - recipient missing");
}

net::HttpRequest with_key(std::string key, std::string body) {
  net::HttpRequest request;
  request.method = "POST";
  request.target = "/v2/send";
  request.headers.emplace_back("idempotency-key", std::move(key));
  request.body = std::move(body);
  return request;
}

TEST(IdempotencyKey, IsOptionalAndBounded) {
  EXPECT_EQ(*read_idempotency_key(net::HttpRequest{}), std::nullopt);
  EXPECT_EQ((*read_idempotency_key(with_key("  k1 ", "x")))->key, "k1");
  EXPECT_TRUE(read_idempotency_key(with_key(std::string(256, 'k'), "x")));
  EXPECT_FALSE(read_idempotency_key(with_key(std::string(257, 'k'), "x")));
  EXPECT_FALSE(read_idempotency_key(with_key("", "x")));
}

TEST(IdempotencyKey, TellsOtherRequestsApart) {
  const auto hash = [](const net::HttpRequest& request) {
    return (*read_idempotency_key(request))->body_hash;
  };
  net::HttpRequest other_path = with_key("k", "x");
  other_path.target = "/v1/send";
  EXPECT_EQ(hash(with_key("k", "x")), hash(with_key("k", "x")));
  EXPECT_NE(hash(with_key("k", "x")), hash(with_key("k", "y")));
  EXPECT_NE(hash(with_key("k", "x")), hash(other_path));
  EXPECT_EQ(sha256_hex({"a", "bc"}),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Prefer, FindsRespondAsyncAmongOtherPreferences) {
  const auto prefers = [](std::string value) {
    net::HttpRequest request;
    request.headers.emplace_back("PREFER", std::move(value));
    return prefers_async(request);
  };
  EXPECT_TRUE(prefers("respond-async"));
  EXPECT_TRUE(prefers("return=minimal, Respond-Async; wait=3"));
  EXPECT_FALSE(prefers("respond-async=no"));
  EXPECT_FALSE(prefers_async(net::HttpRequest{}));
}

// --- Answers
// --------------------------------------------------------------------------------------

constexpr std::uint64_t epoch = 0xabcd;

core::Entry part(core::EntryState state, core::Seq seq = 7, std::uint32_t parts = 1) {
  core::Entry entry;
  entry.seq = seq;
  entry.first_seq = 7;
  entry.parts = parts;
  entry.recipient = "+15550100002";
  entry.state = state;
  entry.provisional_timestamp = 1'700'000'000'000;
  if (state == core::EntryState::sent) entry.timestamp = 1'700'000'000'123;
  return entry;
}

boost::json::object body_of(const net::HttpResponse& response) {
  return boost::json::parse(response.body).as_object();
}

const AnswerForm form{.epoch = epoch};

TEST(SendAnswer, IsTheBridgesOwnWhereItWasSent) {
  const auto response = answer_accepted(form, {part(core::EntryState::sent)});
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, R"({"timestamp":"1700000000123"})");
  EXPECT_EQ(net::header(response.headers, "Holdfast-Id"), "0000abcd-7");
  EXPECT_EQ(net::header(response.headers, "Holdfast-State"), "");
}

TEST(SendAnswer, Is201WithAProvisionalTimestampWhileItWaits) {
  for (const auto state : {core::EntryState::queued, core::EntryState::sending,
                           core::EntryState::unknown, core::EntryState::held}) {
    const auto response = answer_accepted(form, {part(state)});
    EXPECT_EQ(response.status, 201);
    EXPECT_EQ(body_of(response).at("timestamp"), "1700000000000");
    EXPECT_EQ(body_of(response).at("id"), "0000abcd-7");
    EXPECT_EQ(body_of(response).at("state"), core::to_string(state));
    EXPECT_EQ(net::header(response.headers, "Holdfast-State"), core::to_string(state));
  }
}

TEST(SendAnswer, Is202WhereTheCallerPrefersThat) {
  const AnswerForm async{.async = true, .epoch = epoch};
  const auto waiting = answer_accepted(async, {part(core::EntryState::queued)});
  EXPECT_EQ(waiting.status, 202);
  EXPECT_EQ(net::header(waiting.headers, "Preference-Applied"), "respond-async");
  EXPECT_EQ(answer_accepted(async, {part(core::EntryState::sent)}).status, 201);
}

TEST(SendAnswer, IsTheBridges4xxWhereItFailed) {
  core::Entry failed = part(core::EntryState::failed);
  failed.error = "The user is not registered.";
  const auto response = answer_accepted(form, {failed}, 429);
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(body_of(response).at("error"), "The user is not registered.");
  EXPECT_EQ(body_of(response).at("code"), "failed");
  EXPECT_EQ(body_of(response).at("id"), "0000abcd-7");
  EXPECT_EQ(net::header(response.headers, "Holdfast-Id"), "0000abcd-7");
  EXPECT_EQ(answer_accepted(form, {failed}, 0).status, 400);
  EXPECT_EQ(answer_accepted(form, {failed}, 502).status, 400) << "5xx would invite a repeat";
}

TEST(SendAnswer, NamesWhomASendToSeveralDidNotReach) {
  core::Entry failed = part(core::EntryState::failed, 7, 2);
  failed.error = "unregistered";
  const auto response = answer_accepted(form, {failed, part(core::EntryState::sent, 8, 2)});
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(body_of(response).at("timestamp"), "1700000000123");
  EXPECT_EQ(body_of(response).at("errors").at("recipients").as_array().size(), 1U);
  EXPECT_EQ(body_of(response).at("errors").at("recipients").at(0).at("reason"), "unregistered");
  EXPECT_EQ(body_of(response).at("errors").at("recipients").at(0).at("number"), "+15550100002");
}

TEST(Recipients, AreCalledAsTheBridgeCallsThem) {
  EXPECT_EQ(recipient_key("+15550100002"), "number");
  EXPECT_EQ(recipient_key("01234567-89ab-cdef-0123-456789abcdef"), "uuid");
  EXPECT_EQ(recipient_key("someone.01"), "username");
}

TEST(SendAnswer, OfSeveralPartsHasTheStateThatNeedsMostAttention) {
  const auto response = answer_accepted(
      form, {part(core::EntryState::sent, 7, 3), part(core::EntryState::queued, 8, 3),
             part(core::EntryState::held, 9, 3)});
  EXPECT_EQ(body_of(response).at("state"), "held");
  EXPECT_EQ(body_of(response).at("timestamp"), "1700000000123") << "of the first part";
}

TEST(SendAnswer, OfAReactionIsEmpty) {
  const AnswerForm empty{.success = Success::empty, .epoch = epoch};
  EXPECT_EQ(answer_accepted(empty, {part(core::EntryState::sent)}).status, 204);
  const auto waiting = answer_accepted(empty, {part(core::EntryState::queued)});
  EXPECT_EQ(waiting.status, 204);
  EXPECT_EQ(waiting.body, "");
  EXPECT_EQ(net::header(waiting.headers, "Holdfast-State"), "queued");
}

TEST(SendAnswer, SaysWhyNothingWasAccepted) {
  const auto status = [](Errc code) { return answer_refused(Error{code, "why"}).status; };
  EXPECT_EQ(status(Errc::queue_full), 507);
  EXPECT_EQ(status(Errc::store_full), 507);
  EXPECT_EQ(status(Errc::store_failed), 507);
  EXPECT_EQ(status(Errc::conflict), 409);
  EXPECT_EQ(status(Errc::unavailable), 503);
  EXPECT_EQ(status(Errc::too_large), 413);
  const auto response = answer_refused(Error{Errc::unavailable, "Holdfast is stopping"});
  EXPECT_EQ(response.body, R"({"error":"Holdfast is stopping","code":"unavailable"})");
  EXPECT_NE(net::header(response.headers, "Retry-After"), "");
}

}  // namespace
}  // namespace holdfast::api
