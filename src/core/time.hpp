/// Time as `core/` sees it: given at the door with every event, never asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace holdfast::core {

using Duration = std::chrono::milliseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// One instant on both clocks. The steady one decides; the wall clock is for what people see and
/// for ages that must survive a restart.
struct Now {
  TimePoint steady{};
  std::int64_t wall_ms = 0;  ///< Unix time, milliseconds
};

/// The random engine that every random decision draws from; seeded by the driver or the simulator.
using Rng = std::mt19937_64;

}  // namespace holdfast::core
