// ClientCore: what the calls of one client share; it outlives them. And what they know in advance
// about one request.
//
// Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/client/connection_pool.hpp"
#include "http/client/request_text.hpp"
#include "http/client/url.hpp"
#include "http/limits.hpp"
#include "weft/client.hpp"

namespace weft::http {

// A request that has been found good, and where it goes.
struct PreparedRequest {
  ClientUrl url;
  RequestText text;
  std::string unix_socket;
  std::string peer;       // for people
  std::string_view body;  // whole; what is streamed is not here
  bool streams_body = false;
  bool to_head = false;
  bool idempotent = false;
  bool keeps_answer = false;  // whole; then the deadline holds for the body, too
  std::int64_t deadline_ns = 0;
  std::chrono::milliseconds timeout{0};  // which the deadline is from
};

class ClientCore {
 public:
  explicit ClientCore(ClientOptions options);

  const ClientOptions& options() const noexcept { return options_; }
  const Limits& stream_limits() const noexcept { return stream_limits_; }
  const Limits& whole_limits() const noexcept { return whole_limits_; }
  ConnectionPool& pool() noexcept { return pool_; }

  // What is wrong with the request, or `prepared`.
  [[nodiscard]] std::optional<ClientError> prepare(const ClientRequest& request,
                                                   PreparedRequest& prepared) const;
  ClientResult<std::unique_ptr<ClientConnection>> connect(const PreparedRequest& request);
  // What an error of a call means to whoever made this request: `slow` is the sentence for when it
  // took longer than the client allows for that step.
  static ClientError explain(const PreparedRequest& request, Error error, std::string slow);

  static ClientResult<ClientAnswer> request(const std::shared_ptr<ClientCore>& core,
                                            ClientRequest request);
  static ClientResult<std::unique_ptr<ClientCall>> begin_stream(
      const std::shared_ptr<ClientCore>& core, const ClientRequest& request);

 private:
  std::string absolute(const std::string& url) const;
  static ClientResult<ClientAnswer> ask(const std::shared_ptr<ClientCore>& core,
                                        const PreparedRequest& prepared);
  static ClientResult<ClientAnswer> ask_once(const std::shared_ptr<ClientCore>& core,
                                             const PreparedRequest& prepared, bool& sent);
  std::optional<std::chrono::nanoseconds> pause_before_retry(const PreparedRequest& prepared,
                                                             const ClientResult<ClientAnswer>& got,
                                                             bool sent, unsigned tries) const;
  std::optional<ClientError> redirect(const ClientAnswer& answer, const PreparedRequest& from,
                                      ClientRequest& request) const;

  const ClientOptions options_;
  Limits stream_limits_;
  Limits whole_limits_;
  ConnectionPool pool_;
};

}  // namespace weft::http
