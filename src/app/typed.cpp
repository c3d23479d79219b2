#include "weft/typed.hpp"

#include "http/exchange.hpp"
#include "weft/http_error.hpp"

namespace weft::detail {

std::string_view path_value(Context& context, std::size_t index) {
  const http::Params& params = context.exchange().params();
  return index < params.size() ? context.param(params.name(index)) : std::string_view();
}

void refuse_path_value(Context& context, std::size_t index, const std::string& wanted) {
  const http::Params& params = context.exchange().params();
  const std::string_view name = index < params.size() ? params.name(index) : std::string_view();
  throw HttpError(400, std::string(name) + " " + wanted + "\n");
}

}  // namespace weft::detail
