#include "weft/dns.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "net/address.hpp"
#include "weft/blocking.hpp"
#include "weft/cancel.hpp"

namespace weft {

namespace {

Error error_of(int failure, int os_errno) noexcept {
  switch (failure) {
    case EAI_NONAME:
    case EAI_SERVICE:
    case EAI_NODATA:
    case EAI_ADDRFAMILY: return {ErrorCode::not_found, 0};
    case EAI_AGAIN: return Error::from_errno(EAGAIN);
    case EAI_MEMORY: return Error::from_errno(ENOMEM);
    case EAI_SYSTEM: return Error::from_errno(os_errno);
    default: return Error::from_errno(EIO);
  }
}

Result<std::vector<Endpoint>> ask_system(const std::string& host, const std::string& service) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  errno = 0;
  const int failure = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &first);
  if (failure != 0) return error_of(failure, errno);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(first, &::freeaddrinfo);
  std::vector<Endpoint> endpoints;
  for (const addrinfo* entry = first; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    net::SocketAddress address;
    address.size = entry->ai_addrlen;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    endpoints.push_back(net::endpoint_of(address));
  }
  if (endpoints.empty()) return Error{ErrorCode::not_found, 0};
  return endpoints;
}

}  // namespace

Result<std::vector<Endpoint>> resolve(const std::string& host, const std::string& service) {
  // A zero would cut the name short, and none at all would mean this machine.
  if (host.empty() || (host + service).find('\0') != std::string::npos) {
    return Error{ErrorCode::invalid_argument, EINVAL};
  }
  try {
    return blocking([&] { return ask_system(host, service); });
  } catch (const Cancelled& cause) {
    return cause.error();
  }
}

Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port) {
  return resolve(host, std::to_string(port));
}

}  // namespace weft
