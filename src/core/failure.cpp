#include <core/failure.hpp>

namespace holdfast::core {

const char* to_string(Reason reason) noexcept {
  // clang-format off
  switch (reason) {
    case Reason::started: return "started";
    case Reason::scheduled: return "scheduled";
    case Reason::hinted: return "hinted";
    case Reason::requested: return "requested";
    case Reason::answered: return "answered";
    case Reason::synchronised: return "synchronised";
    case Reason::refused: return "refused";
    case Reason::unreachable: return "unreachable";
    case Reason::timed_out: return "timed_out";
    case Reason::closed: return "closed";
    case Reason::silent: return "silent";
    case Reason::protocol: return "protocol";
    case Reason::bridge_mode: return "bridge_mode";
    case Reason::account: return "account";
    case Reason::busy: return "busy";
    case Reason::unauthorised: return "unauthorised";
    case Reason::stopped: return "stopped";
  }
  // clang-format on
  return "unknown";
}

}  // namespace holdfast::core
