// ClientCall: one request on one connection, and its answer.
//
// Belongs to the worker it is used on. One green thread may write while another reads. Every call
// leaves by the request's deadline; none throws Cancelled.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/client/answer_parser.hpp"
#include "http/client/client_core.hpp"
#include "http/client/connection_pool.hpp"
#include "weft/client.hpp"

namespace weft::http {

class ClientCall {
 public:
  // `limits` are of the core. What the request's body is a view of must live as long as the call.
  ClientCall(std::shared_ptr<ClientCore> core, PreparedRequest request, const Limits& limits);
  ~ClientCall() { abandon(); }
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;

  // Gets a connection and sends the head, with the body if it is short.
  std::optional<ClientError> begin();
  // Sends the whole body if begin() has left it. A failure shows in the answer.
  void send_rest();

  ClientResult<ClientDone> write(std::string_view bytes);
  ClientResult<ClientDone> trailer(std::string_view name, std::string_view value);
  ClientResult<ClientDone> finish();
  void shutdown_write() noexcept;

  ClientResult<ClientHead> answer();
  ClientResult<std::string_view> read();
  // What there is no room for is read next, by either.
  ClientResult<std::size_t> read_into(std::span<char> into);
  const std::string& trailers() const noexcept { return parser_->trailers(); }

  // Whether anything may have reached the server.
  bool sent() const noexcept { return sent_; }
  bool has_rest() const noexcept { return !request_done_ && !request_.streams_body; }
  // Closes the connection; ends what is parked on it.
  void abandon() noexcept;

  // The body that the request's view leads to, where nobody else keeps it.
  std::unique_ptr<std::string> kept_body;

 private:
  std::optional<ClientError> open(bool kept_allowed);
  std::optional<ClientError> send_head();
  std::optional<ClientError> send(std::initializer_list<std::string_view> pieces);
  // False: there is nothing more to be had, see failure_.
  bool fill();
  ClientError parse_failure() const;
  ClientError fail(ClientError error);
  bool may_send_again() const noexcept;
  std::optional<ClientError> read_head();
  void release_when_done() noexcept;

  std::shared_ptr<ClientCore> core_;
  PreparedRequest request_;
  const Limits& limits_;
  ConnectionPool::Place place_;
  std::unique_ptr<ClientConnection> connection_;
  std::optional<AnswerParser> parser_;
  std::optional<ClientError> failure_;  // of reading
  std::vector<char> buffer_;
  std::size_t buffer_begin_ = 0;
  std::size_t buffer_end_ = 0;
  std::string_view rest_;  // of what read_into() has been given
  std::uint64_t written_ = 0;
  std::string request_trailers_;
  bool request_done_ = false;
  bool write_failed_ = false;
  bool sent_ = false;
  bool sent_again_ = false;
  unsigned writing_ = 0;  // green threads in a write
};

}  // namespace weft::http
