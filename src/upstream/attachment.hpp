/// Attachments as callers give them (base64, or a data URI) and as signal-cli takes them.
#pragma once

#include <holdfast/result.hpp>
#include <string>
#include <string_view>

namespace holdfast::upstream {

/// signal-cli's data URI, `data:<type>;filename=<name>;base64,<data>`, from one of
///
///     <base64>    data:<type>;base64,<base64>    data:<type>;filename=<name>;base64,<base64>
///
/// A missing type is told from the first bytes, as signal-cli-rest-api does. Line breaks inside the
/// base64 are dropped; anything else that is no base64 is `invalid_argument`, since signal-cli
/// would answer it with an error that leaves open whether something was sent.
[[nodiscard]] Result<std::string> to_data_uri(std::string_view attachment);

/// The type of a file that begins so: the common images, sounds, films and documents, else
/// "application/octet-stream", or "text/plain" where it reads as text.
[[nodiscard]] std::string_view media_type(std::string_view beginning);

/// Standard alphabet; padding may be missing. Nothing for what is no base64.
[[nodiscard]] Result<std::string> base64_decode(std::string_view text);
[[nodiscard]] std::string base64_encode(std::string_view bytes);

}  // namespace holdfast::upstream
