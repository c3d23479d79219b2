// Ask: a request that a simulated client sends, and the very bytes that it must be answered with.
//
// The bytes of a Date are unknown and stand as kAnyByte, which no other part of an answer holds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "random.hpp"

namespace weft::http::test {

inline constexpr char kAnyByte = '\0';

struct Ask {
  std::string bytes;
  std::size_t head_bytes = 0;     // of these
  std::size_t answerable_at = 0;  // so much of it must have arrived before an answer may come
  // The answer, with and without the announcement that the connection ends with it.
  std::string answer;
  std::string last_answer;
  bool closes = false;        // it is the last whatever happens
  bool says_last = false;     // in its own words: nothing is sent behind it
  bool may_continue = false;  // a "100 Continue" may come first
};

// What an answer is made of, as the tests see it.
struct Expected {
  std::string_view status_line = "200 OK";
  std::string_view content_type = "text/plain";
  std::string_view fields;  // behind the Content-Type, with their line ends
  std::string_view body;
  bool http_1_0 = false;
  bool head_only = false;  // the answer to HEAD
  bool in_chunks = false;  // then the body is as it is sent
};
std::string answer_text(const Expected& expected, bool closing);

// One of everything that the simulated site answers.
Ask random_ask(Random& random);
Ask get(std::string_view target, std::string_view body);
Ask post_echo(std::string_view body);
Ask post_echo_in_chunks(const std::vector<std::string>& chunks);
// A body that the handler reads part by part; answers that it writes so, whose length is known or
// not.
Ask post_parts(std::string_view body);
Ask streamed(std::size_t bytes);
Ask streamed_in_chunks(std::size_t count);
// The beginning of the file that there is.
Ask file_part(std::size_t bytes);
Ask head_of_hello();
// A handler that throws.
Ask failing(std::string_view target);

// The body that /big/N, /stream/N and /file/N answer.
std::string big_body(std::size_t bytes);
// What /chunks/N writes as one.
std::string numbered_part(std::size_t number);

}  // namespace weft::http::test
