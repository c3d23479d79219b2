// What proxies say about a client: whatever came before it, the word of the proxy at the right end
// counts, and views are of the head.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "http/forwarded.hpp"

namespace {

using namespace weft::http;

Forwarded client_of(const std::string& text, const TrustedProxies& trusted, ProxyFields fields,
                    bool& whole) {
  static const Limits limits;
  HeadParser parser(limits);
  whole = parser.advance(text) == ParseState::complete;
  if (!whole) return {};
  const HeadView head(parser.head(), text.data());
  Forwarded client = find_client(head, std::nullopt, trusted, fields);
  const char* const end = text.data() + text.size();
  if (!client.host.empty() && (client.host.data() < text.data() || client.host.data() >= end)) {
    std::abort();
  }
  if (client.scheme != "http" && client.scheme != "https") std::abort();
  return client;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size < 2000 ? size : 2000);
  static const TrustedProxies trusted =
      std::get<TrustedProxies>(TrustedProxies::parse("unix,10.0.0.0/8"));
  // Any text is a list of networks, or is refused with a reason.
  const auto parsed = TrustedProxies::parse(text);
  const auto* const refusal = std::get_if<std::string>(&parsed);
  if (refusal != nullptr && refusal->empty()) std::abort();
  for (const ProxyFields fields : {ProxyFields::x_forwarded, ProxyFields::forwarded}) {
    const bool old = fields == ProxyFields::x_forwarded;
    const std::string name = old ? "X-Forwarded-For: " : "Forwarded: ";
    const std::string own = old ? "192.0.2.1" : "for=192.0.2.1";
    std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + name;
    bool whole = false;
    client_of(head + std::string(text) + "\r\n\r\n", trusted, fields, whole);
    // A client cannot end the line that its proxy goes on with.
    if (text.find_first_of("\r\n") != text.npos) continue;
    const auto client =
        client_of(head + std::string(text) + ", " + own + "\r\n\r\n", trusted, fields, whole);
    if (whole && (!client.address || client.address->host() != "192.0.2.1")) std::abort();
  }
  return 0;
}
