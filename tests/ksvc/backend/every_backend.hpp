// The implementations of IoBackend that the conformance test runs over.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"

namespace weft::ksvc {

using EveryBackend = testing::Types<BasicIoUring, Epoll>;

// Those of them that have links, deadlines, files and sends without a copy.
using LinkingBackends = testing::Types<Epoll>;

struct BackendNames {
  template <class Backend>
  static std::string GetName(int) {
    return Backend::name();
  }
};

}  // namespace weft::ksvc
