#include <gtest/gtest.h>

#include <api/about.hpp>
#include <api/forward.hpp>
#include <api/routes.hpp>

namespace holdfast::api {
namespace {

Endpoint endpoint_of(std::string_view path) { return find_route(path).endpoint; }

TEST(Routes, FindTheCompatibleFace) {
  EXPECT_EQ(endpoint_of("/v1/about"), Endpoint::about);
  EXPECT_EQ(endpoint_of("/v1/health"), Endpoint::health);
  EXPECT_EQ(endpoint_of("/v2/send"), Endpoint::send_v2);
  EXPECT_EQ(endpoint_of("/v1/send"), Endpoint::send_v1);
  EXPECT_EQ(endpoint_of("/v1/receive/+15550100001"), Endpoint::receive);
  EXPECT_EQ(endpoint_of("/v1/reactions/+15550100001"), Endpoint::reactions);
  EXPECT_EQ(endpoint_of("/v1/receipts/+15550100001"), Endpoint::receipts);
  EXPECT_EQ(endpoint_of("/v1/remote-delete/+15550100001"), Endpoint::remote_delete);
}

TEST(Routes, LeaveWhatElseTheBridgeKnowsToTheBridge) {
  for (const char* path : {"/v1/accounts", "/v1/groups/+1/group.x", "/v1/typing-indicator/+1",
                           "/v2/anything", "/v1/receive", "/v1/receive/+1/more"})
    EXPECT_EQ(endpoint_of(path), Endpoint::forward) << path;
}

TEST(Routes, FindHoldfastsOwnFaceAndThePage) {
  EXPECT_EQ(endpoint_of("/holdfast/v1/status"), Endpoint::status);
  EXPECT_EQ(endpoint_of("/holdfast/v1/links"), Endpoint::links);
  EXPECT_EQ(endpoint_of("/holdfast/v1/links/+1"), Endpoint::link);
  EXPECT_EQ(endpoint_of("/holdfast/v1/links/+1/retry"), Endpoint::retry);
  EXPECT_EQ(endpoint_of("/holdfast/v1/events"), Endpoint::events);
  EXPECT_EQ(endpoint_of("/holdfast/v1/outbox"), Endpoint::outbox);
  EXPECT_EQ(endpoint_of("/holdfast/v1/outbox/0badcafe-7"), Endpoint::outbox_entry);
  EXPECT_EQ(endpoint_of("/healthz"), Endpoint::healthz);
  EXPECT_EQ(endpoint_of("/readyz"), Endpoint::readyz);
  EXPECT_EQ(endpoint_of("/"), Endpoint::page);
}

TEST(Routes, KnowNothingElse) {
  for (const char* path : {"", "*", "//", "/v1", "/v3/send", "/holdfast", "/holdfast/v1/metrics",
                           "/health", "//evil.example/", "/\\evil.example/", "/v1about"})
    EXPECT_EQ(endpoint_of(path), Endpoint::none) << path;
}

TEST(Routes, DecodeTheArgumentAndNothingBeforeIt) {
  EXPECT_EQ(find_route("/v1/receive/%2B15550100001").argument, "+15550100001");
  EXPECT_EQ(find_route("/v1/receive/+15550100001").argument, "+15550100001");
  EXPECT_EQ(find_route("/v1/receive/a%2Fb").argument, "a/b");
  EXPECT_EQ(endpoint_of("/v1/re%63eive/+1"), Endpoint::forward);
}

TEST(Routes, SendATrailingSlashBackAsTheBridgeDoes) {
  for (const char* path :
       {"/v1/about/", "/v1/receive/+1/", "/v1/groups/+1/", "/holdfast/v1/links/"})
    EXPECT_EQ(endpoint_of(path), Endpoint::redirect) << path;
}

TEST(Routes, SayWhichMethodsAPathTakes) {
  EXPECT_TRUE(takes(find_route("/v2/send"), "POST"));
  EXPECT_FALSE(takes(find_route("/v2/send"), "GET"));
  EXPECT_TRUE(takes(find_route("/v1/reactions/+1"), "DELETE"));
  EXPECT_FALSE(takes(find_route("/v1/reactions/+1"), "DELET"));
  EXPECT_TRUE(takes(find_route("/v1/about"), "HEAD"));
  EXPECT_FALSE(takes(find_route("/v1/receive/+1"), "HEAD")) << "it would take messages unseen";
  EXPECT_TRUE(takes(find_route("/v1/groups/+1"), "PATCH")) << "the bridge decides";
}

TEST(Forwarding, FindsTheAccountThatAPathNames) {
  const auto ours = [](std::string_view account) { return account == "+15550100001"; };
  EXPECT_EQ(account_in("/v1/groups/%2B15550100001/group.x", ours).account, "+15550100001");
  EXPECT_EQ(account_in("/v1/accounts", ours).account, std::nullopt);
  EXPECT_FALSE(account_in("/v1/attachments/1.jpg", ours).unknown);
}

TEST(Forwarding, RefusesAnAccountThatIsNotOurs) {
  const auto ours = [](std::string_view account) { return account == "+15550100001"; };
  EXPECT_TRUE(account_in("/v1/groups/+15550100009", ours).unknown);
  EXPECT_FALSE(account_in("/v1/register/+15550100009", ours).unknown);
  EXPECT_FALSE(account_in("/v1/identities/+15550100001/trust/+15550100009", ours).unknown);
}

TEST(Forwarding, PassesOnNoHeaderOfTheConnectionItself) {
  net::Headers headers{{"HOST", "x"},
                       {"Connection", "close"},
                       {"content-length", "3"},
                       {"Accept", "*"},
                       {"Origin", "http://x"}};
  strip_hop_headers(headers);
  EXPECT_EQ(headers, (net::Headers{{"Accept", "*"}}));
}

TEST(Forwarding, KeepsWhatSomebodySentFromRunningAsAPageOfOurs) {
  net::HttpResponse response;
  response.headers = {{"Content-Type", "text/html"}, {"content-security-policy", "none"}};
  response.body = "<script>";
  contain(response);
  EXPECT_EQ(net::header(response.headers, "Content-Security-Policy"),
            "sandbox; default-src 'none'");
  EXPECT_EQ(net::header(response.headers, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(net::header(response.headers, "Content-Type"), "text/html");
}

TEST(About, GivesTheVersionOfARestBridgeAndNoOther) {
  EXPECT_TRUE(is_rest_version("0.100"));
  EXPECT_TRUE(is_rest_version("0.98-dev"));
  EXPECT_FALSE(is_rest_version("0.14.6"));
  EXPECT_FALSE(is_rest_version("unset"));
  EXPECT_FALSE(is_rest_version(""));
  EXPECT_EQ(about_json({"0.14.6", "0.98"}),
            R"({"versions":["v1","v2"],"build":2,"mode":"json-rpc","version":"0.98",)"
            R"("capabilities":{"v2/send":["quotes","mentions"]}})");
  EXPECT_NE(about_json({"0.14.6", ""}).find(R"("version":"0.100")"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::api
