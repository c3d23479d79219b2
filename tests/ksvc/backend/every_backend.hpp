// The implementations of IoBackend that the conformance test runs over.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "ksvc/backend/basic_io_uring.hpp"
#include "ksvc/backend/epoll.hpp"
#include "ksvc/backend/fixed_buffer_io_uring.hpp"
#include "ksvc/backend/fixed_file_io_uring.hpp"
#include "ksvc/backend/shared_network.hpp"
#include "ksvc/backend/sim_network.hpp"
#include "ksvc/backend/sqpoll_io_uring.hpp"

namespace weft::ksvc {

// Every option that is off by default, at once.
using WholeIoUring = CompositeIoUring<UringOptions{.sqpoll = true,
                                                   .fixed_files = true,
                                                   .fixed_buffers = true,
                                                   .multishot_accept = false,
                                                   .zero_copy_send = true}>;

using EveryBackend =
    testing::Types<BasicIoUring, SqpollIoUring, FixedFileIoUring, FixedBufferIoUring, WholeIoUring,
                   Epoll, SimBackend, SharedReactorBackend<BasicIoUring>,
                   SharedReactorBackend<Epoll>>;

// Those of them that have links, deadlines, files and sends without a copy.
using LinkingBackends = EveryBackend;

struct BackendNames {
  template <class Backend>
  static std::string GetName(int) {
    return Backend::name();
  }
};

}  // namespace weft::ksvc
