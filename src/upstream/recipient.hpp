/// Whom a send goes to, told apart as signal-cli-rest-api does it.
#pragma once

#include <holdfast/result.hpp>
#include <string>
#include <string_view>

namespace holdfast::upstream {

struct Recipient {
  enum class Kind {
    person,  ///< a number or an ACI
    username,
    group,
  };
  Kind kind = Kind::person;
  std::string value;  ///< `group`: the internal id, base64 of 32 bytes; else as given
};

/// "+N", an ACI, a user name, or "group." and the base64 of an internal group id.
/// `invalid_argument` where it begins like a group id and is none.
[[nodiscard]] Result<Recipient> parse_recipient(std::string_view text);

/// The id that callers know a group by: "group." and the base64 of the internal id.
[[nodiscard]] std::string external_group_id(std::string_view internal_id);

}  // namespace holdfast::upstream
