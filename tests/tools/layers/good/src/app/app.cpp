#include <weft/app.hpp>
#include "http/parser.hpp"
