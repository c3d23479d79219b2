// Multipart forms: every body at every split, and what is refused.
#include "http/multipart.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weft::http {
namespace {

using Event = MultipartParser::Event;

// All that comes out, as text: pieces of data joined.
std::string events(std::string_view body, const std::vector<std::size_t>& cuts,
                   const MultipartLimits& limits = {}, std::string_view boundary = "b") {
  MultipartParser parser(boundary, limits);
  std::string said;
  std::size_t from = 0;
  std::vector<std::size_t> ends(cuts);
  ends.push_back(body.size());
  for (const std::size_t end : ends) {
    std::string_view input = body.substr(from, end - from);
    from = end;
    for (Event event = parser.next(input); event != Event::need_more; event = parser.next(input)) {
      if (event == Event::part_begin) {
        said += "<" + parser.part().name;
        if (parser.part().file_name) said += "|" + *parser.part().file_name;
        if (!parser.part().content_type.empty()) said += "|" + parser.part().content_type;
        said += ">";
      }
      if (event == Event::data) said += parser.data();
      if (event == Event::part_end) said += "</>";
      if (event == Event::end) said += "END";
      if (event == Event::malformed) return said + "400 " + std::string(parser.reason());
      if (event == Event::too_large) return said + "413 " + std::string(parser.reason());
    }
  }
  return said + (parser.has_ended() ? "" : "...");
}

std::string part(std::string_view head, std::string_view content) {
  return "--b\r\n" + std::string(head) + "\r\n\r\n" + std::string(content) + "\r\n";
}
std::string named(std::string_view name) {
  return "Content-Disposition: form-data; name=\"" + std::string(name) + "\"";
}

struct Row {
  std::string body;
  std::string said;
};

std::vector<Row> rows() {
  const std::string a = named("a");
  return {
      {part(a, "1") + "--b--\r\n", "<a>1</>END"},
      {part(a, "1") + "--b--", "<a>1</>END"},
      {part(a, "") + part(named("c"), "2") + "--b--\r\n", "<a></><c>2</>END"},
      {"--b\r\n" + a + "\r\n\r\n--b--", "<a></>END"},
      {part(a, "\r\n--") + "--b--", "<a>\r\n--</>END"},
      {part(a, "\r\r\n-\r\n--\r") + "--b--", "<a>\r\r\n-\r\n--\r</>END"},
      {part(a, "\r\n--c\r\n--a") + "--b--", "<a>\r\n--c\r\n--a</>END"},
      {part(a, "--b--") + "--b--", "<a></>END400 something stands behind the last boundary"},
      {part(a + "; filename=\"x.txt\"\r\nContent-Type: text/plain", "z") + "--b--",
       "<a|x.txt|text/plain>z</>END"},
      {part(a + "; filename=\"C:\\dir\\x \\\"q\\\".txt\"", "z") + "--b--",
       "<a|C:\\dir\\x \"q\".txt>z</>END"},
      {part("CONTENT-DISPOSITION:form-data;name=%22a%0D%0a", "z") + "--b--", "<\"a\r\n>z</>END"},
      {part(a, "1"), "<a>1..."},
      {"", "..."},
      {"x" + part(a, "1") + "--b--", "400 it does not begin with its boundary"},
      {"\r\n" + part(a, "1") + "--b--", "400 it does not begin with its boundary"},
      {"--b \r\n" + a, "400 a boundary is followed by neither"},
      {"--b\n" + a, "400 a boundary is followed by neither"},
      {part(a, "1") + "--bx", "<a>1</>400 a boundary is followed by neither"},
      {part(a, "1") + "--b--x", "<a>1</>END400 something stands behind the last boundary"},
      {part(a, "1") + "--b--\r\n\r\n", "<a>1</>END400 something stands behind the last boundary"},
      {part("X: y", "1") + "--b--", "400 a part has no Content-Disposition"},
      {part("", "1") + "--b--", "400 a part has no Content-Disposition"},
      {part("Content-Disposition: form-data", "1"), "400 a header line of a part is malformed"},
      {part("Content-Disposition: attachment; name=a", "1"),
       "400 a header line of a part is malformed"},
      {part(a + "; name=\"b\"", "1"), "400 a header line of a part is malformed"},
      {part(a + "\r\n" + a, "1"), "400 a header line of a part is malformed"},
      {part(a + "; filename=x; filename=y", "1"), "400 a header line of a part is malformed"},
      {part(a + "\r\n folded: x", "1"), "400 a header line of a part is malformed"},
      {part(a + "\nX: y", "1"), "400 a header line of a part is malformed"},
      {part(a + "; filename=\"x", "1"), "400 a header line of a part is malformed"},
      {part(a + "\r\nContent-Transfer-Encoding: base64", "1"),
       "400 a part is encoded in a way that forms are not"},
      {part(a + "\r\nContent-Transfer-Encoding: Binary", "1") + "--b--", "<a>1</>END"},
  };
}

}  // namespace

TEST(Multipart, bodies_come_apart_the_same_at_every_split) {
  for (const Row& row : rows()) {
    const auto agrees = [&](const std::string& said) {
      // Of refusals the beginning is enough.
      return row.said.find("40") != std::string::npos ? said.starts_with(row.said)
                                                      : said == row.said;
    };
    const std::string whole = events(row.body, {});
    EXPECT_TRUE(agrees(whole)) << row.body << "\n=> " << whole << "\n!= " << row.said;
    std::vector<std::size_t> each;
    for (std::size_t i = 0; i < row.body.size(); ++i) {
      EXPECT_EQ(events(row.body, {i}), whole) << i << " of " << row.body;
      each.push_back(i);
    }
    EXPECT_EQ(events(row.body, each), whole) << row.body;
  }
}

TEST(Multipart, parts_and_their_header_lines_have_limits) {
  std::string three;
  for (int i = 0; i < 3; ++i) three += part(named("a"), "");
  three += "--b--";
  EXPECT_EQ(events(three, {}, {.parts = 3}), "<a></><a></><a></>END");
  EXPECT_EQ(events(three, {}, {.parts = 2}), "<a></><a></>413 it has too many parts");
  const std::string head = named("a");
  const std::string one = part(head, "1") + "--b--";
  EXPECT_EQ(events(one, {}, {.part_header_bytes = head.size() + 4}), "<a>1</>END");
  EXPECT_EQ(events(one, {}, {.part_header_bytes = head.size() + 3}),
            "413 the header lines of a part are too long");
}

TEST(Multipart, boundaries_are_short_and_of_few_bytes) {
  EXPECT_TRUE(is_boundary("----WebKitFormBoundary7MA4YWxkTrZu0gW"));
  EXPECT_TRUE(is_boundary("a b'()+_,-./:=?"));
  EXPECT_TRUE(is_boundary(std::string(70, 'x')));
  for (const std::string bad : {"", "a ", "a\r", "a\"b", "a;b", "\x80"}) {
    EXPECT_FALSE(is_boundary(bad)) << bad;
  }
  EXPECT_FALSE(is_boundary(std::string(71, 'x')));
}

}  // namespace weft::http
