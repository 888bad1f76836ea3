#include <algorithm>
#include <api/replies.hpp>
#include <api/send_answer.hpp>
#include <api/send_request.hpp>
#include <core/assert.hpp>

namespace holdfast::api {
namespace {

using core::Entry;
using core::EntryState;

/// The state of a whole send: that of the part that most needs attention.
EntryState state_of(const std::vector<Entry>& parts) {
  using enum EntryState;
  for (const EntryState state : {held, unknown, queued, sending, sent, failed, expired, cancelled})
    if (std::ranges::find(parts, state, &Entry::state) != parts.end()) return state;
  return queued;
}

std::string timestamp_field(std::int64_t timestamp) {
  return R"("timestamp":")" + std::to_string(timestamp) + '"';
}

/// As the bridge names those whom one send did not reach.
std::string errors_field(const std::vector<Entry>& parts) {
  std::string list;
  for (const Entry& part : parts) {
    if (!core::is_terminal(part.state) || part.state == EntryState::sent) continue;
    const std::string_view reason =
        part.error.empty() ? std::string_view{core::to_string(part.state)} : part.error;
    list += (list.empty() ? "{" : ",{") + json_text(recipient_key(part.recipient)) + ":" +
            json_text(part.recipient) + R"(,"reason":)" + json_text(reason) + "}";
  }
  return list.empty() ? "" : R"(,"errors":{"recipients":[)" + list + "]}";
}

net::HttpResponse pending(const AnswerForm& form, const std::vector<Entry>& parts,
                          const std::string& id) {
  const Entry& first = parts.front();
  const std::string_view state = core::to_string(state_of(parts));
  const std::int64_t timestamp =
      first.state == EntryState::sent ? first.timestamp : first.provisional_timestamp;
  net::HttpResponse response =
      form.success == Success::empty && !form.async
          ? no_content()
          : json_response(form.async ? 202 : 201, "{" + timestamp_field(timestamp) + R"(,"id":)" +
                                                      json_text(id) + R"(,"state":)" +
                                                      json_text(state) + "}");
  response.headers.emplace_back("Holdfast-State", state);
  if (form.async) response.headers.emplace_back("Preference-Applied", "respond-async");
  return response;
}

net::HttpResponse sent(const AnswerForm& form, const std::vector<Entry>& parts,
                       const std::string& id) {
  if (form.success == Success::empty) return no_content();
  const auto first = std::ranges::find(parts, EntryState::sent, &Entry::state);
  std::string body = "{" + timestamp_field(first->timestamp);
  if (parts.size() > 1) body += R"(,"id":)" + json_text(id) + errors_field(parts);
  return json_response(201, body + "}");
}

net::HttpResponse failed(const std::vector<Entry>& parts, int status, const std::string& id) {
  const Entry& first = parts.front();
  std::string error = first.error;
  if (error.empty())
    error = std::string{"the send is "} + core::to_string(first.state) + ", it was not sent";
  const bool is_client_error = status >= 400 && status < 500;
  return json_response(is_client_error ? status : 400,
                       R"({"error":)" + json_text(error) + R"(,"code":"failed","id":)" +
                           json_text(id) + R"(,"state":)" +
                           json_text(core::to_string(state_of(parts))) + "}");
}

}  // namespace

net::HttpResponse answer_accepted(const AnswerForm& form, const std::vector<Entry>& parts,
                                  int status) {
  HF_ASSERT(!parts.empty());
  const std::string id = core::send_id(form.epoch, parts.front());
  const auto is = [&](auto predicate) {
    return std::ranges::any_of(parts, predicate, &Entry::state);
  };
  net::HttpResponse response;
  if (is([](EntryState state) { return !core::is_terminal(state); }))
    response = pending(form, parts, id);
  else if (is([](EntryState state) { return state == EntryState::sent; }))
    response = sent(form, parts, id);
  else
    response = failed(parts, status, id);
  response.headers.emplace_back("Holdfast-Id", id);
  return response;
}

net::HttpResponse answer_refused(const Error& error) { return error_response(error); }

}  // namespace holdfast::api
