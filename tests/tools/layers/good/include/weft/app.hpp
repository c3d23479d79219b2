#pragma once
#include <sys/socket.h>
#include <weft/version.hpp>
#include "weft/version.hpp"
