#include <boost/json/parse.hpp>
#include <bridge_sim/control.hpp>
#include <bridge_sim/values.hpp>

namespace holdfast::bridge_sim {
namespace {

net::HttpResponse answer(const Result<json::object>& result) {
  if (result) return rest_json(200, *result);
  const Error& error = result.error();
  return rest_json(error.code == Errc::not_found ? 404 : 400,
                   json::object{{"error", error.message}, {"code", to_string(error.code)}});
}

}  // namespace

net::Task<std::optional<net::HttpResponse>> serve_control(BridgeSim* sim, net::Exchange& exchange) {
  const net::HttpRequest& request = exchange.request();
  const std::string call = request.method + " " + request.path();
  if (call == "GET /state") co_return rest_json(200, sim->state());
  if (call == "GET /sent") {
    const auto after = number_of(json::value(request.query("after"))).value_or(0);
    co_return rest_json(200, sim->sent(static_cast<std::uint64_t>(after)));
  }
  if (call == "DELETE /sent") {
    sim->forget_sent();
    co_return rest_json(200, json::object{{"ok", true}});
  }
  if (call != "POST /inject" && call != "POST /fault") {
    co_return rest_failure("there is GET /state, GET and DELETE /sent, POST /inject, POST /fault",
                           404);
  }
  boost::json::error_code ec;
  const json::value body = json::parse(request.body, ec);
  if (ec || !body.is_object()) co_return rest_failure("the body is no JSON object");
  if (call == "POST /inject") co_return answer(sim->inject(body.get_object()));
  co_return answer(sim->fault(body.get_object()));
}

}  // namespace holdfast::bridge_sim
