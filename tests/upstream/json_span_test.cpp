#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <random>
#include <string>
#include <upstream/json_span.hpp>
#include <vector>

namespace holdfast::upstream {
namespace {

TEST(JsonSpan, FindsTheBytesOfAValueAsTheyCame) {
  const std::string json =
      R"({"jsonrpc":"2.0","params": {"subscription":0 , "result":{ "a" : [1, 2.50e1,"}"] } } })";
  EXPECT_EQ(find_span(json, {"params", "result"}), R"({ "a" : [1, 2.50e1,"}"] })");
  EXPECT_EQ(find_span(json, {"params", "subscription"}), "0");
  EXPECT_EQ(find_span(json, {"params", "result", "a"}), R"([1, 2.50e1,"}"])");
  EXPECT_EQ(find_span(json, {"jsonrpc"}), R"("2.0")");
  EXPECT_EQ(find_span(json, {}), json);
}

TEST(JsonSpan, IsNotFooledByTextThatLooksLikeStructure) {
  const std::string json = R"({"x":"\"params\":{\"result\":1}","y":"\\","params":{"result":true}})";
  EXPECT_EQ(find_span(json, {"params", "result"}), "true");
  EXPECT_EQ(find_span(json, {"y"}), R"("\\")");
}

TEST(JsonSpan, ResolvesEscapesInKeys) {
  EXPECT_EQ(find_span(R"({"par\u0061ms":1})", {"params"}), "1");
  EXPECT_EQ(find_span(R"({"a\"b":2})", {"a\"b"}), "2");
}

TEST(JsonSpan, TakesTheLastOfEqualKeys) { EXPECT_EQ(find_span(R"({"a":1,"a":2})", {"a"}), "2"); }

TEST(JsonSpan, FindsNothingWhereTheKeyOrTheObjectIsMissing) {
  for (const char* json : {"", "  ", "{}", "[]", "5", "null", "\"params\"", R"({"other":1})",
                           R"({"params")", R"({"params":})", R"({"params":1)", R"({"params" 1})",
                           R"({params:1})", R"({"params":"open)", R"({"params":[1,2})", "{,}"}) {
    const auto found = find_span(json, {"params", "result"});
    EXPECT_FALSE(found.has_value()) << json;
  }
}

TEST(JsonSpan, WalksAllMembersAndSaysWhetherTheObjectWasWhole) {
  const std::string json = R"( {"a":1, "b":[{}], "c":"x"} )";
  JsonMembers members{json};
  std::vector<std::string> seen;
  while (const auto member = members.next()) {
    seen.push_back(std::string{member->key} + "=" + std::string{member->value});
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"a=1", "b=[{}]", "c=\"x\""}));
  EXPECT_TRUE(members.complete());

  JsonMembers cut{R"({"a":1,"b":)"};
  EXPECT_TRUE(cut.next());
  EXPECT_FALSE(cut.next());
  EXPECT_FALSE(cut.complete());

  JsonMembers trailed{R"({"a":1} x)"};
  EXPECT_TRUE(trailed.next());
  EXPECT_FALSE(trailed.next());
  EXPECT_FALSE(trailed.complete());
}

TEST(JsonSpan, StaysInsideTheTextForAnyInput) {
  const std::string seed =
      R"({"jsonrpc":"2.0","method":"receive","params":{"subscription":0,"result":{"envelope":)"
      R"({"source":"+15550100002","n":[1,{"x":null}],"s":"a\\\"b\u00e9"},"account":"+1555"}}})";
  std::mt19937 random{20240521};
  const std::string alphabet = "{}[]\",:\\ tn0\x01\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    const auto changes = 1 + random() % 6;
    for (unsigned i = 0; i < changes; ++i) {
      text[random() % text.size()] = alphabet[random() % alphabet.size()];
    }
    text.resize(random() % (text.size() + 1));
    const auto found = find_span(text, {"params", "result"});
    if (!found) continue;
    ASSERT_GE(found->data(), text.data());
    ASSERT_LE(found->data() + found->size(), text.data() + text.size());
  }
}

TEST(JsonSpan, GivesWellFormedValuesOfWellFormedTexts) {
  const std::string json = R"({"a":{"b":[1,[2,[3]]]},"c":-1.5e-3,"d":"\u007b","e":false})";
  for (const char* key : {"a", "c", "d", "e"}) {
    const auto found = find_span(json, {key});
    ASSERT_TRUE(found) << key;
    boost::json::error_code ec;
    (void)boost::json::parse(*found, ec);
    EXPECT_FALSE(ec) << key << ": " << *found;
  }
}

TEST(JsonSpan, NeedsNoStackForDeepNesting) {
  std::string json = R"({"params":)";
  json.append(1'000'000, '[').append(1'000'000, ']').append("}");
  const auto found = find_span(json, {"params"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 2'000'000u);
}

}  // namespace
}  // namespace holdfast::upstream
