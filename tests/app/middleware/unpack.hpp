// Unpacks bodies with the libraries themselves, so that tests do not ask the code they test.
//
// Any thread.
#pragma once

#include <string>
#include <string_view>

namespace weft::test {

// The body that `packed` is in that coding; "(malformed)" when it is none, or has something behind
// its end. "" stands for no coding.
std::string unpack(std::string_view coding, std::string_view packed);
// As much of it as a client that reads along knows by now.
std::string unpack_begun(std::string_view coding, std::string_view packed);
// Also in "deflate".
std::string pack(std::string_view coding, std::string_view body);

// Text that shrinks, of so many bytes.
std::string prose(std::size_t size);

}  // namespace weft::test
