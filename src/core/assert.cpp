#include <core/assert.hpp>
#include <cstdio>
#include <cstdlib>

namespace holdfast::core {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "holdfast: a bug: %s is false (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace holdfast::core
