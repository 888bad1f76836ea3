#include <fmt/format.h>

#include <app/commands.hpp>
#include <app/exit_codes.hpp>
#include <app/output.hpp>
#include <boost/json.hpp>
#include <store/sqlite_store.hpp>

namespace holdfast::app {
namespace {

boost::json::object report_json(const store::AuditReport& report) {
  boost::json::array inbound;
  for (const auto& account : report.inbound) {
    inbound.push_back(boost::json::object{{"account", account.account},
                                          {"received", account.received},
                                          {"stored", account.stored},
                                          {"duplicate", account.duplicate},
                                          {"ephemeral", account.ephemeral},
                                          {"trimmed", account.trimmed},
                                          {"first_seq", account.first_seq},
                                          {"last_seq", account.last_seq}});
  }
  boost::json::object entries;
  for (const auto& [state, count] : report.entries) entries[core::to_string(state)] = count;
  boost::json::array problems;
  for (const std::string& problem : report.problems) problems.emplace_back(problem);
  return boost::json::object{{"conserved", report.problems.empty()},
                             {"inbound", std::move(inbound)},
                             {"accepted", report.accepted},
                             {"entries", std::move(entries)},
                             {"problems", std::move(problems)}};
}

std::string report_text(const store::AuditReport& report) {
  std::string text;
  for (const auto& account : report.inbound) {
    text +=
        fmt::format("{}: received {} = stored {} + duplicate {} + ephemeral {}", account.account,
                    account.received, account.stored, account.duplicate, account.ephemeral);
    if (account.last_seq >= account.first_seq) {
      text += fmt::format("; kept from {} to {}", account.first_seq, account.last_seq);
    }
    if (account.trimmed > 0) text += fmt::format(", {} ended by age or space", account.trimmed);
    text += "\n";
  }
  std::uint64_t pending = 0;
  std::uint64_t by_state[8] = {};
  for (const auto& [state, count] : report.entries) {
    by_state[static_cast<std::size_t>(state)] += count;
    if (!core::is_terminal(state)) pending += count;
  }
  const auto in = [&by_state](core::EntryState state) {
    return by_state[static_cast<std::size_t>(state)];
  };
  text += fmt::format(
      "outbox: accepted {} = sent {} + failed {} + expired {} + cancelled {} + pending {}\n",
      report.accepted, in(core::EntryState::sent), in(core::EntryState::failed),
      in(core::EntryState::expired), in(core::EntryState::cancelled), pending);
  for (const std::string& problem : report.problems) text += "PROBLEM: " + problem + "\n";
  text += report.problems.empty()
              ? "conserved: nothing is missing\n"
              : counted(static_cast<std::int64_t>(report.problems.size()), "problem") + " found\n";
  return text;
}

}  // namespace

int audit(const AuditCommand& command) {
  std::filesystem::path data_dir;
  if (command.data_dir) {
    data_dir = *command.data_dir;
  } else {
    auto usual = default_data_dir(Environment::of_process());
    if (!usual) return fail(exit_usage, usual.error().message);
    data_dir = std::move(*usual);
  }
  const auto report = store::audit(data_dir);
  if (!report) return fail(exit_store, report.error().message);
  const std::string text = command.json ? boost::json::serialize(report_json(*report)) + "\n"
                                        : data_dir.string() + "\n" + report_text(*report);
  if (!print(text)) return exit_internal;
  return report->problems.empty() ? exit_ok : exit_finding;
}

}  // namespace holdfast::app
