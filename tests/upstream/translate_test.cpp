#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <string>
#include <upstream/attachment.hpp>
#include <upstream/recipient.hpp>
#include <upstream/translate.hpp>

namespace holdfast::upstream {
namespace {

namespace json = boost::json;
using core::Operation;

const std::string account = "+15550100001";
const std::string bob = "+15550100002";
const std::string internal_group = base64_encode("group-id-of-thirty-two-bytes!!!!");

core::Entry entry_to(const std::string& recipient, Operation operation = Operation::send) {
  core::Entry entry;
  entry.account = account;
  entry.recipient = recipient;
  entry.operation = operation;
  return entry;
}

/// The params of the call, or the complaint as a string.
json::value params_of(const core::Entry& entry, const std::string& body, std::string method) {
  const auto call = translate_entry(entry, body);
  if (!call) return json::string{call.error().message};
  EXPECT_EQ(call->method, method);
  return json::parse(call->params);
}

json::value send_params(const std::string& body, const std::string& to = bob) {
  return params_of(entry_to(to), body, "send");
}

TEST(Translate, ASimpleMessage) {
  EXPECT_EQ(send_params(R"({"number":"+15550100001","recipients":["a","b"],"message":"hi"})"),
            json::parse(R"({"account":"+15550100001","recipient":["+15550100002"],"message":"hi",)"
                        R"("notifySelf":true})"));
}

TEST(Translate, EachKindOfRecipient) {
  const std::string body = R"({"message":"hi"})";
  const json::value to_group = send_params(body, external_group_id(internal_group));
  EXPECT_EQ(to_group.at("groupId"), json::value(internal_group));
  EXPECT_FALSE(to_group.get_object().contains("recipient"));
  const json::value to_name = send_params(body, "bob.42");
  EXPECT_EQ(to_name.at("username"), json::parse(R"(["bob.42"])"));
  const json::value to_aci = send_params(body, "22222222-2222-4222-8222-222222222222");
  EXPECT_EQ(to_aci.at("recipient"), json::parse(R"(["22222222-2222-4222-8222-222222222222"])"));
  EXPECT_TRUE(send_params(body, "group.x!").is_object()) << "a user name may begin so";
  EXPECT_TRUE(send_params(body, "group.much too long for that").is_string());
}

TEST(Translate, EveryFieldOfASend) {
  const json::value params = send_params(R"({
    "message": "see https://example.org **now**", "text_mode": "styled",
    "base64_attachments": ["aGVsbG8=", "data:image/png;filename=a.png;base64,AAECAw=="],
    "sticker": "abcd:1",
    "mentions": [{"start": 0, "length": 3, "author": "+15550100003"}],
    "quote_timestamp": 1795471489915, "quote_author": "+15550100002", "quote_message": "q",
    "quote_mentions": [{"start": 1, "length": 2, "author": "+15550100004"}],
    "edit_timestamp": 1795471489916, "notify_self": false, "view_once": true,
    "link_preview": {"url": "https://example.org", "title": "t", "description": "d",
                     "base64_thumbnail": "AAECAw=="}})");
  EXPECT_EQ(params, json::parse(R"({
    "account": "+15550100001", "recipient": ["+15550100002"],
    "message": "see https://example.org now", "textStyle": ["24:3:BOLD"],
    "attachment": ["data:text/plain;base64,aGVsbG8=",
                   "data:image/png;filename=a.png;base64,AAECAw=="],
    "sticker": "abcd:1",
    "mention": ["0:3:+15550100003"],
    "quoteTimestamp": 1795471489915, "quoteAuthor": "+15550100002", "quoteMessage": "q",
    "quoteMention": ["1:2:+15550100004"],
    "editTimestamp": 1795471489916, "viewOnce": true,
    "previewUrl": "https://example.org", "previewTitle": "t", "previewDescription": "d",
    "previewImage": "data:application/octet-stream;base64,AAECAw=="})"));
}

TEST(Translate, NullAndEmptyMeanAbsent) {
  EXPECT_EQ(send_params(R"({"message":"x","base64_attachments":null,"mentions":[],"sticker":"",)"
                        R"("quote_timestamp":null,"link_preview":null,"text_mode":"normal",)"
                        R"("base64_attachment":"","unknown":5})"),
            json::parse(R"({"account":"+15550100001","recipient":["+15550100002"],"message":"x",)"
                        R"("notifySelf":true})"));
}

TEST(Translate, TheOneAttachmentOfV1) {
  EXPECT_EQ(send_params(R"({"message":"x","base64_attachment":"aGVsbG8="})").at("attachment"),
            json::parse(R"(["data:text/plain;base64,aGVsbG8="])"));
}

TEST(Translate, StyledTextWithoutMarksHasNoStyles) {
  const json::value params = send_params(R"({"message":"plain","text_mode":"styled"})");
  EXPECT_FALSE(params.get_object().contains("textStyle"));
}

TEST(Translate, SaysWhatIsWrongWithABody) {
  struct Case {
    const char* body;
    const char* says;
  };
  const std::vector<Case> cases{
      {"", "invalid request"},
      {"[]", "invalid request"},
      {R"({"message":5})", "'message' must be a string"},
      {R"({"base64_attachments":"x"})", "'base64_attachments' must be an array"},
      {R"({"base64_attachments":[5]})", "'base64_attachments' must be an array of strings"},
      {R"({"base64_attachments":["!"]})", "not valid base64"},
      {R"({"quote_timestamp":"5"})", "'quote_timestamp' must be a whole number"},
      {R"({"edit_timestamp":1.5})", "'edit_timestamp' must be a whole number"},
      {R"({"notify_self":"yes"})", "'notify_self' must be true or false"},
      {R"({"mentions":[5]})", "'mentions' must be an array of objects"},
      {R"({"mentions":[{"start":0}]})", "needs 'start', 'length' and 'author'"},
      {R"({"mentions":[{"start":-1,"length":1,"author":"a"}]})", "needs 'start'"},
      {R"({"sticker":"abcd"})", "sticker delimiter"},
      {R"({"view_once":true})", "'view_once' can only be set"},
      {R"({"link_preview":5})", "'link_preview' must be an object"},
      {R"({"message":"x","link_preview":{"url":"http://x","title":"t"}})", "must start with https"},
      {R"({"message":"x","link_preview":{"url":"https://x","title":"t"}})",
       "missing in the message"},
      {R"({"message":"https://x","link_preview":{"url":"https://x"}})", "Link Preview Title"},
  };
  for (const Case& one : cases) {
    const auto call = translate_entry(entry_to(bob), one.body);
    ASSERT_FALSE(call) << one.body;
    EXPECT_EQ(call.error().code, Errc::invalid_argument);
    EXPECT_NE(call.error().message.find(one.says), std::string::npos) << call.error().message;
  }
}

TEST(Translate, RefusesWhatSignalCliCannotTakeBeforeItIsSent) {
  const std::string fits(20'000'000 - 100, 'A');
  EXPECT_TRUE(translate_entry(entry_to(bob), R"({"base64_attachments":[")" + fits + R"("]})"));
  const std::string large(20'000'000, 'A');
  const auto call =
      translate_entry(entry_to(bob), R"({"base64_attachments":[")" + large + R"("]})");
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().code, Errc::too_large);
  EXPECT_NE(call.error().message.find("20000000"), std::string::npos);
  const auto text = translate_entry(entry_to(bob), R"({"message":")" + large + R"(A"})");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Errc::too_large);
}

TEST(Translate, Reactions) {
  const std::string body =
      R"({"recipient":"x","reaction":"👍","target_author":"+15550100003","timestamp":1795471489915})";
  EXPECT_EQ(params_of(entry_to(bob, Operation::reaction), body, "sendReaction"),
            json::parse(R"({"account":"+15550100001","recipient":["+15550100002"],"emoji":"👍",)"
                        R"("targetAuthor":"+15550100003","targetTimestamp":1795471489915})"));
  const std::string without = R"({"target_author":"+15550100003","timestamp":1795471489915})";
  const json::value removal =
      params_of(entry_to(bob, Operation::remove_reaction), without, "sendReaction");
  EXPECT_EQ(removal.at("remove"), json::value(true));
  EXPECT_FALSE(removal.at("emoji").get_string().empty()) << "signal-cli wants one";
  EXPECT_FALSE(translate_entry(entry_to(bob, Operation::reaction), without));
  EXPECT_FALSE(
      translate_entry(entry_to(bob, Operation::reaction), R"({"reaction":"a","timestamp":1})"));
  EXPECT_FALSE(translate_entry(entry_to(bob, Operation::reaction),
                               R"({"reaction":"a","target_author":"b"})"));
}

TEST(Translate, ReceiptsKeepTheirType) {
  for (const std::string type : {"read", "viewed"}) {
    const json::value params =
        params_of(entry_to(bob, Operation::receipt),
                  R"({"receipt_type":")" + type + R"(","timestamp":1795471489915})", "sendReceipt");
    EXPECT_EQ(params.at("type"), json::value(type));
    EXPECT_EQ(params.at("targetTimestamp"), json::value(1795471489915));
  }
  EXPECT_FALSE(translate_entry(entry_to(bob, Operation::receipt), R"({"timestamp":1})"));
  EXPECT_FALSE(translate_entry(entry_to(external_group_id(internal_group), Operation::receipt),
                               R"({"receipt_type":"read","timestamp":1})"));
}

TEST(Translate, RemoteDeletes) {
  EXPECT_EQ(params_of(entry_to(external_group_id(internal_group), Operation::remote_delete),
                      R"({"recipient":"x","timestamp":1795471489915})", "remoteDelete"),
            json::parse(R"({"account":"+15550100001","groupId":")" + internal_group +
                        R"(","targetTimestamp":1795471489915})"));
}

// --- The rest of the compatible face ------------------------------------------------------------

net::HttpRequest request_of(const std::string& method, const std::string& target,
                            const std::string& body = {}) {
  net::HttpRequest request;
  request.method = method;
  request.target = target;
  request.body = body;
  return request;
}

ForwardPlan plan_of(const net::HttpRequest& request) {
  const Forward forward = plan_forward(request, account);
  EXPECT_TRUE(forward.plan) << request.target;
  return forward.plan.value_or(ForwardPlan{});
}

TEST(Forward, Accounts) {
  const ForwardPlan plan = plan_of(request_of("GET", "/v1/accounts"));
  EXPECT_EQ(plan.call.method, "listAccounts");
  const net::HttpResponse response =
      forward_result(plan, R"([{"number":"+15550100001"},{"number":"+15550100005"}])");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"(["+15550100001","+15550100005"])");
  EXPECT_EQ(net::header(response.headers, "content-type"), "application/json");
}

TEST(Forward, ADaemonForOneAccountHasThatAccount) {
  const ForwardPlan plan = plan_of(request_of("GET", "/v1/accounts"));
  const net::HttpResponse response =
      forward_error(plan, R"({"code":-32601,"message":"Method not implemented","data":null})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"(["+15550100001"])");
}

const std::string listed_groups =
    R"([{"id":"Z3JvdXAtaWQtb2YtdGhpcnR5LXR3by1ieXRlcyEhISE=","name":"Crew","description":"d",)"
    R"("isMember":true,"isBlocked":false,"messageExpirationTime":0,)"
    R"("members":[{"number":"+15550100001","uuid":"u1"},{"number":null,"uuid":"u2"}],)"
    R"("pendingMembers":[],"requestingMembers":[],"admins":[{"number":null,"uuid":"u2"}],"banned":[],)"
    R"("permissionAddMember":"EVERY_MEMBER","permissionEditDetails":"ONLY_ADMINS",)"
    R"("permissionSendMessage":"EVERY_MEMBER","groupInviteLink":null}])";

std::string shaped_group(const std::string& members, const std::string& admins) {
  return R"({"name":"Crew","description":"d","id":")" + external_group_id(internal_group) +
         R"(","internal_id":")" + internal_group + R"(","members":)" + members +
         R"(,"blocked":false,"member":true,"pending_invites":[],"pending_requests":[],)"
         R"("invite_link":"","admins":)" +
         admins +
         R"(,"permissions":{"add_members":"every-member","edit_group":"only-admins",)"
         R"("send_messages":"every-member"}})";
}

TEST(Forward, GroupsInTheShapeOfTheRestBridge) {
  const ForwardPlan plan = plan_of(request_of("GET", "/v1/groups/%2B15550100001"));
  EXPECT_EQ(plan.call.method, "listGroups");
  EXPECT_EQ(plan.call.params, R"({"account":"+15550100001"})");
  EXPECT_EQ(forward_result(plan, listed_groups).body,
            "[" + shaped_group(R"(["+15550100001","u2"])", R"(["u2"])") + "]");
}

TEST(Forward, ExpandedGroupsHaveBothNamesOfEachMember) {
  const ForwardPlan plan = plan_of(request_of("GET", "/v1/groups/+15550100001?expand=true"));
  EXPECT_EQ(forward_result(plan, listed_groups).body,
            "[" +
                shaped_group(R"([{"number":"+15550100001","uuid":"u1"},{"number":"","uuid":"u2"}])",
                             R"([{"number":"","uuid":"u2"}])") +
                "]");
}

TEST(Forward, OneGroupById) {
  const std::string id = external_group_id(internal_group);
  const ForwardPlan plan =
      plan_of(request_of("GET", "/v1/groups/+15550100001/" + net::percent_encode(id)));
  EXPECT_EQ(forward_result(plan, listed_groups).body,
            shaped_group(R"(["+15550100001","u2"])", R"(["u2"])"));
  const net::HttpResponse missing =
      forward_result(plan_of(request_of("GET", "/v1/groups/+15550100001/group.x")), listed_groups);
  EXPECT_EQ(missing.status, 404);
}

TEST(Forward, TypingIndicators) {
  const ForwardPlan start = plan_of(
      request_of("PUT", "/v1/typing-indicator/+15550100001", R"({"recipient":"+15550100002"})"));
  EXPECT_EQ(start.call.method, "sendTyping");
  EXPECT_EQ(json::parse(start.call.params),
            json::parse(R"({"account":"+15550100001","recipient":"+15550100002"})"));
  const ForwardPlan stop =
      plan_of(request_of("DELETE", "/v1/typing-indicator/+15550100001",
                         R"({"recipient":")" + external_group_id(internal_group) + R"("})"));
  EXPECT_EQ(json::parse(stop.call.params), json::parse(R"({"account":"+15550100001","groupId":")" +
                                                       internal_group + R"(","stop":true})"));
  EXPECT_EQ(forward_result(stop, "{}").status, 204);
  EXPECT_EQ(forward_error(stop, R"({"code":-1,"message":"Group not found"})").status, 400);
}

TEST(Forward, RefusesWhatItCannotTranslate) {
  struct Case {
    const char* method;
    const char* target;
    int status;
  };
  for (const Case& one : {Case{"GET", "/v1/attachments", 501}, Case{"POST", "/v1/accounts", 501},
                          Case{"POST", "/v1/groups/+15550100001", 501}, Case{"GET", "/", 501},
                          Case{"GET", "/v2/accounts", 501}, Case{"GET", "/v1/groups", 501},
                          Case{"GET", "/v1/groups/+15550100001/a/avatar", 501},
                          Case{"GET", "/v1/groups/+15550100009", 404},
                          Case{"PUT", "/v1/typing-indicator/+15550100001", 400}}) {
    const Forward forward = plan_forward(request_of(one.method, one.target), account);
    EXPECT_FALSE(forward.plan) << one.target;
    EXPECT_EQ(forward.refusal.status, one.status) << one.target;
    const json::value body = json::parse(forward.refusal.body);
    EXPECT_TRUE(body.at("error").is_string());
    EXPECT_TRUE(body.at("code").is_string());
  }
}

TEST(Forward, AnAnswerThatCannotBeReadIsABadGateway) {
  const ForwardPlan plan = plan_of(request_of("GET", "/v1/groups/+15550100001"));
  EXPECT_EQ(forward_result(plan, "{}").status, 502);
  EXPECT_EQ(forward_result(plan, "x").status, 502);
  EXPECT_EQ(forward_result(plan, R"([5,{}])").status, 200) << "odd entries are passed over";
}

}  // namespace
}  // namespace holdfast::upstream
