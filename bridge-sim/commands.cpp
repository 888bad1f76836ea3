#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <bridge_sim/commands.hpp>
#include <bridge_sim/values.hpp>

namespace holdfast::bridge_sim {
namespace {

constexpr std::array send_methods{
    std::string_view{"send"},           std::string_view{"sendReaction"},
    std::string_view{"sendReceipt"},    std::string_view{"sendTyping"},
    std::string_view{"remoteDelete"},   std::string_view{"sendPollCreate"},
    std::string_view{"sendPollVote"},   std::string_view{"sendPollTerminate"},
    std::string_view{"sendPinMessage"}, std::string_view{"sendUnpinMessage"}};
constexpr std::array query_methods{
    std::string_view{"listGroups"},     std::string_view{"listContacts"},
    std::string_view{"listIdentities"}, std::string_view{"listDevices"},
    std::string_view{"getUserStatus"},  std::string_view{"updateContact"},
    std::string_view{"updateProfile"},  std::string_view{"getAttachment"},
    std::string_view{"trust"},          std::string_view{"submitRateLimitChallenge"},
    std::string_view{"receive"},        std::string_view{"joinGroup"},
    std::string_view{"quitGroup"},      std::string_view{"sendContacts"},
    std::string_view{"block"},          std::string_view{"updateAccount"}};

template <typename List>
bool contains(const List& list, std::string_view method) {
  return std::find(list.begin(), list.end(), method) != list.end();
}

bool is_number(std::string_view text) {
  return text.size() > 1 && text.front() == '+' &&
         std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> parameter_list(const json::object& params, std::string_view name) {
  const json::value* value = parameter(params, name);
  return value == nullptr ? std::vector<std::string>{} : texts_of(*value);
}

json::object address_of(const Person& person) {
  json::object address{{"uuid", person.uuid}, {"number", nullptr}, {"username", nullptr}};
  if (!person.number.empty()) address["number"] = person.number;
  return address;
}

json::object member_of(const Person& person) {
  json::object member{{"number", nullptr}, {"uuid", person.uuid}};
  if (!person.number.empty()) member["number"] = person.number;
  return member;
}

json::object describe(const World& world, const Group& group) {
  json::array members;
  for (const std::string& number : group.members)
    members.push_back(member_of(world.person(number)));
  return {{"id", group.id},
          {"name", group.name},
          {"description", ""},
          {"isMember", true},
          {"isBlocked", false},
          {"messageExpirationTime", 0},
          {"members", members},
          {"pendingMembers", json::array{}},
          {"requestingMembers", json::array{}},
          {"admins", members},
          {"banned", json::array{}},
          {"permissionAddMember", "EVERY_MEMBER"},
          {"permissionEditDetails", "EVERY_MEMBER"},
          {"permissionSendMessage", "EVERY_MEMBER"},
          {"groupInviteLink", nullptr}};
}

CallAnswer list_groups(const World& world, const Account& account, const json::object& params) {
  const auto wanted = parameter_list(params, "groupId");
  json::array groups;
  for (const Group& group : world.groups()) {
    const bool member = std::find(group.members.begin(), group.members.end(), account.number) !=
                        group.members.end();
    const bool asked =
        wanted.empty() || std::find(wanted.begin(), wanted.end(), group.id) != wanted.end();
    if (member && asked) groups.push_back(describe(world, group));
  }
  return result_answer(std::move(groups));
}

CallAnswer list_contacts(const World& world) {
  json::array contacts;
  for (const Person& person : world.people()) {
    contacts.push_back(json::object{{"number", person.number},
                                    {"uuid", person.uuid},
                                    {"username", nullptr},
                                    {"name", ""},
                                    {"givenName", nullptr},
                                    {"familyName", nullptr},
                                    {"nickName", nullptr},
                                    {"nickGivenName", nullptr},
                                    {"nickFamilyName", nullptr},
                                    {"note", nullptr},
                                    {"color", nullptr},
                                    {"isBlocked", false},
                                    {"isHidden", false},
                                    {"messageExpirationTime", 0},
                                    {"profileSharing", false},
                                    {"unregistered", false},
                                    {"profile", json::object{{"lastUpdateTimestamp", 0},
                                                             {"givenName", person.name},
                                                             {"familyName", nullptr},
                                                             {"about", nullptr},
                                                             {"aboutEmoji", nullptr},
                                                             {"hasAvatar", false},
                                                             {"mobileCoinAddress", nullptr}}}});
  }
  return result_answer(std::move(contacts));
}

CallAnswer user_status(const World& world, const json::object& params) {
  json::array statuses;
  for (const std::string& recipient : parameter_list(params, "recipient")) {
    const Person person = world.person(recipient);
    statuses.push_back(json::object{{"recipient", recipient},
                                    {"number", person.number},
                                    {"username", nullptr},
                                    {"uuid", person.uuid},
                                    {"isRegistered", true}});
  }
  return result_answer(std::move(statuses));
}

CallAnswer receive(Daemon& daemon, Account& account, const json::object& params) {
  if (daemon.receivers() > 0 || daemon.mode == ReceiveMode::on_start) {
    return error_answer(-1,
                        "Receive command cannot be used if messages are already being received.");
  }
  const std::int64_t most = number_of(params, "maxMessages").value_or(-1);
  std::string frames = "[";
  std::int64_t taken = 0;
  while (most < 0 || taken < most) {
    const auto frame = daemon.take(account);
    if (!frame) break;
    frames += (taken++ == 0 ? "" : ",") + *frame;
    ++account.delivered;
  }
  boost::json::error_code ec;
  json::value parsed = json::parse(frames + "]", ec);
  return result_answer(ec ? json::value(json::array{}) : std::move(parsed));
}

/// signal-cli's sentence about a recipient that is none.
std::optional<CallAnswer> check_recipient(const std::string& recipient) {
  if (is_number(recipient) || is_uuid(recipient) || recipient.starts_with("PNI:") ||
      recipient.starts_with("u:")) {
    return std::nullopt;
  }
  return error_answer(-1, "Invalid phone number '" + recipient + "': No valid characters found.");
}

std::optional<CallAnswer> check_attachments(const json::object& params) {
  for (const std::string& attachment : parameter_list(params, "attachment")) {
    if (attachment.starts_with("data:") || ::access(attachment.c_str(), R_OK) == 0) continue;
    return error_answer(-32603, "Failed to send message: " + attachment + ": " + attachment +
                                    " (No such file or directory) (AttachmentInvalidException) "
                                    "(UnexpectedErrorException)");
  }
  return std::nullopt;
}

json::object result_for(const Person& person, const Group* group, const SendPlan* failed) {
  json::object result{{"recipientAddress", address_of(person)}};
  if (group != nullptr) result["groupId"] = group->id;
  result["type"] = failed == nullptr ? "SUCCESS" : failed->result;
  if (failed != nullptr && !failed->token.empty()) result["token"] = failed->token;
  if (failed != nullptr && failed->retry_after_s) {
    result["retryAfterSeconds"] = *failed->retry_after_s;
  }
  return result;
}

json::object response_for(const World& world, const Transmission& transmission,
                          const std::optional<SendPlan>& plan) {
  const SendPlan* failed = plan && !plan->result.empty() ? &*plan : nullptr;
  const bool last_only = failed != nullptr && plan->code == 0;  // a partial success
  std::vector<std::pair<Person, const Group*>> addressed;
  for (const std::string& recipient : transmission.recipients) {
    addressed.emplace_back(world.person(recipient), nullptr);
  }
  for (const Group* group : transmission.groups) {
    for (const std::string& number : group->members) {
      if (number != text_of(transmission.params, "account")) {
        addressed.emplace_back(world.person(number), group);
      }
    }
  }
  json::array results;
  for (std::size_t i = 0; i < addressed.size(); ++i) {
    const bool fails = failed != nullptr && (!last_only || i + 1 == addressed.size());
    results.push_back(
        result_for(addressed[i].first, addressed[i].second, fails ? failed : nullptr));
  }
  return {{"timestamp", transmission.timestamp}, {"results", std::move(results)}};
}

}  // namespace

CallAnswer result_answer(json::value result) {
  CallAnswer answer;
  answer.result = std::move(result);
  return answer;
}

CallAnswer error_answer(int code, std::string message, json::value data) {
  CallAnswer answer;
  answer.kind = CallAnswer::Kind::error;
  answer.code = code;
  answer.message = std::move(message);
  answer.data = std::move(data);
  return answer;
}

CallAnswer no_answer() {
  CallAnswer answer;
  answer.kind = CallAnswer::Kind::nothing;
  return answer;
}

const json::value* parameter(const json::object& params, std::string_view name) {
  std::string hyphenated;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      hyphenated += '-';
      hyphenated += static_cast<char>(c + 32);
    } else {
      hyphenated += c;
    }
  }
  for (const std::string& spelling :
       {std::string{name}, hyphenated, std::string{name} + "s", hyphenated + "s"}) {
    if (const json::value* value = params.if_contains(spelling)) return value;
  }
  return nullptr;
}

std::optional<CallAnswer> answer_without_account(const Daemon& daemon, const std::string& method,
                                                 const json::object&) {
  if (method == "version") return result_answer(json::object{{"version", daemon.version}});
  if (method == "listAccounts") {
    json::array accounts;
    for (const auto& [number, account] : const_cast<Daemon&>(daemon).world.accounts()) {
      if (account.known) accounts.push_back(json::object{{"number", number}});
    }
    return result_answer(std::move(accounts));
  }
  if (!contains(send_methods, method) && !contains(query_methods, method)) {
    return error_answer(-32601, "Method not implemented");
  }
  return std::nullopt;
}

std::optional<CallAnswer> find_account(World& world, const json::object& params,
                                       Account*& account) {
  const json::value* named = params.if_contains("account");
  if (named == nullptr || named->is_null()) {
    std::size_t known = 0;
    for (auto& [number, candidate] : world.accounts()) {
      if (!candidate.known) continue;
      account = &candidate;
      ++known;
    }
    if (known == 1) return std::nullopt;
    return error_answer(-32602, "Method requires valid account parameter");
  }
  account = world.find_account(to_text(*named));
  for (auto& [number, candidate] : world.accounts()) {
    if (account == nullptr && candidate.uuid == to_text(*named)) account = &candidate;
  }
  if (account == nullptr || !account->known) {
    return error_answer(-32602, "Specified account does not exist");
  }
  return std::nullopt;
}

std::optional<CallAnswer> answer_query(Daemon& daemon, const std::string& method, Account& account,
                                       const json::object& params) {
  if (!contains(query_methods, method)) return std::nullopt;
  if (method == "listGroups") return list_groups(daemon.world, account, params);
  if (method == "listContacts") return list_contacts(daemon.world);
  if (method == "getUserStatus") return user_status(daemon.world, params);
  if (method == "receive") return receive(daemon, account, params);
  if (method == "getAttachment") return result_answer(json::object{{"data", base64("hello")}});
  if (method == "listIdentities" || method == "listDevices") return result_answer(json::array{});
  return result_answer(json::object{});
}

std::optional<CallAnswer> check_transmission(const World& world, const std::string& method,
                                             const Account& account, const json::object& params,
                                             Transmission& transmission) {
  transmission.operation = method;
  transmission.recipients = parameter_list(params, "recipient");
  for (const std::string& name : parameter_list(params, "username")) {
    transmission.recipients.push_back("u:" + name);
  }
  if (const json::value* note = parameter(params, "noteToSelf");
      note != nullptr && note->is_bool() && note->get_bool()) {
    transmission.recipients.push_back(account.number);
  }
  for (const std::string& id : parameter_list(params, "groupId")) {
    const Group* group = world.find_group(id);
    if (group == nullptr) return error_answer(-1, "Group not found: " + id);
    transmission.groups.push_back(group);
  }
  if (transmission.recipients.empty() && transmission.groups.empty()) {
    return error_answer(-1, "No recipients given");
  }
  for (const std::string& recipient : transmission.recipients) {
    auto wrong = check_recipient(recipient);
    if (wrong) return wrong;
  }
  if (method == "send") {
    transmission.message = text_of(params, "message");
    const bool something = !transmission.message.empty() ||
                           parameter(params, "attachment") != nullptr ||
                           parameter(params, "sticker") != nullptr;
    if (!something) {
      return error_answer(-1,
                          "Sending empty message is not allowed, either a message, attachment or "
                          "sticker must be given.");
    }
    auto wrong = check_attachments(params);
    if (wrong) return wrong;
  }
  for (const auto& member : params) {
    if (!member.key().starts_with("attachment")) transmission.params[member.key()] = member.value();
  }
  transmission.params["account"] = account.number;
  return std::nullopt;
}

void record_transmission(Daemon& daemon, Account& account, const Transmission& transmission,
                         const std::optional<SendPlan>& plan) {
  Sent sent;
  sent.account = account.number;
  sent.operation = transmission.operation;
  sent.message = transmission.message;
  sent.timestamp = transmission.timestamp;
  sent.at_ms = wall_ms();
  sent.params = transmission.params;
  const bool last_fails = plan && plan->code == 0 && !plan->result.empty();
  const std::size_t reached =
      transmission.recipients.size() - (last_fails && transmission.groups.empty() ? 1 : 0);
  for (std::size_t i = 0; i < reached; ++i) {
    sent.recipient = transmission.recipients[i];
    daemon.world.record(sent);
    if (daemon.faults.delivery_receipts && sent.operation == "send") {
      daemon.world.inject_receipt(account, sent);
    }
  }
  sent.recipient.clear();
  for (const Group* group : transmission.groups) {
    sent.group = group->id;
    daemon.world.record(sent);
  }
  daemon.changed.notify();
}

CallAnswer answer_transmission(const World& world, const Transmission& transmission,
                               const std::optional<SendPlan>& plan) {
  if (!plan) return result_answer(response_for(world, transmission, plan));
  if (plan->then == SendPlan::Then::drop) {
    CallAnswer answer;
    answer.kind = CallAnswer::Kind::drop;
    return answer;
  }
  CallAnswer answer;
  if (plan->code == 0) {
    answer = result_answer(response_for(world, transmission, plan));
  } else {
    json::value data = nullptr;
    if (!plan->result.empty()) {
      data = json::object{{"response", response_for(world, transmission, plan)}};
    }
    answer = error_answer(plan->code, plan->message, std::move(data));
  }
  answer.status = plan->status;
  answer.body = plan->body;
  return answer;
}

}  // namespace holdfast::bridge_sim
