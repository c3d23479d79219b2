#include "http/error_answer.hpp"

#include "weft/http_error.hpp"

namespace weft::http {

void answer_error(const ErrorWording& wording, Response& response, int status,
                  std::string_view text) {
  response.status = status;
  if (wording.text != nullptr) [[unlikely]] {
    while (text.ends_with('\n')) text.remove_suffix(1);
    return wording.text(status, text, response);
  }
  response.content_type = "text/plain; charset=utf-8";
  response.body.assign(text);
}

void answer_thrown(const ErrorWording& wording, Response& response, const HttpError& error) {
  response.status = error.status();
  response.content_type = error.content_type();
  response.body.assign(error.what());
  if (wording.thrown != nullptr) [[unlikely]]
    wording.thrown(error, response);
}

}  // namespace weft::http
