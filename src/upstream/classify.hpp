/// What a bridge's answer to a send proves. Pure functions over what came on the wire: the rules of
/// `SendOutcome` are decided here and nowhere else.
///
/// Four rules stand above the tables in classify.cpp:
///
/// - SUCCESS for anybody is `sent`: one send has one id, and a repeat would reach them twice.
/// - `not_sent` and `failed` need proof that nothing left; where there is none it is `ambiguous`.
/// - `failed` is said only where a repeat would fail the same way.
/// - A group is many messages under one call: a rate limit without any SUCCESS, and any error of
///   unknown origin, may have come after the first of them. Both are `ambiguous` for a group. The
///   limit's time, scope and token are filled in all the same.
///
/// `why` is the bridge's own words where it gave some; they can name the recipient. They are for
/// the caller; logs mask them (`without_identities()`).
#pragma once

#include <core/outcome.hpp>
#include <core/records.hpp>
#include <holdfast/result.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::upstream {

/// What the answer is about.
struct Sending {
  core::Operation operation = core::Operation::send;
  bool is_group = false;
};
[[nodiscard]] Sending sending_of(const core::Entry& entry);

/// An answer of signal-cli-rest-api (or of a proxy before it).
struct RestAnswer {
  int status = 0;
  std::string_view body;
  std::optional<core::Duration> retry_after;  ///< the header, where there was one
};
[[nodiscard]] core::SendOutcome classify_rest(const RestAnswer& answer, const Sending& sending);

/// The `result` of a JSON-RPC answer, as JSON.
[[nodiscard]] core::SendOutcome classify_rpc_result(std::string_view result,
                                                    const Sending& sending);
/// The `error` of a JSON-RPC answer, as JSON.
[[nodiscard]] core::SendOutcome classify_rpc_error(std::string_view error, const Sending& sending);

// Outcomes without an answer.
[[nodiscard]] core::SendOutcome not_sent(std::string why);
[[nodiscard]] core::SendOutcome ambiguous(std::string why);
/// `status`: 4xx, for the caller.
[[nodiscard]] core::SendOutcome failed(int status, std::string why);
/// A call that could not be made from what the caller gave: 413 for `too_large`, else 400.
[[nodiscard]] core::SendOutcome refused_call(const Error& error);

}  // namespace holdfast::upstream
