// SqpollIoUring: the IoBackend on io_uring for a core to spare: a thread of the kernel's takes
// what is submitted, and goes to sleep when it has found nothing for BackendOptions::sqpoll_idle.
#pragma once

#include "ksvc/backend/composite_io_uring.hpp"

namespace weft::ksvc {

using SqpollIoUring = CompositeIoUring<UringOptions{.sqpoll = true}>;

extern template class CompositeIoUring<UringOptions{.sqpoll = true}>;

static_assert(IoBackend<SqpollIoUring>);

}  // namespace weft::ksvc
