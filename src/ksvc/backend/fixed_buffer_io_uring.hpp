// FixedBufferIoUring: the IoBackend on io_uring with memory that is pinned once, for reading and
// writing files without a copy (O_DIRECT) and for sends that do not copy.
#pragma once

#include "ksvc/backend/composite_io_uring.hpp"

namespace weft::ksvc {

using FixedBufferIoUring = CompositeIoUring<UringOptions{.fixed_buffers = true}>;

extern template class CompositeIoUring<UringOptions{.fixed_buffers = true}>;

static_assert(IoBackend<FixedBufferIoUring>);

}  // namespace weft::ksvc
