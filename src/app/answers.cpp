// The answers of Context that are more than a body: elsewhere, nothing, a file to be saved.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "app/file_name.hpp"
#include "http/exchange.hpp"
#include "weft/context.hpp"
#include "weft/file_root.hpp"

namespace weft {

namespace {

bool is_address_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7F;
}

// Adds the field for the time of `send`; without a file the answer is another.
template <class Send>
bool as_attachment(Context& context, http::Exchange& exchange, std::string_view name,
                   const Send& send) {
  http::Response& response = exchange.response();
  const std::string before(response.fields.view());
  const std::size_t lasting = response.lasting;
  context.set_header("Content-Disposition", app::attachment(name));
  if (send()) return true;
  response.fields.assign(before);
  response.lasting = lasting;
  return false;
}

}  // namespace

void Context::xml(std::string_view body) { bytes(body, "application/xml; charset=utf-8"); }

void Context::no_content() {
  status(204);
  exchange_.response().body.clear();
}

void Context::redirect(std::string_view address, int code) {
  constexpr std::array<int, 5> kCodes{301, 302, 303, 307, 308};
  if (std::find(kCodes.begin(), kCodes.end(), code) == kCodes.end()) {
    throw std::invalid_argument("a redirect has the status 301, 302, 303, 307 or 308, not " +
                                std::to_string(code));
  }
  if (address.empty() || !std::all_of(address.begin(), address.end(), is_address_byte)) {
    throw std::invalid_argument(
        "the address of a redirect is empty, or holds a blank or a control "
        "byte: encode those with percent signs");
  }
  set_header("Location", address);
  status(code);
  exchange_.response().body.clear();
}

bool Context::download(const std::string& path, std::string_view file_name) {
  return as_attachment(*this, exchange_, file_name, [&] { return file(path); });
}

bool Context::download(const FileRoot& root, std::string_view path, std::string_view file_name) {
  return as_attachment(*this, exchange_, file_name, [&] { return file(root, path); });
}

}  // namespace weft
