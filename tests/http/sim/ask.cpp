#include "ask.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace weft::http::test {

namespace {

constexpr std::size_t kDateLength = 29;
constexpr std::string_view kPlainUtf8 = "text/plain; charset=utf-8";

std::string random_body(Random& random, std::size_t size) {
  std::string body(size, ' ');
  for (char& c : body) c = static_cast<char>(random.between(1, 255));
  return body;
}

// Mostly small, sometimes more than a block, seldom more than several.
std::size_t random_size(Random& random) {
  const std::uint64_t kind = random.below(100);
  if (kind < 20) return random.below(3);
  if (kind < 80) return random.below(400);
  if (kind < 95) return random.below(6'000);
  return random.below(30'000);
}

std::string chunk_size_text(std::size_t size) {
  std::array<char, 16> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + 16, size, 16).ptr};
}

std::string chunked(Random& random, std::string_view body) {
  std::string out;
  while (!body.empty()) {
    const std::size_t size = random.between(1, std::min<std::size_t>(body.size(), 2'000));
    out += chunk_size_text(size);
    if (random.chance(10)) out += ";note=\"x\"";
    out += "\r\n";
    out += body.substr(0, size);
    out += "\r\n";
    body.remove_prefix(size);
  }
  out += "0\r\n";
  if (random.chance(15)) out += "Digest: none\r\n";
  return out + "\r\n";
}

struct Line {
  std::string_view method = "GET";
  std::string_view target;
  std::string_view version = "HTTP/1.1";
};

std::string head_text(const Line& line, std::string_view fields) {
  std::string out(line.method);
  out += ' ';
  out += line.target;
  out += ' ';
  out += line.version;
  out += "\r\nHost: sim\r\n";
  out += fields;
  return out + "\r\n";
}

// `head` and `body` as a request that its handler reads whole, or answers at its head.
Ask make_ask(std::string head, std::string_view body, bool body_is_read, const Expected& expected) {
  Ask ask;
  ask.bytes = std::move(head);
  ask.head_bytes = ask.bytes.size();
  ask.answerable_at = ask.bytes.size() + (body_is_read ? body.size() : 0);
  ask.bytes += body;
  ask.answer = answer_text(expected, false);
  ask.last_answer = answer_text(expected, true);
  return ask;
}

Ask random_post(Random& random) {
  const std::string body = random_body(random, random_size(random));
  constexpr std::array<std::string_view, 4> kTargets{"/echo", "/park-echo", "/length", "/parts"};
  const std::string_view target = kTargets[random.below(kTargets.size())];
  const std::string length = std::to_string(body.size());
  const bool in_chunks = random.chance(40);
  const bool expects = random.chance(15);
  std::string fields = in_chunks ? std::string("Transfer-Encoding: chunked\r\n")
                                 : "Content-Length: " + length + "\r\n";
  if (expects) fields += "Expect: 100-continue\r\n";
  Expected expected;
  expected.body = target == "/length" ? length : body;
  Ask ask = make_ask(head_text({"POST", target}, fields), in_chunks ? chunked(random, body) : body,
                     true, expected);
  ask.may_continue = expects;
  return ask;
}

Ask random_unread(Random& random) {
  const std::string body = random_body(random, random_size(random));
  const bool in_chunks = random.chance(30);
  const std::string fields = in_chunks ? std::string("Transfer-Encoding: chunked\r\n")
                                       : "Content-Length: " + std::to_string(body.size()) + "\r\n";
  Expected expected;
  expected.body = "not read";
  Ask ask = make_ask(head_text({"POST", "/unread"}, fields),
                     in_chunks ? chunked(random, body) : body, false, expected);
  ask.closes = in_chunks;
  return ask;
}

Ask random_parked(Random& random) {
  const std::string number = std::to_string(random.below(30));
  const std::string target = (random.chance(50) ? "/sleep/" : "/yield/") + number;
  return get(target, number);
}

Ask random_failing(Random& random) {
  constexpr std::array<std::string_view, 3> kTargets{"/throw", "/throw-oddly", "/park-throw"};
  return failing(kTargets[random.below(kTargets.size())]);
}

Ask random_other(Random& random) {
  Expected expected;
  switch (random.below(5)) {
    case 0:
      expected = {"404 Not Found", kPlainUtf8, {}, "Not Found\n"};
      return make_ask(head_text({"GET", "/nowhere"}, {}), {}, true, expected);
    case 1:
      expected = {"405 Method Not Allowed", kPlainUtf8, "Allow: GET, HEAD, OPTIONS\r\n",
                  "Method Not Allowed\n"};
      return make_ask(head_text({"DELETE", "/hello"}, {}), {}, true, expected);
    case 2: {
      expected.body = "hello";
      Ask ask = make_ask(head_text({"GET", "/hello"}, "Connection: close\r\n"), {}, true, expected);
      ask.closes = ask.says_last = true;
      return ask;
    }
    case 3: {
      expected.body = "hello";
      expected.http_1_0 = true;
      const bool keep = random.chance(60);
      Ask ask = make_ask(
          head_text({"GET", "/hello", "HTTP/1.0"}, keep ? "Connection: keep-alive\r\n" : ""), {},
          true, expected);
      ask.closes = ask.says_last = !keep;
      return ask;
    }
    default: return head_of_hello();
  }
}

}  // namespace

std::string answer_text(const Expected& expected, bool closing) {
  std::string out = "HTTP/1.1 ";
  out += expected.status_line;
  out += "\r\nServer: weft\r\nDate: ";
  out.append(kDateLength, kAnyByte);
  out += "\r\n";
  if (closing) {
    out += "Connection: close\r\n";
  } else if (expected.http_1_0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "Content-Type: ";
  out += expected.content_type;
  out += "\r\n";
  out += expected.fields;
  out += expected.in_chunks
             ? "Transfer-Encoding: chunked\r\n\r\n"
             : "Content-Length: " + std::to_string(expected.body.size()) + "\r\n\r\n";
  if (!expected.head_only) out += expected.body;
  return out;
}

Ask get(std::string_view target, std::string_view body) {
  Expected expected;
  expected.body = body;
  return make_ask(head_text({"GET", target}, {}), {}, true, expected);
}

Ask post_echo(std::string_view body) {
  Expected expected;
  expected.body = body;
  return make_ask(
      head_text({"POST", "/echo"}, "Content-Length: " + std::to_string(body.size()) + "\r\n"), body,
      true, expected);
}

Ask post_parts(std::string_view body) {
  Expected expected;
  expected.body = body;
  return make_ask(
      head_text({"POST", "/parts"}, "Content-Length: " + std::to_string(body.size()) + "\r\n"),
      body, true, expected);
}

Ask streamed(std::size_t bytes) { return get("/stream/" + std::to_string(bytes), big_body(bytes)); }

Ask file_part(std::size_t bytes) { return get("/file/" + std::to_string(bytes), big_body(bytes)); }

Ask streamed_in_chunks(std::size_t count) {
  std::string sent;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string part = numbered_part(i);
    const std::string size = chunk_size_text(part.size());
    sent += std::string(4 - size.size(), '0') + size + "\r\n" + part + "\r\n";
  }
  sent += "0\r\nLast: yes\r\n\r\n";
  Expected expected;
  expected.body = sent;
  expected.in_chunks = true;
  return make_ask(head_text({"GET", "/chunks/" + std::to_string(count)}, {}), {}, true, expected);
}

Ask post_echo_in_chunks(const std::vector<std::string>& chunks) {
  Expected expected;
  std::string whole;
  std::string sent;
  for (const std::string& chunk : chunks) {
    whole += chunk;
    sent += chunk_size_text(chunk.size()) + "\r\n" + chunk + "\r\n";
  }
  expected.body = whole;
  return make_ask(head_text({"POST", "/echo"}, "Transfer-Encoding: chunked\r\n"),
                  sent + "0\r\n\r\n", true, expected);
}

Ask head_of_hello() {
  Expected expected;
  expected.body = "hello";
  expected.head_only = true;
  return make_ask(head_text({"HEAD", "/hello"}, {}), {}, true, expected);
}

Ask failing(std::string_view target) {
  const Expected expected{"500 Internal Server Error", kPlainUtf8, {}, "Internal Server Error\n"};
  return make_ask(head_text({"GET", target}, {}), {}, true, expected);
}

Ask random_ask(Random& random) {
  const std::uint64_t kind = random.below(100);
  if (kind < 25) return get("/hello", "hello");
  if (kind < 45) return random_post(random);
  if (kind < 65) return random_parked(random);
  if (kind < 75) {
    const std::size_t size = random.chance(80) ? random.below(20'000) : random.below(300'000);
    if (random.chance(25)) return file_part(size);
    if (random.chance(40)) return streamed(size);
    if (random.chance(30)) return streamed_in_chunks(size / 1'000);
    return get("/big/" + std::to_string(size), big_body(size));
  }
  if (kind < 82) return random_failing(random);
  if (kind < 90) return random_unread(random);
  return random_other(random);
}

std::string numbered_part(std::size_t number) {
  return "part " + std::to_string(number) + std::string(number * 37 % 2'000, '.');
}

std::string big_body(std::size_t bytes) {
  std::string body(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) body[i] = static_cast<char>('A' + i * i % 53);
  return body;
}

}  // namespace weft::http::test
