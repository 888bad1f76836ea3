/// What a caller is told about a send: the answer of the outbox as HTTP. Pure.
#pragma once

#include <core/effects.hpp>
#include <core/records.hpp>
#include <net/http.hpp>
#include <vector>

namespace holdfast::api {

/// How the bridge answers when the call has worked.
enum class Success {
  timestamp,  ///< 201 `{"timestamp":"…"}`
  empty,      ///< 204
};

struct AnswerForm {
  Success success = Success::timestamp;
  bool async = false;       ///< the caller prefers 202 where it is not sent yet
  std::uint64_t epoch = 0;  ///< of the store, for ids
};

/// The answer to an accepted send, by what its parts are now: 201 (or 204) with the real timestamp
/// of the first part that was sent; with the provisional one, an id and a state while parts wait
/// (202 for `async`); the bridge's 4xx where every part has failed. `status`: that 4xx, if known.
[[nodiscard]] net::HttpResponse answer_accepted(const AnswerForm& form,
                                                const std::vector<core::Entry>& parts,
                                                int status = 0);

/// The answer to a send of which nothing was accepted.
[[nodiscard]] net::HttpResponse answer_refused(const Error& error);

}  // namespace holdfast::api
