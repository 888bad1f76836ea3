/// What is wrong with the stand-in at present, and how people say what should go wrong.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace holdfast::bridge_sim {

namespace json = boost::json;

/// What happens to a send instead of success.
struct SendPlan {
  enum class Then : std::uint8_t {
    answer,  ///< the error below
    drop,    ///< the connection ends without an answer
    hang,    ///< no answer ever
  };
  Then then = Then::answer;
  bool deliver = false;    ///< the message is delivered all the same
  std::int64_t count = 1;  ///< for how many sends; -1: until cleared
  std::string account;     ///< only for sends of this account; empty: all
  std::string recipient;   ///< only for sends to it; empty: all
  std::string operation;   ///< "send", "sendReaction", …; empty: "send"; "any": all

  int code = -1;        ///< JSON-RPC error code; 0: success with `result` per recipient
  std::string message;  ///< its text
  std::string result;   ///< type of each recipient's result; empty: no `data`
  std::string token;    ///< in each result
  std::optional<std::int64_t> retry_after_s;  ///< in each result
  std::optional<int> status;  ///< HTTP status of the REST face instead of the usual one
  std::string body;           ///< its body instead of the usual one
};

/// Settings that last until they are changed or cleared.
struct Faults {
  std::chrono::milliseconds latency{0};         ///< before a call is carried out
  std::chrono::milliseconds latency_jitter{0};  ///< added, uniform: answers come out of order
  std::chrono::milliseconds delivery_delay{0};  ///< between the ack to Signal and the delivery
  std::uint64_t duplicate_next = 0;             ///< so many frames are delivered twice
  bool drop_when_busy = false;     ///< REST: a receiver that is busy misses the message
  bool stalled_receive = false;    ///< the receive thread hangs; the queue grows
  bool hung_calls = false;         ///< every call hangs; only HTTP's own endpoints answer
  bool delivery_receipts = false;  ///< each delivered send is followed by its receipt
  std::deque<SendPlan> plans;      ///< the first that fits is used
};

/// Reads the plan of a fault that concerns sends; nothing if `kind` is not one of those.
[[nodiscard]] std::optional<SendPlan> parse_plan(const std::string& kind,
                                                 const json::object& fault);

}  // namespace holdfast::bridge_sim
