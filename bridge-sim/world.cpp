#include <algorithm>
#include <boost/json/parse.hpp>
#include <bridge_sim/values.hpp>
#include <bridge_sim/world.hpp>
#include <chrono>
#include <random>

namespace holdfast::bridge_sim {
namespace {

/// Stands for the time of delivery while an envelope is built.
constexpr std::string_view delivered_mark = "\"@delivered@\"";

std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 1469598103934665603u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return value;
}

/// The same text gives the same bytes in every run.
std::string bytes_for(std::string_view text, std::size_t count) {
  std::mt19937_64 random{hash(text)};
  std::string bytes;
  while (bytes.size() < count) bytes += static_cast<char>(random() & 255);
  return bytes;
}

std::string uuid_for(std::string_view number) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string bytes = bytes_for(number, 16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3fu) | 0x80u);
  std::string uuid;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += digits[static_cast<unsigned char>(bytes[i]) >> 4];
    uuid += digits[static_cast<unsigned char>(bytes[i]) & 15u];
  }
  return uuid;
}

json::object data_message(std::int64_t timestamp, std::string_view text) {
  return {{"timestamp", timestamp},
          {"message", text},
          {"expiresInSeconds", 0},
          {"isExpirationUpdate", false},
          {"viewOnce", false}};
}

json::object group_info(const Group& group) {
  return {{"groupId", group.id}, {"groupName", group.name}, {"revision", 0}, {"type", "DELIVER"}};
}

json::array numbers_in(const json::object& request, std::string_view key, std::int64_t otherwise) {
  json::array numbers;
  if (const json::value* given = request.if_contains(key)) {
    for (const std::string& text : texts_of(*given)) {
      if (const auto number = number_of(json::value(text))) numbers.emplace_back(*number);
    }
  }
  if (numbers.empty()) numbers.emplace_back(otherwise);
  return numbers;
}

}  // namespace

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Queued::frame(std::int64_t delivered_at_ms) const {
  return after.empty() ? before : before + std::to_string(delivered_at_ms) + after;
}

World::World(const std::vector<std::string>& accounts) {
  for (const auto& [number, name] :
       {std::pair{"+15550009001", "Ada"}, std::pair{"+15550009002", "Bo"},
        std::pair{"+15550009003", "Chen"}}) {
    people_.push_back(Person{number, uuid_for(number), name});
  }
  Group group{base64(bytes_for("Crew", 32)), "Crew", {}};
  for (const std::string& number : accounts) {
    Account account;
    account.number = number;
    account.uuid = uuid_for(number);
    accounts_.emplace(number, std::move(account));
    group.members.push_back(number);
  }
  group.members.push_back(people_[0].number);
  group.members.push_back(people_[1].number);
  groups_.push_back(std::move(group));
}

Account* World::find_account(std::string_view number) {
  const auto found = accounts_.find(std::string{number});
  return found == accounts_.end() ? nullptr : &found->second;
}

const Group* World::find_group(std::string_view id) const {
  const auto found =
      std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.id == id; });
  return found == groups_.end() ? nullptr : &*found;
}

Person World::person(std::string_view number_or_uuid) const {
  for (const Person& known : people_) {
    if (known.number == number_or_uuid || known.uuid == number_or_uuid) return known;
  }
  for (const auto& [number, account] : accounts_) {
    if (number == number_or_uuid || account.uuid == number_or_uuid) {
      return Person{number, account.uuid, "Me"};
    }
  }
  if (is_uuid(number_or_uuid)) return Person{"", std::string{number_or_uuid}, ""};
  return Person{std::string{number_or_uuid}, uuid_for(number_or_uuid), ""};
}

std::int64_t World::next_timestamp(Account& account) {
  account.last_timestamp = std::max(account.last_timestamp + 1, wall_ms());
  return account.last_timestamp;
}

Queued World::build(Account& account, const json::object& request, std::uint64_t index,
                    std::int64_t timestamp) const {
  const std::string kind = text_of(request, "kind", "data");
  const bool own = kind.starts_with("sync");
  const Person from =
      own ? person(account.number) : person(text_of(request, "from", people_.front().number));
  std::string text = text_of(request, "text", "message");
  if (number_of(request, "n").value_or(1) > 1) text += " " + std::to_string(index);
  if (const auto size = number_of(request, "size"); size && *size > 0) {
    text.resize(std::max(text.size(), static_cast<std::size_t>(*size)), '.');
  }
  const std::int64_t target = number_of(request, "target").value_or(timestamp - 1);

  json::object envelope{{"source", from.number.empty() ? from.uuid : from.number},
                        {"sourceNumber", nullptr},
                        {"sourceUuid", from.uuid},
                        {"sourceName", from.name},
                        {"sourceDevice", number_of(request, "device").value_or(1)},
                        {"timestamp", timestamp},
                        {"serverReceivedTimestamp", wall_ms()},
                        {"serverDeliveredTimestamp", "@delivered@"}};
  if (!from.number.empty()) envelope["sourceNumber"] = from.number;

  json::object data = data_message(timestamp, text);
  if (const Group* group = find_group(text_of(request, "group"))) {
    data["groupInfo"] = group_info(*group);
  }
  if (kind == "reaction") {
    data["message"] = nullptr;
    data["reaction"] = json::object{
        {"emoji", text_of(request, "emoji", "👍")}, {"targetAuthor", account.number},
        {"targetAuthorNumber", account.number},    {"targetAuthorUuid", account.uuid},
        {"targetSentTimestamp", target},           {"isRemove", flag_of(request, "remove")}};
  } else if (kind == "remote_delete") {
    data["message"] = nullptr;
    data["remoteDelete"] = json::object{{"timestamp", target}};
  } else if (kind == "attachment") {
    data["attachments"] = json::array{json::object{{"contentType", "text/plain"},
                                                   {"filename", "a.txt"},
                                                   {"id", std::to_string(timestamp) + ".txt"},
                                                   {"size", 5},
                                                   {"width", nullptr},
                                                   {"height", nullptr},
                                                   {"caption", nullptr},
                                                   {"uploadTimestamp", nullptr}}};
  } else if (kind == "unknown") {
    data["fieldOfTheFuture"] = json::object{{"a", json::array{1, 2}}};
  }

  json::object frame;
  if (kind == "receipt") {
    const std::string type = text_of(request, "type", "delivery");
    envelope["receiptMessage"] =
        json::object{{"when", timestamp},
                     {"isDelivery", type == "delivery"},
                     {"isRead", type == "read"},
                     {"isViewed", type == "viewed"},
                     {"timestamps", numbers_in(request, "timestamps", target)}};
  } else if (kind == "typing") {
    envelope["typingMessage"] =
        json::object{{"action", text_of(request, "action", "STARTED")}, {"timestamp", timestamp}};
  } else if (kind == "edit") {
    envelope["editMessage"] =
        json::object{{"targetSentTimestamp", target}, {"dataMessage", std::move(data)}};
  } else if (kind == "sync") {
    const Person to = person(text_of(request, "to", people_.front().number));
    json::object sent{
        {"destination", to.number}, {"destinationNumber", to.number}, {"destinationUuid", to.uuid}};
    for (const auto& member : data) sent[member.key()] = member.value();
    envelope["syncMessage"] = json::object{{"sentMessage", std::move(sent)}};
  } else if (kind == "sync_empty") {
    envelope["syncMessage"] = json::object{};
  } else if (kind == "call") {
    envelope["callMessage"] =
        json::object{{"offerMessage", json::object{{"id", std::uint64_t{13874503249826373120u}},
                                                   {"type", "AUDIO_CALL"},
                                                   {"opaque", "AAAA"}}}};
  } else if (kind == "story") {
    envelope["storyMessage"] =
        json::object{{"allowsReplies", true}, {"textAttachment", json::object{{"text", text}}}};
  } else if (kind == "exception") {
    frame["exception"] =
        json::object{{"message",
                      "org.signal.libsignal.protocol.InvalidMessageException: invalid Whisper "
                      "message: decryption failed"},
                     {"type", "ProtocolInvalidMessageException"}};
  } else {
    envelope["dataMessage"] = std::move(data);
  }
  frame["envelope"] = std::move(envelope);
  frame["account"] = account.number;

  const std::string whole = json::serialize(frame);
  const auto mark = whole.find(delivered_mark);
  return Queued{whole.substr(0, mark), whole.substr(mark + delivered_mark.size())};
}

Result<json::object> World::inject(const json::object& request) {
  Account* account = find_account(text_of(request, "account", accounts_.begin()->first));
  if (account == nullptr) {
    return Error{Errc::not_found, "the stand-in has no account " + text_of(request, "account")};
  }
  const std::int64_t n = std::max<std::int64_t>(1, number_of(request, "n").value_or(1));
  if (account->queue.size() + static_cast<std::size_t>(n) > queued_max) {
    return Error{Errc::queue_full, "an account's queue holds at most 1,000,000 messages"};
  }
  std::int64_t first = 0;
  std::int64_t last = 0;
  for (std::int64_t i = 1; i <= n; ++i) {
    if (const json::value* raw = request.if_contains("raw")) {
      account->queue.push_back(Queued{to_text(*raw), {}});
    } else {
      last = number_of(request, "timestamp").value_or(next_timestamp(*account));
      if (first == 0) first = last;
      account->queue.push_back(build(*account, request, static_cast<std::uint64_t>(i), last));
    }
    ++account->injected;
  }
  return json::object{{"injected", n}, {"first", first}, {"last", last}};
}

void World::inject_receipt(Account& account, const Sent& sent) {
  const json::object request{
      {"kind", "receipt"}, {"from", sent.recipient}, {"timestamps", json::array{sent.timestamp}}};
  account.queue.push_back(build(account, request, 1, next_timestamp(account)));
  ++account.injected;
}

void World::record(Sent sent) {
  sent.seq = ++sent_count_;
  if (sent_.size() >= sent_max) sent_.pop_front();
  sent_.push_back(std::move(sent));
}

}  // namespace holdfast::bridge_sim
