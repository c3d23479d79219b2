#include "exec/worker.hpp"
#include "../ksvc/core/clock.hpp"
#include "../app/app.hpp"
