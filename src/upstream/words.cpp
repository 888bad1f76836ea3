#include <time.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <charconv>
#include <cstdint>
#include <upstream/json_span.hpp>
#include <upstream/words.hpp>

namespace holdfast::upstream {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_space_or_control(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }
bool continues_utf8(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

/// The length of the UUID that begins at `text`, else 0.
std::size_t uuid_length(std::string_view text) {
  constexpr std::string_view shape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  if (text.size() < shape.size()) return 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == '-' ? text[i] != '-' : !is_hex(text[i])) return 0;
  }
  return shape.size();
}

/// The length of the telephone number that begins at `text`, else 0.
std::size_t number_length(std::string_view text) {
  constexpr std::size_t digits_min = 6;
  if (text.empty() || text.front() != '+') return 0;
  std::size_t length = 1;
  while (length < text.size() && is_digit(text[length])) ++length;
  return length > digits_min ? length : 0;
}

std::optional<std::chrono::system_clock::time_point> parse_http_date(const std::string& text) {
  // RFC 9110 section 5.6.7: the preferred form, RFC 850's and asctime's.
  constexpr std::array formats{"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                               "%a %b %d %H:%M:%S %Y"};
  for (const char* format : formats) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') {
      return std::chrono::system_clock::from_time_t(::timegm(&parts));
    }
  }
  return std::nullopt;
}

bool says(const Error& error, std::string_view words) {
  return error.message.find(words) != std::string::npos;
}

core::Reason reason_of(const Error& error) {
  if (error.code == Errc::protocol && says(error, "TLS")) return core::Reason::unauthorised;
  switch (error.code) {
    case Errc::refused:
      return core::Reason::refused;
    case Errc::timed_out:
      return core::Reason::timed_out;
    case Errc::unresolved:
    case Errc::unavailable:
      return core::Reason::unreachable;
    case Errc::protocol:
    case Errc::too_large:
      return core::Reason::protocol;
    case Errc::cancelled:
      return core::Reason::stopped;
    default:
      return core::Reason::closed;
  }
}

}  // namespace

std::string one_line(std::string_view text, std::size_t bytes_max) {
  std::string line;
  line.reserve(std::min(text.size(), bytes_max));
  for (const char c : text) {
    if (is_space_or_control(c)) {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else {
      line += c;
    }
    if (line.size() > bytes_max) break;
  }
  if (line.size() > bytes_max) {
    std::size_t cut = bytes_max;
    while (cut > 0 && continues_utf8(line[cut])) --cut;
    line.resize(cut);
    line += "…";
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string without_identities(std::string_view text) {
  std::string kept;
  kept.reserve(text.size());
  while (!text.empty()) {
    if (const std::size_t number = number_length(text); number != 0) {
      kept += "+…";
      text.remove_prefix(number);
    } else if (const std::size_t uuid = uuid_length(text); uuid != 0) {
      kept += "…";
      text.remove_prefix(uuid);
    } else {
      kept += text.front();
      text.remove_prefix(1);
    }
  }
  return kept;
}

std::string bridge_words(std::string_view body) {
  std::string words{body};
  if (const auto error = find_span(body, {"error"})) {
    boost::json::error_code ec;
    const boost::json::value value = boost::json::parse(*error, ec);
    if (!ec && value.is_string()) words = std::string{std::string_view{value.get_string()}};
  }
  return without_identities(one_line(words));
}

std::string peer_name(const net::Endpoint& endpoint) {
  return endpoint.kind == net::Endpoint::Kind::unix_socket ? endpoint.host : endpoint.to_string();
}

core::Failure failure_of(const Error& error, const net::Endpoint& endpoint,
                         std::string_view asked) {
  const std::string peer = peer_name(endpoint);
  core::Failure failure;
  failure.reason = reason_of(error);
  switch (failure.reason) {
    case core::Reason::refused:
      failure.evidence = says(error, "no such file")       ? peer + " does not exist"
                         : says(error, "ermission denied") ? "no permission to use " + peer
                                                           : peer + " refused the connection";
      break;
    case core::Reason::timed_out:
      failure.evidence = asked.empty() ? "no connection to " + peer + " within 10 s"
                                       : "no answer to " + std::string{asked} + " within 10 s";
      break;
    case core::Reason::closed:
      failure.evidence = peer + " closed the connection";
      if (!asked.empty()) failure.evidence += " instead of answering " + std::string{asked};
      break;
    case core::Reason::stopped:
      failure.evidence = "Holdfast is stopping";
      break;
    default:
      failure.evidence = without_identities(one_line(error.message));
  }
  return failure;
}

std::optional<core::Duration> parse_retry_after(std::string_view value,
                                                std::chrono::system_clock::time_point now) {
  constexpr std::chrono::seconds longest = std::chrono::hours{24 * 30};
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
  if (value.empty() || value.size() > 64) return std::nullopt;

  if (std::all_of(value.begin(), value.end(), is_digit)) {
    std::int64_t seconds = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (ec != std::errc{}) return longest;
    if (seconds == 0) return std::nullopt;
    return std::min(std::chrono::seconds{seconds}, longest);
  }
  const auto date = parse_http_date(std::string{value});
  if (!date || *date <= now) return std::nullopt;
  const auto wait = std::chrono::ceil<std::chrono::seconds>(*date - now);
  return std::min(wait, longest);
}

}  // namespace holdfast::upstream
