/// The Signal service as the stand-in imagines it: accounts with a queue each, people, groups, and
/// a record of everything that was sent.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <deque>
#include <holdfast/result.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::bridge_sim {

namespace json = boost::json;

struct Person {
  std::string number;
  std::string uuid;
  std::string name;
};

struct Group {
  std::string id;  ///< the internal id: base64 of 32 bytes
  std::string name;
  std::vector<std::string> members;  ///< numbers
};

/// A message in an account's queue. Its frame is `before` + the time of delivery + `after`; a frame
/// given as it is has no `after`.
struct Queued {
  std::string before;
  std::string after;
  [[nodiscard]] std::string frame(std::int64_t delivered_at_ms) const;
};

struct Account {
  std::string number;
  std::string uuid;
  bool known = true;  ///< false: the bridge says that it does not exist
  std::deque<Queued> queue;
  std::int64_t last_timestamp = 0;
  std::uint64_t injected = 0;   ///< put into the queue
  std::uint64_t delivered = 0;  ///< handed to at least one receiver
  std::uint64_t lost = 0;       ///< acknowledged to the service, and nobody there to take it
  std::uint64_t dropped = 0;    ///< a receiver was busy and did not get it (REST, queue of 0)
};

/// Something the service took for delivery.
struct Sent {
  std::uint64_t seq = 0;  ///< from 1
  std::string account;
  std::string operation;  ///< send, sendReaction, sendReceipt, sendTyping, remoteDelete
  std::string recipient;  ///< number or ACI; empty for a group
  std::string group;      ///< internal id; empty for a person
  std::string message;
  std::int64_t timestamp = 0;  ///< the message's id
  std::int64_t at_ms = 0;      ///< Unix time of the sending
  json::object params;         ///< what was asked for, without attachments
};

class World {
 public:
  explicit World(const std::vector<std::string>& accounts);

  [[nodiscard]] Account* find_account(std::string_view number);
  [[nodiscard]] std::map<std::string, Account>& accounts() noexcept { return accounts_; }
  [[nodiscard]] const std::vector<Person>& people() const noexcept { return people_; }
  [[nodiscard]] const std::vector<Group>& groups() const noexcept { return groups_; }
  [[nodiscard]] const Group* find_group(std::string_view id) const;
  /// The person with this number or ACI; one who is not known yet is made up.
  [[nodiscard]] Person person(std::string_view number_or_uuid) const;

  /// A time in ms, unique within the account, as signal-cli gives them.
  [[nodiscard]] std::int64_t next_timestamp(Account& account);

  /// Queues messages as `README.md` describes under "POST /inject". Answers {injected, first,
  /// last}.
  [[nodiscard]] Result<json::object> inject(const json::object& request);
  /// Queues the delivery receipt of what was sent.
  void inject_receipt(Account& account, const Sent& sent);

  void record(Sent sent);
  [[nodiscard]] const std::deque<Sent>& sent() const noexcept { return sent_; }
  void forget_sent() { sent_.clear(); }

  static constexpr std::size_t sent_max = 200'000;      ///< older ones are forgotten
  static constexpr std::size_t queued_max = 1'000'000;  ///< per account; inject refuses more

 private:
  [[nodiscard]] Queued build(Account& account, const json::object& request, std::uint64_t index,
                             std::int64_t timestamp) const;

  std::map<std::string, Account> accounts_;
  std::vector<Person> people_;
  std::vector<Group> groups_;
  std::deque<Sent> sent_;
  std::uint64_t sent_count_ = 0;
};

/// Unix time in milliseconds.
[[nodiscard]] std::int64_t wall_ms();

}  // namespace holdfast::bridge_sim
