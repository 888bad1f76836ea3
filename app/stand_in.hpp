/// The bridge behind `sim:`: bridge-sim in this process, as a signal-cli daemon in manual mode on a
/// loopback port, failing by its script.
#pragma once

#include <bridge_sim/bridge_sim.hpp>
#include <functional>
#include <gateway/config.hpp>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::app {

/// Starts it for the upstreams that are `sim:` and leads them to it; null where none is.
/// `on_fault` is told, in one sentence, of everything that the stand-in does wrong on purpose.
[[nodiscard]] Result<std::unique_ptr<bridge_sim::BridgeSim>> serve_stand_in(
    net::asio::io_context& io, std::vector<gateway::Upstream>& upstreams,
    std::function<void(const std::string&)> on_fault);

/// Messages that the stand-in acknowledged to its pretended Signal service with nobody there to
/// take them: lost before they could reach Holdfast.
[[nodiscard]] std::int64_t lost_by(const bridge_sim::BridgeSim& stand_in);

}  // namespace holdfast::app
