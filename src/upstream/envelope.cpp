#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <core/assert.hpp>
#include <cstring>
#include <random>
#include <upstream/envelope.hpp>
#include <utility>

namespace holdfast::upstream {

namespace {

namespace json = boost::json;
using core::FrameKind;

// --- Reading ------------------------------------------------------------------------------------

const json::value* member(const json::object* object, std::string_view name) {
  return object == nullptr ? nullptr : object->if_contains(name);
}

const json::object* object_in(const json::object* object, std::string_view name) {
  const json::value* value = member(object, name);
  return value == nullptr ? nullptr : value->if_object();
}

std::string_view text_in(const json::object* object, std::string_view name) {
  const json::value* value = member(object, name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view{} : std::string_view{*text};
}

std::optional<std::int64_t> number_in(const json::object* object, std::string_view name) {
  const json::value* value = member(object, name);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64()) return *number;
  return std::nullopt;
}

bool flag_in(const json::object* object, std::string_view name) {
  const json::value* value = member(object, name);
  const bool* flag = value == nullptr ? nullptr : value->if_bool();
  return flag != nullptr && *flag;
}

/// The first of the texts that says something.
template <typename... Texts>
std::string_view first_of(Texts... texts) {
  std::string_view found;
  ((found = found.empty() ? std::string_view{texts} : found), ...);
  return found;
}

// --- Hashing ------------------------------------------------------------------------------------

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view bytes) noexcept {
  Digest digest{};
  unsigned int size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  HF_ASSERT(done == 1 && size == digest.size());
  return digest;
}

/// Fields, each behind its length, and the hash of them all.
class IdentityText {
 public:
  void add(std::string_view field) {
    const std::uint64_t size = field.size();
    char prefix[sizeof size];
    std::memcpy(prefix, &size, sizeof size);
    text_.append(prefix, sizeof prefix).append(field);
  }
  void add(const char* field) { add(std::string_view{field}); }
  void add(std::int64_t number) { add(std::string_view{std::to_string(number)}); }
  void add(std::optional<std::int64_t> number) { number ? add(*number) : add(""); }

  [[nodiscard]] core::Identity hash() const noexcept {
    const Digest digest = sha256(text_);
    core::Identity identity{};
    std::copy_n(digest.begin(), identity.size(), identity.begin());
    return identity;
  }

 private:
  std::string text_;
};

// --- What a message is --------------------------------------------------------------------------

/// Kind, own timestamp and discriminator of a message's content.
struct Content {
  FrameKind kind = FrameKind::other;
  std::optional<std::int64_t> timestamp;  ///< where the content has the better one
  IdentityText discriminator;
};

void describe_data(const json::object& data, Content& content) {
  content.kind = FrameKind::data;
  content.timestamp = number_in(&data, "timestamp");
  content.discriminator.add(text_in(object_in(&data, "groupInfo"), "groupId"));
  if (const json::object* reaction = object_in(&data, "reaction")) {
    content.kind = FrameKind::reaction;
    content.discriminator.add(first_of(text_in(reaction, "targetAuthorUuid"),
                                       text_in(reaction, "targetAuthorNumber"),
                                       text_in(reaction, "targetAuthor")));
    content.discriminator.add(number_in(reaction, "targetSentTimestamp"));
    content.discriminator.add(text_in(reaction, "emoji"));
    content.discriminator.add(flag_in(reaction, "isRemove") ? "removed" : "");
  } else if (const json::object* removal = object_in(&data, "remoteDelete")) {
    content.kind = FrameKind::remote_delete;
    content.discriminator.add(number_in(removal, "timestamp"));
  }
}

void describe_edit(const json::object& edit, Content& content) {
  if (const json::object* data = object_in(&edit, "dataMessage")) describe_data(*data, content);
  content.kind = FrameKind::edit;
  content.discriminator.add(number_in(&edit, "targetSentTimestamp"));
}

void describe_receipt(const json::object& receipt, Content& content, ParsedFrame& frame) {
  content.kind = FrameKind::receipt;
  content.discriminator.add(flag_in(&receipt, "isDelivery") ? "delivery" : "");
  content.discriminator.add(flag_in(&receipt, "isRead") ? "read" : "");
  content.discriminator.add(flag_in(&receipt, "isViewed") ? "viewed" : "");
  const json::value* timestamps = member(&receipt, "timestamps");
  if (const json::array* list = timestamps == nullptr ? nullptr : timestamps->if_array()) {
    for (const json::value& entry : *list) {
      if (const auto* timestamp = entry.if_int64()) frame.receipts.push_back(*timestamp);
    }
  }
  std::sort(frame.receipts.begin(), frame.receipts.end());
  for (const std::int64_t timestamp : frame.receipts) content.discriminator.add(timestamp);
}

/// A message sent by another device of the account: named as what it is, and by where it went.
void describe_sent(const json::object& sent, Content& content, ParsedFrame& frame) {
  const json::object* data = &sent;
  Content inner;
  if (const json::object* edit = object_in(&sent, "editMessage")) {
    describe_edit(*edit, inner);
    data = object_in(edit, "dataMessage");
  } else {
    describe_data(sent, inner);
  }
  SentTranscript transcript;
  transcript.timestamp = inner.timestamp.value_or(0);
  transcript.uuid = text_in(&sent, "destinationUuid");
  transcript.number = text_in(&sent, "destinationNumber");
  transcript.group = text_in(object_in(data, "groupInfo"), "groupId");
  const std::string_view destination =
      first_of(std::string_view{transcript.uuid}, std::string_view{transcript.number},
               text_in(&sent, "destination"));
  const core::Identity named = inner.discriminator.hash();
  content.timestamp = inner.timestamp;
  content.discriminator.add("sent");
  content.discriminator.add(destination);
  content.discriminator.add(transcript.group);
  content.discriminator.add(core::to_string(inner.kind));
  content.discriminator.add(
      std::string_view{reinterpret_cast<const char*>(named.data()), named.size()});
  if (transcript.timestamp != 0) frame.transcript = std::move(transcript);
}

void describe_sync(const json::object& sync, Content& content, ParsedFrame& frame) {
  content.kind = FrameKind::sync;
  if (const json::object* sent = object_in(&sync, "sentMessage")) {
    describe_sent(*sent, content, frame);
  } else {
    content.discriminator.add(std::string_view{json::serialize(sync)});
  }
}

void describe_typing(const json::object& typing, Content& content, ParsedFrame& frame) {
  content.kind = FrameKind::typing;
  content.discriminator.add(text_in(&typing, "action"));
  content.discriminator.add(text_in(&typing, "groupId"));
  frame.ephemeral = true;
}

void describe_story(const json::object& story, Content& content) {
  content.kind = FrameKind::story;
  content.discriminator.add(text_in(&story, "groupId"));
  content.discriminator.add(std::string_view{json::serialize(story)});
}

/// When Signal's server took the message; bridges too old to say it send the same bytes again.
void add_arrival(std::string_view bytes, const ParsedFrame& frame, Content& content) {
  frame.server_received_ms ? content.discriminator.add(*frame.server_received_ms)
                           : content.discriminator.add(bytes);
}

Content describe(std::string_view bytes, const json::object& root, const json::object& envelope,
                 ParsedFrame& frame) {
  Content content;
  if (const json::object* data = object_in(&envelope, "dataMessage")) {
    describe_data(*data, content);
    content.timestamp.reset();  // equal to the envelope's, which is always there
  } else if (const json::object* edit = object_in(&envelope, "editMessage")) {
    describe_edit(*edit, content);
  } else if (const json::object* receipt = object_in(&envelope, "receiptMessage")) {
    describe_receipt(*receipt, content, frame);
  } else if (const json::object* typing = object_in(&envelope, "typingMessage")) {
    describe_typing(*typing, content, frame);
  } else if (const json::object* sync = object_in(&envelope, "syncMessage")) {
    describe_sync(*sync, content, frame);
  } else if (const json::object* call = object_in(&envelope, "callMessage")) {
    content.kind = FrameKind::call;
    content.discriminator.add(std::string_view{json::serialize(*call)});
  } else if (const json::object* story = object_in(&envelope, "storyMessage")) {
    describe_story(*story, content);
  } else if (const json::object* exception = object_in(&root, "exception")) {
    content.kind = FrameKind::exception;
    content.discriminator.add(text_in(exception, "type"));
    add_arrival(bytes, frame, content);
  } else {
    add_arrival(bytes, frame, content);
  }
  return content;
}

void name_malformed(std::string_view bytes, std::uint64_t serial, ParsedFrame& frame) {
  IdentityText text;
  text.add("malformed");
  text.add(bytes);
  text.add(std::string_view{std::to_string(serial)});
  frame.identity = text.hash();
}

/// Fills in everything; false where there is no envelope.
bool read_frame(std::string_view bytes, ParsedFrame& frame) {
  alignas(std::max_align_t) std::array<unsigned char, 16 * 1024> buffer;
  json::monotonic_resource memory{buffer.data(), buffer.size()};
  json::parse_options options;
  options.max_depth = json_depth_max;
  json::error_code ec;
  const json::value parsed = json::parse(bytes, ec, &memory, options);
  const json::object* root = ec ? nullptr : parsed.if_object();
  const json::object* envelope = object_in(root, "envelope");
  if (envelope == nullptr) return false;

  const std::string_view uuid = text_in(envelope, "sourceUuid");
  const std::string_view number = text_in(envelope, "sourceNumber");
  const std::string_view source = first_of(uuid, number, text_in(envelope, "source"));
  frame.account = text_in(root, "account");
  frame.sender = source;
  frame.sender_number = number;
  frame.server_received_ms = number_in(envelope, "serverReceivedTimestamp");
  const Content content = describe(bytes, *root, *envelope, frame);
  const auto timestamp = content.timestamp ? content.timestamp : number_in(envelope, "timestamp");
  frame.kind = content.kind;
  frame.timestamp = timestamp.value_or(0);

  IdentityText text;
  text.add(frame.account);
  text.add(source);
  text.add(number_in(envelope, "sourceDevice"));
  text.add(core::to_string(content.kind));
  if (source.empty() || !timestamp) {
    text.add("unnamed");
    text.add(frame.server_received_ms);
    text.add(bytes);
  } else {
    text.add(*timestamp);
    const core::Identity discriminator = content.discriminator.hash();
    text.add(std::string_view{reinterpret_cast<const char*>(discriminator.data()),
                              discriminator.size()});
  }
  frame.identity = text.hash();
  return true;
}

}  // namespace

ParsedFrame parse_frame(std::string_view json, std::uint64_t serial) noexcept {
  try {
    ParsedFrame frame;
    if (read_frame(json, frame)) return frame;
  } catch (const std::exception&) {
    // Out of memory, or a limit of the parser: what cannot be read is malformed.
  }
  ParsedFrame malformed;
  name_malformed(json, serial, malformed);
  return malformed;
}

FrameSerials::FrameSerials() : last_{} {
  std::random_device random;
  last_ = (std::uint64_t{random()} << 32) ^ random();
}

core::Frame make_frame(std::string bytes, std::uint64_t serial, std::int64_t received_at_ms) {
  const ParsedFrame parsed = parse_frame(bytes, serial);
  core::Frame frame;
  frame.received_at_ms = received_at_ms;
  frame.kind = parsed.kind;
  frame.identity = parsed.identity;
  frame.server_received_ms = parsed.server_received_ms;
  frame.bytes = std::make_shared<const std::string>(std::move(bytes));
  return frame;
}

}  // namespace holdfast::upstream
