// BasicIoUring: the IoBackend on one io_uring with what every supported kernel does well.
#pragma once

#include "ksvc/backend/composite_io_uring.hpp"

namespace weft::ksvc {

using BasicIoUring = CompositeIoUring<UringOptions{}>;

extern template class CompositeIoUring<UringOptions{}>;

static_assert(IoBackend<BasicIoUring>);

}  // namespace weft::ksvc
