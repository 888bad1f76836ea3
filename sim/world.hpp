/// One simulated world: the shipped core, a memory store, a bridge, bots and callers, in virtual
/// time. One seed decides everything; the same seed gives the same trace, byte for byte.
#pragma once

#include <core/gateway.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::sim {

struct Options {
  std::uint64_t seed = 1;
  core::Duration faulty_for{600'000};  ///< virtual; then the faults end and everything must settle
  bool keep_trace = false;             ///< else only its hash
};

/// What came of a run.
struct Report {
  std::uint64_t seed = 0;
  std::uint64_t trace_hash = 0;
  std::uint64_t events = 0;
  std::uint64_t frames = 0;  ///< durable
  std::uint64_t sends = 0;   ///< accepted
  std::uint64_t faults = 0;
  std::vector<std::string> findings{};
  std::vector<std::string> trace{};
};

[[nodiscard]] Report run(const Options& options);

}  // namespace holdfast::sim
