/// Scenario files: a story of inputs (`>`) and of what the gateway then wants (`<`), in virtual
/// time, readable without knowing C++. `HOLDFAST_REWRITE=1` writes the `<` lines anew; the diff is
/// then reviewed.
#pragma once

#include <core/gateway.hpp>
#include <memory>
#include <store/memory_store.hpp>
#include <string>
#include <vector>

namespace holdfast::scenarios {

/// The shipped core over a memory store, driven by the lines of a scenario.
class World {
 public:
  World();
  ~World();
  /// Carries out one input line (without `> `) and returns what came of it, a line each.
  std::vector<std::string> input(const std::string& line);

 private:
  void begin();
  void advance(core::Duration by);
  void settle();
  void show(const core::Effect& effect);
  void say(std::string line) { said_.push_back(std::move(line)); }

  core::GatewayOptions options_;
  std::unique_ptr<store::MemoryStore> store_ = std::make_unique<store::MemoryStore>(0x5eed);
  std::unique_ptr<core::Gateway> gateway_;
  core::Now now_{core::TimePoint{core::Duration{1'000'000}}, 1'700'000'000'000};
  bool disk_on_ = true;
  core::Generation generation_ = 0;
  core::SubmissionId submissions_ = 0;
  std::map<std::string, core::ClientId> clients_;
  core::ClientId last_client_ = 0;
  std::vector<std::string> said_;
};

}  // namespace holdfast::scenarios
