/// Time in the public interface: passed in by the caller, never read from a clock.
#pragma once

#include <chrono>

namespace holdfast {

using Duration = std::chrono::milliseconds;
/// An instant of the steady clock, in milliseconds.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

}  // namespace holdfast
