#pragma once
#include <weft/version.hpp>
#include "http/parser.hpp"
#include "weft/version.hpp"
