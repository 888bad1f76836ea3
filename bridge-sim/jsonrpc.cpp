#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json/stream_parser.hpp>
#include <bridge_sim/commands.hpp>
#include <bridge_sim/jsonrpc.hpp>
#include <bridge_sim/values.hpp>
#include <charconv>

namespace holdfast::bridge_sim {
namespace {

constexpr std::size_t string_max = 20'000'000;  // the limit of signal-cli's JSON parser

std::string id_text(const json::value& id) {
  if (!id.is_double()) return json::serialize(id);
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), id.get_double()).ptr;
  return std::string{text.data(), end};
}

std::string error_text(int code, std::string_view message, const json::value& data,
                       const json::value& id) {
  return R"({"jsonrpc":"2.0","error":{"code":)" + std::to_string(code) + R"(,"message":)" +
         json::serialize(json::value(message)) + R"(,"data":)" + json::serialize(data) +
         R"(},"id":)" + id_text(id) + "}";
}

std::string answer_text(const CallAnswer& answer, const json::value& id) {
  if (answer.kind == CallAnswer::Kind::error) {
    return error_text(answer.code, answer.message, answer.data, id);
  }
  return R"({"jsonrpc":"2.0","result":)" + json::serialize(answer.result) + R"(,"id":)" +
         id_text(id) + "}";
}

const char* type_name(const json::value& value) {
  if (value.is_string()) return "STRING";
  if (value.is_bool()) return "BOOLEAN";
  if (value.is_null()) return "NULL";
  return "NUMBER";
}

/// What is wrong with a request before its method is looked at; the text of the answer.
std::optional<std::string> check_request(const json::object& request, const json::value& id) {
  for (const auto& member : request) {
    const std::string_view key{member.key().data(), member.key().size()};
    if (key == "jsonrpc" || key == "method" || key == "params" || key == "id") continue;
    return error_text(
        -32600,
        "Unrecognized field \"" + std::string{key} +
            "\" (class org.asamk.signal.jsonrpc.JsonRpcRequest), not marked as ignorable (4 known "
            "properties: \"method\", \"id\", \"jsonrpc\", \"params\"])\n at [Source: UNKNOWN; byte "
            "offset: #UNKNOWN] (through reference chain: "
            "org.asamk.signal.jsonrpc.JsonRpcRequest[\"" +
            std::string{key} + "\"])",
        nullptr, id);
  }
  if (text_of(request, "jsonrpc") != "2.0") {
    return error_text(-32600, "only jsonrpc version 2.0 is supported", nullptr, id);
  }
  if (text_of(request, "method").empty()) {
    return error_text(-32600, "method field must be set", nullptr, id);
  }
  return std::nullopt;
}

bool is_response(const json::object& object) {
  return !object.contains("method") && (object.contains("result") || object.contains("error"));
}

constexpr std::string_view array_for_object =
    "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.Object>` "
    "from Array value (token `JsonToken.START_ARRAY`)\n at [Source: UNKNOWN; byte offset: "
    "#UNKNOWN]";

net::Task<CallAnswer> dispatch(std::shared_ptr<Daemon> daemon, std::string method,
                               json::value params, SubscriptionCommands* subscriptions) {
  if (method == "unsubscribeReceive" && subscriptions != nullptr) {
    co_return subscriptions->unsubscribe(params);
  }
  if (params.is_array()) co_return error_answer(-32600, std::string{array_for_object});
  json::object named = params.is_object() ? params.get_object() : json::object{};
  if (method == "subscribeReceive" && subscriptions != nullptr) {
    co_return subscriptions->subscribe(named);
  }
  auto answer = co_await Daemon::call(std::move(daemon), std::move(method), std::move(named));
  co_return answer;
}

/// One request; its reply has a text unless it was a notification.
net::Task<RpcReply> answer_one(std::shared_ptr<Daemon> daemon, json::value value,
                               SubscriptionCommands* subscriptions) {
  RpcReply reply;
  if (!value.is_object()) {
    reply.text =
        error_text(-32600, std::string{"unexpected type: "} + type_name(value), nullptr, nullptr);
    co_return reply;
  }
  const json::object& request = value.get_object();
  if (is_response(request)) co_return reply;
  const json::value* given = request.if_contains("id");
  if (given != nullptr && (given->is_object() || given->is_array())) {
    reply.text = error_text(-32600,
                            "Problem deserializing property 'id' (expected type: [simple type, "
                            "class com.fasterxml.jackson.databind.node.ValueNode])",
                            nullptr, nullptr);
    co_return reply;
  }
  const json::value id = given == nullptr ? json::value(nullptr) : *given;
  reply.text = check_request(request, id);
  if (reply.text) co_return reply;

  const json::value* params = request.if_contains("params");
  json::value arguments = params == nullptr ? json::value(nullptr) : *params;
  auto answer = co_await dispatch(std::move(daemon), text_of(request, "method"),
                                  std::move(arguments), subscriptions);
  reply.drop = answer.kind == CallAnswer::Kind::drop;
  const bool silent = answer.kind == CallAnswer::Kind::nothing || reply.drop || given == nullptr;
  if (!silent) reply.text = answer_text(answer, id);
  co_return reply;
}

/// The elements of a batch run side by side; their answers come in order of completion.
struct Batch {
  explicit Batch(asio::io_context& io) : changed{io} {}
  Event changed;
  std::size_t open = 0;
  bool drop = false;
  std::string answers;
};

net::Task<> answer_element(std::shared_ptr<Batch> batch, std::shared_ptr<Daemon> daemon,
                           json::value element, SubscriptionCommands* subscriptions) {
  RpcReply reply = co_await answer_one(std::move(daemon), std::move(element), subscriptions);
  if (reply.drop) batch->drop = true;
  if (reply.text) batch->answers += (batch->answers.empty() ? "" : ",") + *reply.text;
  --batch->open;
  batch->changed.notify();
}

net::Task<RpcReply> answer_batch(std::shared_ptr<Daemon> daemon, json::array elements,
                                 SubscriptionCommands* subscriptions) {
  RpcReply reply;
  if (elements.empty()) {
    reply.text = error_text(-32600, "invalid request", nullptr, nullptr);
    co_return reply;
  }
  const auto batch = std::make_shared<Batch>(daemon->changed.io());
  batch->open = elements.size();
  for (const json::value& element : elements) {
    asio::co_spawn(daemon->changed.io(), answer_element(batch, daemon, element, subscriptions),
                   asio::detached);
  }
  while (batch->open > 0) co_await batch->changed.wait();
  reply.drop = batch->drop;
  if (!batch->answers.empty()) reply.text = "[" + batch->answers + "]";
  co_return reply;
}

std::string parse_error(std::string_view text, std::size_t at) {
  const auto begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const auto end = text.find_first_of(" \t\r\n,:{}[]\"", begin);
  const std::string token{text.substr(begin, std::min<std::size_t>(end - begin, 40))};
  const std::string where =
      "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, "
      "column: " +
      std::to_string(at + 1) + "]";
  if (!token.empty() && at <= begin + token.size()) {
    return "Unrecognized token '" + token +
           "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or "
           "'false')" +
           where;
  }
  return "Unexpected end-of-input or character: expected close marker for Object" + where;
}

bool has_long_string(const json::value& value) {
  if (value.is_string()) return value.get_string().size() > string_max;
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) {
      if (has_long_string(item)) return true;
    }
  } else if (value.is_object()) {
    for (const auto& member : value.get_object()) {
      if (has_long_string(member.value())) return true;
    }
  }
  return false;
}

}  // namespace

net::Task<RpcReply> answer_rpc(std::shared_ptr<Daemon> daemon, std::string text,
                               SubscriptionCommands* subscriptions) {
  RpcReply reply;
  if (text.find_first_not_of(" \t\r") == std::string::npos) {
    reply.text = error_text(-32700, "Empty input line", nullptr, nullptr);
    co_return reply;
  }
  json::stream_parser parser;
  boost::json::error_code ec;
  const std::size_t at = parser.write_some(text, ec);
  if (!ec) parser.finish(ec);
  if (!ec && text.find_first_not_of(" \t\r\n", at) != std::string::npos) {
    ec = json::error::extra_data;
  }
  if (ec) {
    reply.text = error_text(-32700, parse_error(text, at), nullptr, nullptr);
    co_return reply;
  }
  json::value value = parser.release();
  if (text.size() > string_max && has_long_string(value)) {
    reply.drop = true;
    co_return reply;
  }
  if (value.is_array()) {
    reply = co_await answer_batch(std::move(daemon), std::move(value.get_array()), subscriptions);
  } else {
    reply = co_await answer_one(std::move(daemon), std::move(value), subscriptions);
  }
  co_return reply;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || i + length > text.size()) return false;
    std::uint32_t point = c & (0xffu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return false;
      point = (point << 6) | (next & 0x3fu);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
    i += length;
  }
  return true;
}

}  // namespace holdfast::bridge_sim
