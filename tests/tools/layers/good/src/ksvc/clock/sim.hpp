#pragma once
#include <weft/version.hpp>
#include "ksvc/core/clock.hpp"
