#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <charconv>
#include <set>
#include <upstream/classify.hpp>
#include <upstream/words.hpp>
#include <utility>

namespace holdfast::upstream {

namespace {

namespace json = boost::json;
using core::Operation;
using core::SendOutcome;

// --- What the bridge's texts mean ---------------------------------------------------------------

enum class Meaning {
  nothing,        ///< "Failed to send message": nobody got it, the reasons are lost
  refused,        ///< validation; a repeat would be refused too
  no_account,     ///< the account is not loaded: a bridge that booted without network says so too
  never_left,     ///< Signal could not be reached at all
  limited,        ///< a rate limit
  proof,          ///< a rate limit that only a captcha lifts
  outdated,       ///< Signal refuses this version of signal-cli
  answer_broken,  ///< the bridge could not read its own answer: the message may have gone
  unknown,
};

enum class Where { is, begins, contains };

struct Phrase {
  Where where;
  std::string_view text;
  Meaning meaning;
};

// In order: words that quote the caller's input come first, so that a "429" in a number or a path
// is not taken for a status.
// clang-format off
constexpr std::array phrases{
    Phrase{Where::is,       "Failed to send message",                       Meaning::nothing},
    Phrase{Where::begins,   "Couldn't process request - invalid signal-cli", Meaning::answer_broken},
    Phrase{Where::begins,   "Couldn't process request",                     Meaning::refused},
    Phrase{Where::begins,   "Invalid ",                                     Meaning::refused},
    Phrase{Where::begins,   "The user ",                                    Meaning::refused},
    Phrase{Where::begins,   "No recipients given",                          Meaning::refused},
    Phrase{Where::begins,   "Group not found",                              Meaning::refused},
    Phrase{Where::begins,   "Sending empty message",                        Meaning::refused},
    Phrase{Where::begins,   "Failed to send sticker",                       Meaning::refused},
    Phrase{Where::contains, "Specified account does not exist",             Meaning::no_account},
    Phrase{Where::contains, "Method requires valid account parameter",      Meaning::no_account},
    Phrase{Where::contains, "Number not registered with JSON-RPC",          Meaning::no_account},
    Phrase{Where::contains, "untrusted identities",                         Meaning::refused},
    Phrase{Where::contains, "untrusted recipient keys",                     Meaning::refused},
    Phrase{Where::contains, "UntrustedIdentityException",                   Meaning::refused},
    Phrase{Where::contains, "AttachmentInvalidException",                   Meaning::refused},
    Phrase{Where::contains, "InvalidStickerException",                      Meaning::refused},
    Phrase{Where::contains, "GroupNotFoundException",                       Meaning::refused},
    Phrase{Where::contains, "NotAGroupMemberException",                     Meaning::refused},
    Phrase{Where::contains, "GroupSendingNotAllowedException",              Meaning::refused},
    Phrase{Where::contains, "UnregisteredRecipientException",               Meaning::refused},
    Phrase{Where::contains, "UnregisteredUserException",                    Meaning::refused},
    Phrase{Where::contains, "ClassCastException",                           Meaning::refused},  // a timestamp below 2^31
    Phrase{Where::contains, "NumberFormatException",                        Meaning::refused},
    Phrase{Where::contains, "DeprecatedVersionException",                   Meaning::outdated},
    Phrase{Where::contains, "[499]",                                        Meaning::outdated},
    Phrase{Where::contains, "StatusCode: 499",                              Meaning::outdated},
    Phrase{Where::contains, "deprecated",                                   Meaning::outdated},
    Phrase{Where::contains, "ProofRequiredException",                       Meaning::proof},
    Phrase{Where::contains, "[428]",                                        Meaning::proof},
    Phrase{Where::contains, "StatusCode: 428",                              Meaning::proof},
    Phrase{Where::contains, "roof required",                                Meaning::proof},
    Phrase{Where::contains, "RateLimit",                                    Meaning::limited},
    Phrase{Where::contains, "ate limit",                                    Meaning::limited},
    Phrase{Where::contains, "[429]",                                        Meaning::limited},
    Phrase{Where::contains, "[413]",                                        Meaning::limited},
    Phrase{Where::contains, "StatusCode: 429",                              Meaning::limited},
    Phrase{Where::contains, "StatusCode: 413",                              Meaning::limited},
    Phrase{Where::contains, "UnknownHostException",                         Meaning::never_left},
    Phrase{Where::contains, "UnresolvedAddressException",                   Meaning::never_left},
    Phrase{Where::contains, "Temporary failure in name resolution",         Meaning::never_left},
    Phrase{Where::contains, "ConnectException",                             Meaning::never_left},
    Phrase{Where::contains, "NoRouteToHostException",                       Meaning::never_left},
    Phrase{Where::contains, "Network is unreachable",                       Meaning::never_left},
    Phrase{Where::contains, "SSLHandshakeException",                        Meaning::never_left},
    Phrase{Where::begins,   "write tcp",                                    Meaning::never_left},  // signal-cli-rest-api lost signal-cli
    Phrase{Where::begins,   "write unix",                                   Meaning::never_left},
    Phrase{Where::contains, "unexpected end of JSON input",                 Meaning::answer_broken},
    Phrase{Where::begins,   "invalid character",                            Meaning::answer_broken},
};
// clang-format on

Meaning meaning_of(std::string_view text) {
  for (const Phrase& phrase : phrases) {
    const bool met = phrase.where == Where::is       ? text == phrase.text
                     : phrase.where == Where::begins ? text.starts_with(phrase.text)
                                                     : text.find(phrase.text) != text.npos;
    if (met) return phrase.meaning;
  }
  return Meaning::unknown;
}

// --- Outcomes -----------------------------------------------------------------------------------

SendOutcome outcome_of(SendOutcome::Kind kind, std::string why) {
  SendOutcome outcome;
  outcome.kind = kind;
  outcome.why = std::move(why);
  return outcome;
}

SendOutcome sent(std::int64_t timestamp, std::string why = {}) {
  SendOutcome outcome = outcome_of(SendOutcome::Kind::sent, std::move(why));
  outcome.timestamp = timestamp;
  return outcome;
}

/// A rate limit. Nothing was sent to one recipient; a group may have been begun.
SendOutcome limited(const Sending& sending, std::string why) {
  return outcome_of(
      sending.is_group ? SendOutcome::Kind::ambiguous : SendOutcome::Kind::rate_limited,
      std::move(why));
}

SendOutcome proof_required(const Sending& sending, std::string token, std::string why) {
  SendOutcome outcome = limited(sending, std::move(why));
  outcome.scope = SendOutcome::Scope::account;
  outcome.challenge_token = std::move(token);
  return outcome;
}

SendOutcome outdated(const std::string& words) {
  return failed(
      400, "Signal no longer accepts this version of signal-cli; upgrade the bridge (it said: " +
               words + ")");
}

// --- Results per recipient ----------------------------------------------------------------------

/// How the recipients of one call fared, counted by signal-cli's result types.
struct Tally {
  std::size_t total = 0;
  std::size_t success = 0;
  std::size_t network = 0;
  std::size_t rate_limit = 0;
  std::size_t refused = 0;  ///< unregistered, untrusted identity, unusable prekey
  std::set<std::string, std::less<>> failures;  ///< the types that were no success
  std::string token;
  std::int64_t retry_after_s = 0;

  void count(const json::object& result, std::string_view type_key) {
    ++total;
    const json::value* type_value = result.if_contains(type_key);
    const json::string* type_text = type_value == nullptr ? nullptr : type_value->if_string();
    const std::string_view type = type_text == nullptr ? std::string_view{} : *type_text;
    if (type == "SUCCESS") {
      ++success;
      return;
    }
    if (type == "NETWORK_FAILURE") ++network;
    if (type == "RATE_LIMIT_FAILURE") ++rate_limit;
    if (type == "UNREGISTERED_FAILURE" || type == "IDENTITY_FAILURE" ||
        type == "INVALID_PRE_KEY_FAILURE") {
      ++refused;
    }
    failures.emplace(one_line(type, 40));
    if (const json::value* value = result.if_contains("token"); value && value->is_string()) {
      token = std::string_view{value->get_string()};
    }
    if (const json::value* value = result.if_contains("retryAfterSeconds");
        value && value->is_int64()) {
      retry_after_s = std::max(retry_after_s, value->get_int64());
    }
  }

  [[nodiscard]] std::string failure_list() const {
    std::string list;
    for (const std::string& type : failures) {
      if (!list.empty()) list += ", ";
      list += type;
    }
    return list;
  }
};

Tally tally(const json::value* results, std::string_view type_key) {
  Tally counts;
  const json::array* list = results == nullptr ? nullptr : results->if_array();
  if (list == nullptr) return counts;
  for (const json::value& entry : *list) {
    if (const json::object* result = entry.if_object()) counts.count(*result, type_key);
  }
  return counts;
}

/// What a tally without any SUCCESS proves. `words`: what the bridge said besides.
SendOutcome nobody_got_it(const Tally& counts, std::string words, const Sending& sending) {
  const std::string why =
      words.empty() ? counts.failure_list() : std::move(words) + " (" + counts.failure_list() + ")";
  if (!counts.token.empty() || counts.rate_limit > 0) {
    SendOutcome outcome =
        counts.token.empty() ? limited(sending, why) : proof_required(sending, counts.token, why);
    if (counts.rate_limit > 1) outcome.scope = SendOutcome::Scope::account;
    if (counts.retry_after_s > 0) {
      constexpr std::int64_t longest_s = 30 * 24 * 3600;
      outcome.retry_after = std::chrono::seconds{std::min(counts.retry_after_s, longest_s)};
    }
    return outcome;
  }
  if (counts.network + counts.refused < counts.total)
    return ambiguous(why);  // a type unknown to us
  if (counts.network > 0) return not_sent(why);
  return failed(400, why);
}

std::string partial_words(const Tally& counts) {
  if (counts.failures.empty()) return {};
  return "sent to " + std::to_string(counts.success) + " of " + std::to_string(counts.total) +
         " recipients (" + counts.failure_list() + ")";
}

std::optional<std::int64_t> timestamp_in(const json::object& object) {
  const json::value* value = object.if_contains("timestamp");
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64()) return *number;
  const json::string* text = value->if_string();
  if (text == nullptr) return std::nullopt;
  std::int64_t number = 0;
  const char* end = text->data() + text->size();
  const auto [stop, ec] = std::from_chars(text->data(), end, number);
  if (ec != std::errc{} || stop != end) return std::nullopt;
  return number;
}

// --- Texts --------------------------------------------------------------------------------------

/// Who said a text: decides what it means when nothing in it is known.
enum class Origin {
  user_error,  ///< signal-cli's -1, or a 400 of signal-cli-rest-api
  io_error,    ///< -3
  unexpected,  ///< -32603 and unknown codes
};

SendOutcome of_unknown_text(std::string why, Origin origin, const Sending& sending) {
  const bool from_sending = why.starts_with("Failed to send message:");
  const bool exception = why.find("Exception)") != why.npos || why.find("Error)") != why.npos ||
                         why.find("internal server error") != why.npos;
  const bool no_prekeys = why.find("No prekeys available") != why.npos;
  if (no_prekeys && !sending.is_group) return not_sent(std::move(why));
  if (origin == Origin::io_error) {
    return sending.is_group ? ambiguous(std::move(why)) : not_sent(std::move(why));
  }
  if (origin == Origin::unexpected || from_sending || exception) return ambiguous(std::move(why));
  return failed(400, std::move(why));
}

SendOutcome of_text(std::string_view text, Origin origin, const Sending& sending) {
  std::string words = one_line(text);
  switch (meaning_of(text)) {
    case Meaning::nothing:
    case Meaning::no_account:
    case Meaning::never_left:
      return not_sent(std::move(words));
    case Meaning::refused:
      return failed(400, std::move(words));
    case Meaning::outdated:
      return outdated(words);
    case Meaning::proof:
      return proof_required(sending, {}, std::move(words));
    case Meaning::limited:
      return limited(sending, std::move(words));
    case Meaning::answer_broken:
      return ambiguous(std::move(words));
    case Meaning::unknown:
      break;
  }
  return of_unknown_text(std::move(words), origin, sending);
}

// --- signal-cli-rest-api ------------------------------------------------------------------------

std::string status_words(const RestAnswer& answer) {
  const std::string words = bridge_words(answer.body);
  std::string said = "the bridge answered " + std::to_string(answer.status);
  if (!words.empty()) said += ": " + words;
  return said;
}

std::string error_text(std::string_view body) {
  json::error_code ec;
  const json::value parsed = json::parse(body, ec);
  if (!ec && parsed.is_object()) {
    const json::value* error = parsed.get_object().if_contains("error");
    if (error && error->is_string()) return std::string{std::string_view{error->get_string()}};
  }
  return std::string{body};
}

/// 2xx. Releases up to 0.100 answer an object, later ones an array with one object for each class
/// of recipients; ours have one recipient, so there is one.
SendOutcome of_success(const RestAnswer& answer, const Sending& sending) {
  const bool created = answer.status == 201;
  json::error_code ec;
  const json::value parsed = json::parse(answer.body, ec);
  const json::value* first = ec ? nullptr : &parsed;
  if (first && first->is_array()) {
    first = first->get_array().empty() ? nullptr : &first->get_array().front();
  }
  const json::object* object = first ? first->if_object() : nullptr;
  const auto timestamp = object ? timestamp_in(*object) : std::nullopt;
  if (object) {
    const json::value* errors = object->if_contains("errors");
    const json::object* list = errors ? errors->if_object() : nullptr;
    const Tally counts = tally(list ? list->if_contains("recipients") : nullptr, "reason");
    if (counts.total > 0 && !sending.is_group) return nobody_got_it(counts, {}, sending);
    if (counts.total > 0) {
      return sent(timestamp.value_or(0), "not sent to " + std::to_string(counts.total) +
                                             " of the group (" + counts.failure_list() + ")");
    }
  }
  if (timestamp) return sent(*timestamp);
  if (sending.operation != Operation::send) return sent(0);
  if (created) return sent(0, "the bridge answered 201 without a timestamp");
  return ambiguous("the bridge answered " + std::to_string(answer.status) + " without a timestamp");
}

SendOutcome of_too_many(const RestAnswer& answer, const Sending& sending) {
  std::string token;
  std::size_t tokens = 0;
  json::error_code ec;
  const json::value parsed = json::parse(answer.body, ec);
  if (!ec && parsed.is_object()) {
    const json::value* list = parsed.get_object().if_contains("challenge_tokens");
    if (list && list->is_array()) {
      tokens = list->get_array().size();
      for (const json::value& entry : list->get_array()) {
        if (entry.is_string() && !entry.get_string().empty()) {
          token = std::string_view{entry.get_string()};
        }
      }
    }
  }
  std::string why = one_line(error_text(answer.body));
  if (why.empty()) why = status_words(answer);
  SendOutcome outcome = token.empty() ? limited(sending, std::move(why))
                                      : proof_required(sending, std::move(token), std::move(why));
  if (tokens > 1) outcome.scope = SendOutcome::Scope::account;
  outcome.retry_after = answer.retry_after;
  return outcome;
}

std::string_view path_of(Operation operation) {
  switch (operation) {
    case Operation::send:
      return "/v2/send";
    case Operation::reaction:
    case Operation::remove_reaction:
      return "/v1/reactions";
    case Operation::receipt:
      return "/v1/receipts";
    case Operation::remote_delete:
      return "/v1/remote-delete";
  }
  return "";
}

}  // namespace

Sending sending_of(const core::Entry& entry) {
  return Sending{entry.operation, entry.recipient.starts_with("group.")};
}

SendOutcome not_sent(std::string why) {
  return outcome_of(SendOutcome::Kind::not_sent, std::move(why));
}

SendOutcome ambiguous(std::string why) {
  return outcome_of(SendOutcome::Kind::ambiguous, std::move(why));
}

SendOutcome failed(int status, std::string why) {
  SendOutcome outcome = outcome_of(SendOutcome::Kind::failed, std::move(why));
  outcome.status = status;
  return outcome;
}

SendOutcome refused_call(const Error& error) {
  return failed(error.code == Errc::too_large ? 413 : 400, error.message);
}

SendOutcome classify_rest(const RestAnswer& answer, const Sending& sending) {
  const int status = answer.status;
  if (status >= 200 && status < 300) return of_success(answer, sending);
  switch (status) {
    case 400:
      return of_text(error_text(answer.body), Origin::user_error, sending);
    case 401:
    case 403:
    case 407:
      return not_sent("the bridge, or a proxy before it, wants credentials (" +
                      std::to_string(status) + ")");
    case 404:
    case 405:
      return failed(status, "the bridge has no " + std::string{path_of(sending.operation)} + " (" +
                                std::to_string(status) + "); is it signal-cli-rest-api?");
    case 408:
    case 503:
      return not_sent(status_words(answer));
    case 428:
      return proof_required(sending, {}, status_words(answer));
    case 429:
      return of_too_many(answer, sending);
    default:
      break;
  }
  if (status >= 300 && status < 400) {
    return not_sent("the bridge answered " + std::to_string(status) +
                    ", a redirect; give the address that it leads to");
  }
  if (status >= 400 && status < 500) return failed(status, status_words(answer));
  return ambiguous(status_words(answer));
}

SendOutcome classify_rpc_result(std::string_view result, const Sending& sending) {
  json::error_code ec;
  const json::value parsed = json::parse(result, ec);
  const json::object* object = ec ? nullptr : parsed.if_object();
  if (object == nullptr) return ambiguous("the bridge's answer could not be read");
  const Tally counts = tally(object->if_contains("results"), "type");
  if (counts.total > 0 && counts.success == 0) return nobody_got_it(counts, {}, sending);
  const auto timestamp = timestamp_in(*object);
  if (!timestamp && sending.operation == Operation::send) {
    return counts.success > 0 ? sent(0, "the bridge answered without a timestamp")
                              : ambiguous("the bridge answered without a timestamp");
  }
  return sent(timestamp.value_or(0), partial_words(counts));
}

SendOutcome classify_rpc_error(std::string_view error, const Sending& sending) {
  json::error_code ec;
  const json::value parsed = json::parse(error, ec);
  const json::object* object = ec ? nullptr : parsed.if_object();
  if (object == nullptr) return ambiguous("the bridge's answer could not be read");

  const json::value* code_value = object->if_contains("code");
  const std::int64_t code = code_value && code_value->is_int64() ? code_value->get_int64() : 0;
  const json::value* message_value = object->if_contains("message");
  const std::string text = message_value && message_value->is_string()
                               ? std::string{std::string_view{message_value->get_string()}}
                               : std::string{};
  const json::value* data = object->if_contains("data");
  const json::object* data_object = data ? data->if_object() : nullptr;
  const json::value* response = data_object ? data_object->if_contains("response") : nullptr;
  const json::object* answer = response ? response->if_object() : nullptr;
  const Tally counts = tally(answer ? answer->if_contains("results") : nullptr, "type");
  if (counts.success > 0) {
    return sent(timestamp_in(*answer).value_or(0), partial_words(counts));
  }
  if (counts.total > 0) return nobody_got_it(counts, one_line(text), sending);

  switch (code) {
    case -4:
      return failed(400, one_line(text));
    case -5:
      return limited(sending, one_line(text));
    case -32601:
      return failed(
          400, "the bridge does not know this call (" + one_line(text) + "); upgrade signal-cli");
    case -32602:
      return meaning_of(text) == Meaning::no_account ? not_sent(one_line(text))
                                                     : failed(400, one_line(text));
    case -32600:
    case -32700:
      return failed(400, one_line(text));
    case -1:
    case -6:
      return of_text(text, Origin::user_error, sending);
    case -3:
      return of_text(text, Origin::io_error, sending);
    default:
      return of_text(text, Origin::unexpected, sending);
  }
}

}  // namespace holdfast::upstream
