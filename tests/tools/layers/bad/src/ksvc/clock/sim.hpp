#pragma once
#  include "gvt/scheduler.hpp"
#include <weft/app.hpp>
