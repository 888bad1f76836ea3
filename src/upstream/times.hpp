/// How long a bridge waits for what. The sentences of evidence name the normative values.
#pragma once

#include <chrono>

namespace holdfast::upstream {

struct BridgeTimes {
  std::chrono::milliseconds answer_within{10'000};   ///< connecting and answering together
  std::chrono::milliseconds send_within{120'000};    ///< a send; longer is ambiguous
  std::chrono::milliseconds forward_within{60'000};  ///< any other call of a caller
  std::chrono::milliseconds silence_max{8'500};      ///< of the sending connection, until asked
  std::chrono::milliseconds quiet_min{4'000};        ///< of the same, for a nudge to ask
};

}  // namespace holdfast::upstream
