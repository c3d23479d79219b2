#include "weft/client.hpp"

#include "http/client/answer_parser.hpp"
#include "http/client/client_call.hpp"
#include "http/client/client_core.hpp"
#include "http/trailers.hpp"
#include "weft/cancel.hpp"

namespace weft {

std::string_view name(ClientErrorCode code) noexcept {
  switch (code) {
    case ClientErrorCode::refused_url: return "refused_url";
    case ClientErrorCode::refused_request: return "refused_request";
    case ClientErrorCode::not_found: return "not_found";
    case ClientErrorCode::connect_failed: return "connect_failed";
    case ClientErrorCode::connection_lost: return "connection_lost";
    case ClientErrorCode::timed_out: return "timed_out";
    case ClientErrorCode::cancelled: return "cancelled";
    case ClientErrorCode::protocol_error: return "protocol_error";
    case ClientErrorCode::too_large: return "too_large";
    case ClientErrorCode::too_many_redirects: return "too_many_redirects";
  }
  return "";
}

std::string ClientError::message() const {
  return std::string(name(code)).append(": ").append(text);
}

ClientHead::ClientHead(std::shared_ptr<const http::AnswerHead> head) noexcept
    : head_(std::move(head)) {}

int ClientHead::status() const noexcept { return head_->status; }
std::string_view ClientHead::reason() const noexcept { return head_->view(head_->reason); }
int ClientHead::minor_version() const noexcept { return head_->minor_version; }

std::string_view ClientHead::header(std::string_view name,
                                    std::string_view fallback) const noexcept {
  return head_->find(name).value_or(fallback);
}

std::vector<ClientFieldView> ClientHead::headers() const {
  std::vector<ClientFieldView> fields;
  fields.reserve(head_->fields.size());
  for (const auto& field : head_->fields) {
    fields.push_back({head_->view(field.name), head_->view(field.value)});
  }
  return fields;
}

std::optional<std::uint64_t> ClientHead::content_length() const noexcept {
  return head_->content_length;
}

std::string_view ClientAnswer::trailer(std::string_view name,
                                       std::string_view fallback) const noexcept {
  return http::find_trailer(trailers_, name).value_or(fallback);
}

ClientExchange::ClientExchange(std::unique_ptr<http::ClientCall> call) noexcept
    : call_(std::move(call)) {}
ClientExchange::ClientExchange(ClientExchange&&) noexcept = default;
ClientExchange& ClientExchange::operator=(ClientExchange&&) noexcept = default;
ClientExchange::~ClientExchange() = default;

ClientResult<ClientDone> ClientExchange::write(std::string_view bytes) {
  return call_->write(bytes);
}
ClientResult<ClientDone> ClientExchange::trailer(std::string_view name, std::string_view value) {
  return call_->trailer(name, value);
}
ClientResult<ClientDone> ClientExchange::finish() { return call_->finish(); }
ClientResult<ClientHead> ClientExchange::answer() { return call_->answer(); }
ClientResult<std::string_view> ClientExchange::read() { return call_->read(); }
ClientResult<std::size_t> ClientExchange::read(std::span<char> into) {
  return call_->read_into(into);
}
std::string_view ClientExchange::trailer(std::string_view name) const noexcept {
  return http::find_trailer(call_->trailers(), name).value_or(std::string_view{});
}
std::string_view ClientExchange::trailers() const noexcept { return call_->trailers(); }
void ClientExchange::shutdown_write() noexcept { call_->shutdown_write(); }

Client::Client(ClientOptions options)
    : core_(std::make_shared<http::ClientCore>(std::move(options))) {}
Client::~Client() { core_->pool().close_for_good(); }

ClientResult<ClientAnswer> Client::get(std::string url) {
  ClientRequest asked;
  asked.url = std::move(url);
  return http::ClientCore::request(core_, std::move(asked));
}

ClientResult<ClientAnswer> Client::post(std::string url, std::string body,
                                        std::string content_type) {
  ClientRequest asked;
  asked.method = "POST";
  asked.url = std::move(url);
  asked.headers.push_back({"Content-Type", std::move(content_type)});
  asked.body = std::move(body);
  return http::ClientCore::request(core_, std::move(asked));
}

ClientResult<ClientAnswer> Client::request(const ClientRequest& request) {
  return http::ClientCore::request(core_, request);
}

ClientResult<ClientExchange> Client::stream(const ClientRequest& request) {
  auto call = http::ClientCore::begin_stream(core_, request);
  if (!call) return call.error();
  return ClientExchange(std::move(*call));
}

void Client::close_idle() noexcept { core_->pool().close_kept(); }
ClientStats Client::stats() const { return core_->pool().stats(); }

}  // namespace weft
