// What the fragments of docs/client.md take for granted, so that they can be compiled.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <weft/weft.hpp>

inline weft::Client client;
inline weft::ClientRequest request;

inline void log(std::string_view) {}
inline void use(int, std::string_view, std::string_view) {}
inline void take(std::string_view) {}
inline std::optional<std::string> next_piece() { return std::nullopt; }
inline const std::string checksum;
