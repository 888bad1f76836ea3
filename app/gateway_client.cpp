#include <fmt/format.h>

#include <app/exit_codes.hpp>
#include <app/gateway_client.hpp>
#include <app/json_view.hpp>
#include <app/output.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>

namespace holdfast::app {
namespace {

constexpr std::chrono::seconds answer_within{30};

net::Task<> ask(net::HttpClient& client, net::HttpRequest request,
                std::chrono::milliseconds timeout, net::HttpFailure& failure,
                std::optional<Result<net::HttpResponse>>& result) {
  auto calling = client.call(std::move(request), timeout, &failure);
  result = co_await std::move(calling);
}

}  // namespace

std::string shown_url(const net::Url& url) { return url.scheme + "://" + url.endpoint.to_string(); }

std::string target_of(const Access& access, const std::string& path) {
  return access.url.path + path;
}

Trouble trouble_of(const Access& access, const Error& error) {
  const std::string where = shown_url(access.url);
  if (error.code == Errc::refused) {
    return {
        exit_unreachable,
        fmt::format("nothing listens at {}; start the gateway with \"holdfast run\", or say where "
                    "it is with --url",
                    where)};
  }
  return {exit_unreachable,
          fmt::format("the gateway at {} does not answer: {}", where, harmless(error.message))};
}

Trouble refusal_of(int status, std::string_view body) {
  if (status == 401) {
    return {exit_refused, "the gateway wants a token; set HOLDFAST_TOKEN or give --token"};
  }
  const JsonDocument document{body};
  const std::string words = document.root().text("error");
  if (words.empty()) {
    return {exit_unreachable,
            fmt::format("what answers there is no Holdfast (it answered HTTP {}); say where the "
                        "gateway is with --url",
                        status)};
  }
  return {exit_refused, fmt::format("refused with {}: {}", status, harmless(words))};
}

Reply call_gateway(const Access& access, net::HttpRequest request,
                   std::chrono::milliseconds timeout) {
  if (!access.token.empty()) {
    request.headers.emplace_back("Authorization", "Bearer " + access.token);
  }
  net::asio::io_context io;
  net::HttpClient client{access.url.endpoint};
  net::HttpFailure failure{};
  std::optional<Result<net::HttpResponse>> result;
  net::asio::co_spawn(io, ask(client, std::move(request), timeout, failure, result),
                      net::asio::detached);
  while (!result && io.run_one() > 0) {
  }
  client.close();
  io.run();
  if (!result) return Trouble{exit_internal, "the call ended without an answer"};
  if (!*result) {
    Trouble trouble = trouble_of(access, result->error());
    trouble.unanswered = failure.progress == net::RequestProgress::written;
    return trouble;
  }
  net::HttpResponse& response = **result;
  if (response.status < 200 || response.status > 299) {
    return refusal_of(response.status, response.body);
  }
  return std::move(response);
}

Reply get_from_gateway(const Access& access, const std::string& path) {
  net::HttpRequest request;
  request.target = target_of(access, path);
  return call_gateway(access, std::move(request), answer_within);
}

}  // namespace holdfast::app
