#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <api/encoding.hpp>
#include <array>
#include <core/assert.hpp>
#include <memory>

namespace holdfast::api {
namespace {

constexpr std::size_t digest_bytes = 32;
using Digest = std::array<unsigned char, digest_bytes>;

Digest sha256(std::initializer_list<std::string_view> parts) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free};
  Digest digest{};
  bool done = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const std::string_view part : parts)
    done = done && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  done = done && EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  HF_ASSERT(done);
  return digest;
}

/// The six bits of a digit, or -1.
int bits_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    unsigned group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const bool padded = last && k >= 4 - padding;
      const int bits = padded ? 0 : bits_of(text[i + k]);
      if (bits < 0) return std::nullopt;
      group = (group << 6U) | static_cast<unsigned>(bits);
    }
    const std::size_t count = last ? 3 - padding : 3;
    for (std::size_t k = 0; k < count; ++k)
      bytes += static_cast<char>((group >> (16U - 8U * k)) & 0xFFU);
  }
  return bytes;
}

std::string sha256_hex(std::initializer_list<std::string_view> parts) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest_bytes);
  for (const unsigned char byte : sha256(parts)) {
    text += digits[byte >> 4U];
    text += digits[byte & 0xFU];
  }
  return text;
}

bool equal_secrets(std::string_view a, std::string_view b) {
  const Digest left = sha256({a});
  const Digest right = sha256({b});
  return CRYPTO_memcmp(left.data(), right.data(), digest_bytes) == 0;
}

}  // namespace holdfast::api
