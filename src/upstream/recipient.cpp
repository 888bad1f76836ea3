#include <upstream/attachment.hpp>
#include <upstream/recipient.hpp>

namespace holdfast::upstream {

namespace {

constexpr std::string_view group_prefix = "group.";
constexpr std::size_t group_id_bytes = 32;
constexpr std::size_t username_rest_max = 10;  // what may follow "group." in a user name

}  // namespace

Result<Recipient> parse_recipient(std::string_view text) {
  if (text.empty()) return Error{Errc::invalid_argument, "Please specify at least one recipient"};
  if (!text.starts_with(group_prefix)) {
    const bool number =
        text.front() == '+' && text.find_first_not_of("0123456789 ", 1) == std::string_view::npos;
    const bool uuid = text.size() == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' &&
                      text[23] == '-' &&
                      text.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
    return Recipient{number || uuid ? Recipient::Kind::person : Recipient::Kind::username,
                     std::string{text}};
  }
  const std::string_view rest = text.substr(group_prefix.size());
  // "group.42" is a user name: base64 with its padding missing is none here.
  const auto internal = rest.size() % 4 == 0
                            ? base64_decode(rest)
                            : Result<std::string>{Error{Errc::invalid_argument, {}}};
  if (internal) {
    const auto id = base64_decode(*internal);
    if (id && id->size() == group_id_bytes) return Recipient{Recipient::Kind::group, *internal};
  }
  if (!internal && rest.size() <= username_rest_max) {
    return Recipient{Recipient::Kind::username, std::string{text}};
  }
  return Error{Errc::invalid_argument,
               "Invalid group id: it is \"group.\" and the base64 of the internal id, as "
               "/v1/groups lists it"};
}

std::string external_group_id(std::string_view internal_id) {
  return std::string{group_prefix} + base64_encode(internal_id);
}

}  // namespace holdfast::upstream
