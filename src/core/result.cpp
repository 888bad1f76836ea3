#include <holdfast/result.hpp>

namespace holdfast {

const char* to_string(Errc code) noexcept {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::too_large:
      return "too_large";
    case Errc::queue_full:
      return "queue_full";
    case Errc::store_full:
      return "store_full";
    case Errc::store_read_only:
      return "store_read_only";
    case Errc::store_corrupt:
      return "store_corrupt";
    case Errc::store_busy:
      return "store_busy";
    case Errc::store_too_new:
      return "store_too_new";
    case Errc::store_failed:
      return "store_failed";
    case Errc::refused:
      return "refused";
    case Errc::timed_out:
      return "timed_out";
    case Errc::closed:
      return "closed";
    case Errc::protocol:
      return "protocol";
    case Errc::unresolved:
      return "unresolved";
    case Errc::cancelled:
      return "cancelled";
    case Errc::unavailable:
      return "unavailable";
    case Errc::unsupported:
      return "unsupported";
  }
  return "unknown";
}

}  // namespace holdfast
