// Everything an application needs.
#pragma once

#include "weft/app.hpp"
#include "weft/context.hpp"
#include "weft/green.hpp"
#include "weft/json.hpp"
#include "weft/net.hpp"
#include "weft/result.hpp"
#include "weft/version.hpp"
