// Bodies as they come: every cut, every size of a read.

#include "http/body_stream.hpp"

#include <gtest/gtest.h>

#include <string>

#include "http/exchange.hpp"
#include "http/trailers.hpp"

namespace weft::http::test {

namespace {

struct Read {
  std::string body;
  std::string trailers;
  std::size_t consumed = 0;
  bool ended = false;
};

// What comes out when the bytes arrive cut in two and are read so many at a time.
Read read_all(const RequestHead& head, std::string_view bytes, std::size_t cut, std::size_t most) {
  static const Limits limits;
  BodyStream stream(head, limits);
  Read out;
  stream.keep_trailers_in(out.trailers);
  for (const std::size_t arrived : {cut, bytes.size()}) {
    while (out.consumed < arrived && !stream.has_ended()) {
      const auto part = stream.take(bytes.substr(out.consumed, arrived - out.consumed), most);
      EXPECT_LE(part.bytes.size(), most);
      out.consumed += part.consumed;
      out.body += part.bytes;
    }
  }
  out.ended = stream.has_ended();
  return out;
}

}  // namespace

TEST(BodyStream, every_cut_and_every_size_of_a_read_give_the_same_body) {
  RequestHead chunked;
  chunked.chunked = true;
  RequestHead sized;
  sized.has_content_length = true;
  sized.content_length = 9;
  const std::string chunks = "3;a=b\r\nabc\r\n6\r\ndefghi\r\n0\r\nSum: 9\r\nTwo:x\r\n\r\n";
  for (const std::size_t most :
       {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{100}, std::string::npos}) {
    for (std::size_t cut = 0; cut <= chunks.size(); ++cut) {
      const Read read = read_all(chunked, chunks + "GET /", cut, most);
      EXPECT_EQ(read.body, "abcdefghi");
      EXPECT_EQ(read.trailers, "Sum: 9\r\nTwo:x\r\n");
      EXPECT_TRUE(read.ended);
      EXPECT_EQ(read.consumed, chunks.size());
    }
    for (std::size_t cut = 0; cut <= 9; ++cut) {
      const Read read = read_all(sized, "abcdefghiGET /", cut, most);
      EXPECT_EQ(read.body, "abcdefghi");
      EXPECT_TRUE(read.ended);
      EXPECT_EQ(read.consumed, 9U);
    }
  }
}

TEST(BodyStream, what_is_malformed_or_too_large_is_refused_where_it_is_seen) {
  RequestHead chunked;
  chunked.chunked = true;
  Limits limits;
  limits.body_bytes = 10;
  const auto status_of = [&](std::string_view bytes) {
    BodyStream stream(chunked, limits);
    try {
      while (!bytes.empty()) bytes.remove_prefix(stream.take(bytes, 4).consumed);
    } catch (const RequestAborted& aborted) {
      return aborted.status;
    }
    return 0;
  };
  EXPECT_EQ(status_of("a\r\n0123456789\r\n0\r\n\r\n"), 0);
  EXPECT_EQ(status_of("a\r\n0123456789\r\n1\r\n"), 413);
  EXPECT_EQ(status_of("b\r\n"), 413);
  EXPECT_EQ(status_of("1\r\nab"), 400);
}

TEST(BodyStream, one_without_an_end_gives_whatever_comes) {
  const Limits limits;
  BodyStream stream(limits);
  EXPECT_EQ(stream.take("abc", 2).bytes, "ab");
  EXPECT_EQ(stream.take("c", 2).bytes, "c");
  EXPECT_FALSE(stream.has_ended());
  stream.end();
  EXPECT_TRUE(stream.has_ended());
}

TEST(Trailers, are_found_by_name_and_never_frame_anything) {
  const std::string_view lines = "Sum: 9\r\nContent-Length: 4\r\nEMPTY:\r\nsum: 10\r\n Odd:\r\n";
  EXPECT_EQ(find_trailer(lines, "sum"), "9");
  EXPECT_EQ(find_trailer(lines, "SUM"), "9");
  EXPECT_EQ(find_trailer(lines, "Empty"), "");
  EXPECT_EQ(find_trailer(lines, "content-length"), std::nullopt);
  EXPECT_EQ(find_trailer(lines, "none"), std::nullopt);
  EXPECT_EQ(find_trailer({}, "sum"), std::nullopt);
  EXPECT_NO_THROW(require_trailer("X-Sum", "9"));
  for (const char* name : {"Content-Length", "TRAILER", "host", "transfer-encoding", "a b", ""}) {
    EXPECT_THROW(require_trailer(name, "9"), std::invalid_argument) << name;
  }
  EXPECT_THROW(require_trailer("X", "a\nb"), std::invalid_argument);
}

}  // namespace weft::http::test
