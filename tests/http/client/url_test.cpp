// URLs as a client reads them, and what a redirect's mean.

#include "http/client/url.hpp"

#include <gtest/gtest.h>

namespace weft::http {

namespace {

struct Good {
  const char* text;
  const char* host;
  int port;
  const char* authority;
  const char* target;
};

const Good kGood[] = {
    {"http://a", "a", 80, "a", "/"},
    {"http://a/", "a", 80, "a", "/"},
    {"HTTP://Example.ORG:080/A%20b?c=d#e", "example.org", 80, "example.org", "/A%20b?c=d"},
    {"http://a:8080?q", "a", 8080, "a:8080", "/?q"},
    {"http://127.0.0.1:1/x", "127.0.0.1", 1, "127.0.0.1:1", "/x"},
    {"http://[::1]:8080/", "::1", 8080, "[::1]:8080", "/"},
    {"http://[2001:DB8::7]", "2001:db8::7", 80, "[2001:db8::7]", "/"},
    {"http://a:/x", "a", 80, "a", "/x"},
    {"http://a/?broken=%zz", "a", 80, "a", "/?broken=%zz"},
};

const char* const kBad[] = {
    "",
    "/path",
    "a",
    "a.example/x",
    "http:/a",
    "http://",
    "http://:80",
    "https://a/",
    "ftp://a/",
    "http://u@a/",
    "http://u:p@a/",
    "http://a:0/",
    "http://a b",
    "http://a/ b",
    "http://a/\r",
    "http://a/\nX:",
    "http://a\r\nX:/",
    "http://a/\x7f",
    "http://[::1",
    "http://a:65536/",
    "http://a:x/",
    "http://a/%4",
    "http://a/\xc3\xa4",
};

// RFC 3986 §5.4, as far as it goes for http.
const struct {
  const char* reference;
  const char* target;
} kReferences[] = {
    {"g", "/b/c/g"},
    {"./g", "/b/c/g"},
    {"g/", "/b/c/g/"},
    {"/g", "/g"},
    {"?y", "/b/c/d;p?y"},
    {"g?y", "/b/c/g?y"},
    {"#s", "/b/c/d;p?q"},
    {"g#s", "/b/c/g"},
    {";x", "/b/c/;x"},
    {"", "/b/c/d;p?q"},
    {".", "/b/c/"},
    {"./", "/b/c/"},
    {"..", "/b/"},
    {"../g", "/b/g"},
    {"../..", "/"},
    {"../../g", "/g"},
    {"../../../g", "/g"},
    {"/./g", "/g"},
    {"/../g", "/g"},
    {"g.", "/b/c/g."},
    {"..g", "/b/c/..g"},
    {"./../g", "/b/g"},
    {"g/./h", "/b/c/g/h"},
    {"g/../h", "/b/c/h"},
    {"g?y/../x", "/b/c/g?y/../x"},
};

}  // namespace

TEST(ClientUrl, what_can_be_asked_for_is_taken_apart) {
  for (const Good& good : kGood) {
    SCOPED_TRACE(good.text);
    ClientUrl url;
    EXPECT_EQ(parse_url(good.text, 100, url), "");
    EXPECT_EQ(url.host, good.host);
    EXPECT_EQ(url.port, good.port);
    EXPECT_EQ(url.authority, good.authority);
    EXPECT_EQ(url.target, good.target);
  }
}

TEST(ClientUrl, everything_else_is_refused_with_a_reason) {
  for (const char* text : kBad) {
    ClientUrl url;
    EXPECT_NE(parse_url(text, 100, url), "") << text;
  }
  ClientUrl url;
  EXPECT_NE(parse_url(std::string("http://a/\0", 10), 100, url), "");
  EXPECT_NE(parse_url("http://a/" + std::string(92, 'b'), 100, url), "");
  EXPECT_EQ(parse_url("http://a/" + std::string(91, 'b'), 100, url), "");
  EXPECT_EQ(parse_url("https://a/", 100, url), "https is not supported; use http");
}

TEST(ClientUrl, references_are_resolved_as_rfc_3986_has_it) {
  ClientUrl base;
  ASSERT_EQ(parse_url("http://a/b/c/d;p?q", 100, base), "");
  for (const auto& [reference, target] : kReferences) {
    ClientUrl url;
    EXPECT_EQ(resolve_url(base, reference, 100, url), "") << reference;
    EXPECT_EQ(url.target, target) << reference;
    EXPECT_TRUE(url.same_origin(base));
  }
  ClientUrl url;
  EXPECT_EQ(resolve_url(base, "//g:81/x", 100, url), "");
  EXPECT_EQ(url.text(), "http://g:81/x");
  EXPECT_FALSE(url.same_origin(base));
  EXPECT_EQ(resolve_url(base, "http://g", 100, url), "");
  EXPECT_EQ(url.text(), "http://g/");
  EXPECT_NE(resolve_url(base, "https://g", 100, url), "");
  EXPECT_NE(resolve_url(base, "mailto:a", 100, url), "");
  EXPECT_NE(resolve_url(base, "/a b", 100, url), "");
}

}  // namespace weft::http
