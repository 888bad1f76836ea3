/// signal-cli's commands: how each reads its parameters and what it answers.
#pragma once

#include <bridge_sim/daemon.hpp>

namespace holdfast::bridge_sim {

/// What a send-like command is about to send.
struct Transmission {
  std::string operation;                ///< the method
  std::vector<std::string> recipients;  ///< numbers, ACIs, user names
  std::vector<const Group*> groups;
  std::string message;
  std::int64_t timestamp = 0;
  json::object params;  ///< without attachments
};

[[nodiscard]] CallAnswer result_answer(json::value result);
[[nodiscard]] CallAnswer error_answer(int code, std::string message, json::value data = nullptr);
[[nodiscard]] CallAnswer no_answer();

/// `name` in every spelling that signal-cli takes: camelCase, with hyphens, plural.
[[nodiscard]] const json::value* parameter(const json::object& params, std::string_view name);

/// version, listAccounts and methods that do not exist.
[[nodiscard]] std::optional<CallAnswer> answer_without_account(const Daemon& daemon,
                                                               const std::string& method,
                                                               const json::object& params);
/// Sets `account`, or answers why there is none.
[[nodiscard]] std::optional<CallAnswer> find_account(World& world, const json::object& params,
                                                     Account*& account);
/// Commands that send nothing.
[[nodiscard]] std::optional<CallAnswer> answer_query(Daemon& daemon, const std::string& method,
                                                     Account& account, const json::object& params);
/// Reads the parameters of a send-like command, or answers what is wrong with them.
[[nodiscard]] std::optional<CallAnswer> check_transmission(const World& world,
                                                           const std::string& method,
                                                           const Account& account,
                                                           const json::object& params,
                                                           Transmission& transmission);
void record_transmission(Daemon& daemon, Account& account, const Transmission& transmission,
                         const std::optional<SendPlan>& plan);
[[nodiscard]] CallAnswer answer_transmission(const World& world, const Transmission& transmission,
                                             const std::optional<SendPlan>& plan);

}  // namespace holdfast::bridge_sim
