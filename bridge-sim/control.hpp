/// The control port: HTTP calls that put messages in, show what went out and cause faults.
#pragma once

#include <bridge_sim/bridge_sim.hpp>
#include <memory>
#include <net/http.hpp>

namespace holdfast::bridge_sim {

[[nodiscard]] net::Task<std::optional<net::HttpResponse>> serve_control(BridgeSim* sim,
                                                                        net::Exchange& exchange);

}  // namespace holdfast::bridge_sim
