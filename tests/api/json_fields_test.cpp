#include <gtest/gtest.h>

#include <api/json_fields.hpp>

namespace holdfast::api {
namespace {

std::string nested(std::size_t depth) {
  std::string text = R"({"deep":)";
  text.append(depth - 1, '[');
  text.append(depth - 1, ']');
  return text + "}";
}

TEST(JsonFields, ReadsWhatARuleNames) {
  const auto fields = JsonFields::read(
      R"( {"a":"x\ny","list":["1","2",null],"n":-7,"yes":true,"o":{"in":"side","deep":{"in":1}},"un":[1]} )",
      {{"a", FieldKind::text},
       {"list", FieldKind::texts},
       {"n", FieldKind::integer},
       {"yes", FieldKind::flag},
       {"o", FieldKind::object},
       {"o.in", FieldKind::text},
       {"absent", FieldKind::text}});
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->text("a"), "x\ny");
  EXPECT_EQ(fields->texts("list"), (std::vector<std::string>{"1", "2", ""}));
  EXPECT_EQ(fields->integer("n"), -7);
  EXPECT_TRUE(fields->flag("yes"));
  EXPECT_EQ(fields->text("o.in"), "side");
  EXPECT_FALSE(fields->has("absent"));
  EXPECT_FALSE(fields->has("un")) << "no rule names it";
}

TEST(JsonFields, RefusesWhatIsNotOneObject) {
  for (const char* text : {"", " ", "[]", "1", "\"x\"", "null", "true", "{", "{}{}", "{} x",
                           R"({"a":1,})", R"({'a':1})", "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}"})
    EXPECT_FALSE(JsonFields::read(text, {})) << text;
  EXPECT_TRUE(JsonFields::read("{}\n", {}));
}

TEST(JsonFields, RefusesAFieldOfAnotherKind) {
  const auto accepts = [](const char* text, FieldKind kind) {
    return JsonFields::read(text, {{"f", kind}}).has_value();
  };
  EXPECT_FALSE(accepts(R"({"f":1})", FieldKind::text));
  EXPECT_FALSE(accepts(R"({"f":"1"})", FieldKind::integer));
  EXPECT_FALSE(accepts(R"({"f":1.0})", FieldKind::integer));
  EXPECT_FALSE(accepts(R"({"f":9223372036854775808})", FieldKind::integer));
  EXPECT_FALSE(accepts(R"({"f":"+1"})", FieldKind::texts));
  EXPECT_FALSE(accepts(R"({"f":["+1",2]})", FieldKind::texts));
  EXPECT_FALSE(accepts(R"({"f":[["+1"]]})", FieldKind::texts));
  EXPECT_FALSE(accepts(R"({"f":["+1"]})", FieldKind::objects));
  EXPECT_FALSE(accepts(R"({"f":[]})", FieldKind::object));
  EXPECT_TRUE(accepts(R"({"f":[{},null]})", FieldKind::objects));
  EXPECT_TRUE(accepts(R"({"f":null})", FieldKind::integer)) << "null counts as absent";
}

TEST(JsonFields, LetsTheLastOfEqualNamesCount) {
  const auto fields = JsonFields::read(
      R"({"o":{"in":"1"},"a":"1","o":{},"a":"2","a":null})",
      {{"a", FieldKind::text}, {"o", FieldKind::object}, {"o.in", FieldKind::text}});
  ASSERT_TRUE(fields);
  EXPECT_FALSE(fields->has("a"));
  EXPECT_FALSE(fields->has("o.in")) << "it was in the object that does not count";
}

TEST(JsonFields, TakesNoDottedNameForAFieldInside) {
  const auto fields = JsonFields::read(R"({"o.in":"x"})", {{"o.in", FieldKind::text}});
  ASSERT_TRUE(fields);
  EXPECT_FALSE(fields->has("o.in"));
}

TEST(JsonFields, RefusesNestingBeyond64) {
  EXPECT_TRUE(JsonFields::read(nested(64), {}));
  EXPECT_FALSE(JsonFields::read(nested(65), {}));
}

TEST(JsonFields, OnlyCountsBlobsAndCutsLongTexts) {
  const std::string large(JsonFields::text_bytes_max + 1, 'x');
  const auto fields =
      JsonFields::read(R"({"blobs":[")" + large + R"(",""],"text":")" + large + R"("})",
                       {{"blobs", FieldKind::blobs}, {"text", FieldKind::text}});
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->count("blobs"), 2U);
  EXPECT_TRUE(fields->texts("blobs").empty());
  EXPECT_TRUE(fields->is_cut("text"));
  EXPECT_EQ(fields->text("text").size(), JsonFields::text_bytes_max);
}

}  // namespace
}  // namespace holdfast::api
