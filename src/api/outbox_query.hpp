/// The query of `/holdfast/v1/outbox`. Pure.
#pragma once

#include <holdfast/result.hpp>
#include <store/store.hpp>
#include <string>

namespace holdfast::api {

/// As it stands in the URL, decoded; empty: not given.
struct OutboxQueryText {
  std::string state{};    ///< a state's name
  std::string account{};  ///< one of ours; not checked here
  std::string before{};   ///< an entry's id: what is older
  std::string limit{};    ///< 1 to 1,000
};

[[nodiscard]] Result<store::EntryQuery> read_outbox_query(std::uint64_t epoch,
                                                          const OutboxQueryText& text);

}  // namespace holdfast::api
