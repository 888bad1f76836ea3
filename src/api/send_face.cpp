#include <api/context.hpp>
#include <api/replies.hpp>
#include <api/send_answer.hpp>
#include <api/send_request.hpp>
#include <core/assert.hpp>

namespace holdfast::api {
namespace {

/// Reads the call out of a request, whose body moves into it.
Result<SendCall> read_call(net::HttpRequest& request, Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::send_v2:
      return read_send_v2(std::move(request.body));
    case Endpoint::send_v1:
      return read_send_v1(request.body);
    case Endpoint::receipts:
      return read_operation(core::Operation::receipt, std::move(request.body));
    case Endpoint::remote_delete:
      return read_operation(core::Operation::remote_delete, std::move(request.body));
    default:
      break;
  }
  HF_ASSERT(endpoint == Endpoint::reactions);
  const bool removes = request.method == "DELETE";
  return read_operation(removes ? core::Operation::remove_reaction : core::Operation::reaction,
                        std::move(request.body));
}

Success success_of(Endpoint endpoint) {
  return endpoint == Endpoint::reactions || endpoint == Endpoint::receipts ? Success::empty
                                                                           : Success::timestamp;
}

/// What has become of a send that this call only repeats.
net::Task<net::HttpResponse> answer_known(gateway::Daemon& daemon, AnswerForm form,
                                          core::Seq first_seq) {
  auto reading = daemon.read_send(first_seq);
  const auto details = co_await std::move(reading);
  if (!details || details->empty()) {
    Error error{Errc::unavailable,
                "this Idempotency-Key is known, but its send cannot be read now"};
    if (!details) error.message += ": " + details.error().message;
    co_return answer_refused(error);
  }
  std::vector<core::Entry> parts;
  for (const store::EntryDetail& detail : *details) parts.push_back(detail.entry);
  co_return answer_accepted(form, parts);
}

}  // namespace

Handled handle_send(ContextPtr context, net::Exchange& exchange, Endpoint endpoint,
                    std::string account) {
  gateway::Daemon& daemon = *context->daemon;
  net::HttpRequest& request = exchange.request();
  auto key = read_idempotency_key(request);
  if (!key) co_return error_response(key.error());
  const bool async = prefers_async(request);
  auto call = read_call(request, endpoint);
  if (!call) co_return error_response(call.error());
  if (call->account.empty()) call->account = std::move(account);
  const auto link = daemon.find(call->account);
  if (!link) co_return unknown_account();

  core::Submission submission;
  submission.link = *link;
  submission.account = std::move(call->account);
  submission.recipients = std::move(call->recipients);
  submission.operation = call->operation;
  submission.body = std::move(call->body);
  submission.key = std::move(*key);
  submission.wait = async ? core::Duration::zero() : daemon.config().send_wait;
  auto submitting = daemon.submit(std::move(submission));
  const core::Answer answer = co_await std::move(submitting);

  if (answer.kind == core::Answer::Kind::refused) {
    HF_ASSERT(answer.error.has_value());
    co_return answer_refused(*answer.error);
  }
  const AnswerForm form{.success = success_of(endpoint), .async = async, .epoch = daemon.epoch()};
  if (answer.kind == core::Answer::Kind::known || answer.parts.empty()) {
    auto answering = answer_known(daemon, form, answer.first_seq);
    co_return co_await std::move(answering);
  }
  co_return answer_accepted(form, answer.parts, answer.status);
}

}  // namespace holdfast::api
