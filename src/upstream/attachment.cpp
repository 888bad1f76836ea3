#include <algorithm>
#include <array>
#include <cstdint>
#include <upstream/attachment.hpp>

namespace holdfast::upstream {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> values = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}();

bool is_base64_digit(char c) { return values[static_cast<unsigned char>(c)] >= 0; }

/// The digits of `text` without line breaks and padding; false if there is anything else.
bool take_digits(std::string_view text, std::string& digits) {
  digits.reserve(text.size());
  for (const char c : text) {
    if (is_base64_digit(c)) {
      digits += c;
    } else if (c != '\n' && c != '\r') {
      return false;
    }
  }
  return digits.size() % 4 != 1;
}

/// Splits trailing "=" off, at most two of them.
std::string_view without_padding(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return text;
}

Error not_base64() { return Error{Errc::invalid_argument, "an attachment is not valid base64"}; }

/// signal-cli decodes the parameter like a form field.
std::string encode_filename(std::string_view name) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    if (plain) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += hex[byte >> 4u];
      encoded += hex[byte & 0x0fu];
    }
  }
  return encoded;
}

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  std::string_view type;
};

using namespace std::string_view_literals;
// clang-format off
constexpr std::array magics{
    Magic{0, "\x89PNG\r\n\x1a\n"sv,     "image/png"},
    Magic{0, "\xff\xd8\xff"sv,          "image/jpeg"},
    Magic{0, "GIF87a"sv,                "image/gif"},
    Magic{0, "GIF89a"sv,                "image/gif"},
    Magic{8, "WEBP"sv,                  "image/webp"},
    Magic{0, "BM"sv,                    "image/bmp"},
    Magic{4, "ftypavif"sv,              "image/avif"},
    Magic{4, "ftypheic"sv,              "image/heic"},
    Magic{4, "ftypM4A"sv,               "audio/mp4"},
    Magic{4, "ftypqt"sv,                "video/quicktime"},
    Magic{4, "ftyp"sv,                  "video/mp4"},
    Magic{0, "\x1a\x45\xdf\xa3"sv,      "video/webm"},
    Magic{8, "AVI "sv,                  "video/x-msvideo"},
    Magic{8, "WAVE"sv,                  "audio/wav"},
    Magic{0, "OggS"sv,                  "audio/ogg"},
    Magic{0, "fLaC"sv,                  "audio/flac"},
    Magic{0, "ID3"sv,                   "audio/mpeg"},
    Magic{0, "\xff\xfb"sv,              "audio/mpeg"},
    Magic{0, "\xff\xf1"sv,              "audio/aac"},
    Magic{0, "%PDF-"sv,                 "application/pdf"},
    Magic{0, "PK\x03\x04"sv,            "application/zip"},
    Magic{0, "\x1f\x8b"sv,              "application/gzip"},
};
// clang-format on

bool reads_as_text(std::string_view bytes) {
  return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

/// The parts of what a caller gave; the views lead into it.
struct GivenAttachment {
  std::string_view type;
  std::string_view filename;
  std::string_view data;
};

GivenAttachment split(std::string_view attachment) {
  GivenAttachment given;
  given.data = attachment;
  constexpr std::string_view mark = "base64,";
  // Neither ";" nor "," belongs to base64: the mark is near the beginning or not there.
  const std::size_t at = attachment.find(mark);
  if (!attachment.starts_with("data:") || at == std::string_view::npos) return given;
  given.data = attachment.substr(at + mark.size());
  std::string_view head = attachment.substr(5, at - 5);
  for (bool first = true; !head.empty(); first = false) {
    const std::size_t end = head.find(';');
    const std::string_view item = head.substr(0, end);
    if (item.starts_with("filename=")) {
      given.filename = item.substr(9);
    } else if (first && item.find('/') != std::string_view::npos) {
      given.type = item;
    }
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 1);
  }
  return given;
}

}  // namespace

Result<std::string> to_data_uri(std::string_view attachment) {
  const GivenAttachment given = split(attachment);
  std::string digits;
  if (!take_digits(without_padding(given.data), digits)) return not_base64();
  if (digits.empty()) return Error{Errc::invalid_argument, "an attachment has no data"};

  std::string_view type = given.type;
  std::string beginning;
  if (type.empty()) {
    constexpr std::size_t digits_for_type = 64 * 4;
    const auto decoded = base64_decode(std::string_view{digits}.substr(0, digits_for_type));
    if (decoded) beginning = *decoded;
    type = media_type(beginning);
  }
  std::string uri = "data:" + std::string{type};
  if (!given.filename.empty()) uri += ";filename=" + encode_filename(given.filename);
  uri += ";base64,";
  uri.reserve(uri.size() + digits.size() + 2);
  uri += digits;
  uri.append((4 - digits.size() % 4) % 4, '=');
  return uri;
}

std::string_view media_type(std::string_view beginning) {
  for (const Magic& magic : magics) {
    if (beginning.size() >= magic.offset &&
        beginning.substr(magic.offset).starts_with(magic.bytes)) {
      return magic.type;
    }
  }
  return reads_as_text(beginning) ? "text/plain" : "application/octet-stream";
}

Result<std::string> base64_decode(std::string_view text) {
  std::string digits;
  if (!take_digits(without_padding(text), digits)) return not_base64();
  std::string bytes;
  bytes.reserve(digits.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : digits) {
    bits = (bits << 6u) | static_cast<std::uint32_t>(values[static_cast<unsigned char>(c)]);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>((bits >> held) & 0xffu);
    }
  }
  return bytes;
}

std::string base64_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = (bits << 8u) | (k < given ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= given ? alphabet[(bits >> (18u - 6u * k)) & 0x3fu] : '=';
    }
  }
  return text;
}

}  // namespace holdfast::upstream
