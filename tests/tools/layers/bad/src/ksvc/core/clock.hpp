#pragma once
#include <chrono>
#include "ksvc/clock/sim.hpp"
