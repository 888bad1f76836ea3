/// `HF_ASSERT`: what only a bug can make false. On in release: a wrong state must not reach the
/// disk.
#pragma once

namespace holdfast::core {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
}

#define HF_ASSERT(expression) \
  ((expression) ? void() : ::holdfast::core::assertion_failed(#expression, __FILE__, __LINE__))
