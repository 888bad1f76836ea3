#include <algorithm>
#include <app/json_view.hpp>
#include <app/stand_in.hpp>
#include <utility>

namespace holdfast::app {

Result<std::unique_ptr<bridge_sim::BridgeSim>> serve_stand_in(
    net::asio::io_context& io, std::vector<gateway::Upstream>& upstreams,
    std::function<void(const std::string&)> on_fault) {
  bridge_sim::Options options;
  options.accounts.clear();
  for (const gateway::Upstream& upstream : upstreams) {
    if (upstream.parsed.scheme != "sim") continue;
    options.accounts.insert(options.accounts.end(), upstream.accounts.begin(),
                            upstream.accounts.end());
  }
  if (options.accounts.empty()) return std::unique_ptr<bridge_sim::BridgeSim>{};
  net::Endpoint any_port;
  any_port.host = "127.0.0.1";
  // The daemon in manual mode is what keeps messages safe; the REST bridge would lose some in each
  // outage, and the demonstration would look as if Holdfast had.
  options.jsonrpc.push_back(any_port);
  options.receive_mode = bridge_sim::ReceiveMode::manual;
  // As the real one: each message that arrives is followed by its receipt.
  options.delivery_receipts = true;
  options.script = bridge_sim::demo_script();
  options.on_event = [on_fault = std::move(on_fault)](std::string fault) {
    std::replace(fault.begin(), fault.end(), '_', ' ');
    on_fault("(stand-in) " + fault);
  };
  auto sim = bridge_sim::BridgeSim::start(io, std::move(options));
  if (!sim) return sim.error();
  for (gateway::Upstream& upstream : upstreams) {
    if (upstream.parsed.scheme != "sim") continue;
    upstream.parsed.scheme = "tcp";
    upstream.parsed.endpoint = any_port;
    upstream.parsed.endpoint.port = (*sim)->jsonrpc_port();
  }
  return sim;
}

std::int64_t lost_by(const bridge_sim::BridgeSim& stand_in) {
  const boost::json::value state{stand_in.state()};
  std::int64_t lost = 0;
  for (const JsonView& account : JsonView{&state}["accounts"].elements()) {
    lost += account.integer("lost");
  }
  return lost;
}

}  // namespace holdfast::app
