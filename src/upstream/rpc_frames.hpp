/// What a daemon's notifications and answers say. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::upstream {

/// The frame inside the `params` of a `receive` notification, as the bytes that came:
///
///     {"subscription":0,"result":{"envelope":…,"account":…}}     of a subscription
///     {"envelope":…,"account":…}                                 of a daemon that streams by
///     itself
///     {"envelope":…,"account":…,"subscription":0}                signal-cli 0.11.0 to 0.11.3
///
/// Anything else is returned whole: it will be a malformed frame.
[[nodiscard]] std::string_view frame_in(std::string_view params) noexcept;

/// Whether the frame is for `account`; one that names no account is for everybody.
[[nodiscard]] bool is_for(std::string_view frame, std::string_view account) noexcept;

/// The code of an error object; 0 where it has none.
[[nodiscard]] std::int64_t error_code_of(std::string_view error) noexcept;

/// The version in the answer to `version`; "" where it says none.
[[nodiscard]] std::string version_in(std::string_view result);

/// What is odd about the answer to `listAccounts`; "" where the account is in it.
[[nodiscard]] std::string listed_note(std::string_view result, std::string_view account);

}  // namespace holdfast::upstream
