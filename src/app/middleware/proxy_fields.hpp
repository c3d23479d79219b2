// What a proxy does to the fields of a request and of its answer (RFC 9110 §7.6), and to targets.
//
// Functions of their arguments; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/middleware/proxy_upstreams.hpp"
#include "http/head_parser.hpp"
#include "weft/client.hpp"
#include "weft/context.hpp"
#include "weft/middleware/proxy.hpp"

namespace weft::app {

// The path that the upstream is asked for; nothing for one that steps out of where it is (`..`), or
// is no path.
std::optional<std::string> proxied_path(const ProxyOptions& options, std::string_view path);

// The fields of the request, with those of the proxy. `upgrade`: the protocol that is asked for,
// or empty.
std::vector<ClientField> proxied_fields(const ProxyOptions& options, Context& context,
                                        const ProxyUpstream& upstream, std::string_view upgrade);

// The protocol that the client asks for and may have; empty: none.
std::string_view wanted_upgrade(const ProxyOptions& options, const http::HeadView& head);

// Sets the status and the fields of the answer, but for those that the server writes itself.
void pass_back_head(const ProxyOptions& options, Context& context, const ProxyUpstream& upstream,
                    const ClientHead& head);

}  // namespace weft::app
