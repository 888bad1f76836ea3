#include "scenario.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace holdfast::scenarios {
namespace {

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  std::ifstream file{path};
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// The scenario with its `<` lines as they come out now.
std::vector<std::string> play(const std::vector<std::string>& script) {
  World world;
  std::vector<std::string> played;
  for (const std::string& line : script) {
    if (line.starts_with("<")) continue;
    played.push_back(line);
    if (!line.starts_with("> ")) continue;
    for (const std::string& said : world.input(line.substr(2))) played.push_back("<   " + said);
  }
  return played;
}

std::vector<std::filesystem::path> scenario_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{HOLDFAST_SCENARIOS})
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

class Scenario : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, GoesAsItIsWritten) {
  const std::vector<std::string> written = read_lines(GetParam());
  const std::vector<std::string> played = play(written);
  if (std::getenv("HOLDFAST_REWRITE") != nullptr) {
    std::ofstream file{GetParam()};
    for (const std::string& line : played) file << line << '\n';
  }
  EXPECT_EQ(played, written);
  EXPECT_EQ(played, play(written)) << "the same inputs must give the same outputs";
}

INSTANTIATE_TEST_SUITE_P(All, Scenario, testing::ValuesIn(scenario_files()), [](const auto& file) {
  std::string name = file.param.stem().string();
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace holdfast::scenarios
