// #include "app/app.hpp"
#include "ksvc/clock/sim.hpp"
