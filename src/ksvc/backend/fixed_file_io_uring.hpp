// FixedFileIoUring: the IoBackend on io_uring whose accepted sockets are slots of the ring's own
// table, which saves the look-up of the descriptor in every operation.
#pragma once

#include "ksvc/backend/composite_io_uring.hpp"

namespace weft::ksvc {

using FixedFileIoUring = CompositeIoUring<UringOptions{.fixed_files = true}>;

extern template class CompositeIoUring<UringOptions{.fixed_files = true}>;

static_assert(IoBackend<FixedFileIoUring>);

}  // namespace weft::ksvc
