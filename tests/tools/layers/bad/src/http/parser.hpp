#pragma once
#include "../ksvc/core/clock.hpp"
