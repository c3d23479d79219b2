#pragma once
#include <weft/version.hpp>
#include "http/parser.hpp"
