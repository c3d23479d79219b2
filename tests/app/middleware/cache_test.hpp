// CacheTest: an App whose handlers count their calls, for tests of cache() and etag().
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "http/server/server_test.hpp"

namespace weft::app::test {

inline std::string get_request(std::string_view target, std::string_view fields = {},
                               std::string_view method = "GET") {
  return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: A.example\r\n" +
         std::string(fields) + "\r\n";
}

class CacheTest : public http::test::ServerTest {
 protected:
  // Each call is told from the others by its number.
  void count_calls(Context& c) { c.text("call " + std::to_string(++calls)); }
  http::test::Answer ask(std::string_view target, std::string_view fields = {},
                         std::string_view method = "GET") {
    http::test::Client client = connect();
    client.send(get_request(target, fields, method));
    return client.read_answer(method == "HEAD");
  }
  // How often the handler is called for two requests of the same.
  int calls_for_two(std::string_view target, std::string_view fields = {}) {
    const int before = calls;
    ask(target, fields);
    ask(target, fields);
    return calls - before;
  }

  std::shared_ptr<ResponseCache> store = std::make_shared<ResponseCache>();
  std::atomic<int> calls{0};
};

}  // namespace weft::app::test
