// resolve(): the addresses that a host name stands for.
//
// The system's resolver blocks, so it is asked on a thread of the pool while the caller parks;
// outside a worker the OS thread waits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/endpoint.hpp"
#include "weft/result.hpp"

namespace weft {

// In the order in which the system would have them tried; at least one. `service` is a port number
// or a name the system knows ("https"). A name that is not found is an error with the code
// `not_found`. Once the resolver has been asked the caller goes on when it has answered, cancelled
// or not.
Result<std::vector<Endpoint>> resolve(const std::string& host, const std::string& service);
Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port);

}  // namespace weft
