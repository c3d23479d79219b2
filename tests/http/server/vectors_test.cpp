// Replays the vectors against a running server: each on some topology, and in the slow set on all;
// whole, and for a part of them byte by byte.

#include <gtest/gtest.h>

#include "http/vector_file.hpp"
#include "server_test.hpp"

namespace weft::http::test {

namespace {

class ServerVectors : public ServerTest {
 protected:
  enum class Sent { whole, byte_by_byte };

  void send(Client& client, const MessageVector& vector, Sent how, std::string_view before = {}) {
    const std::string bytes = std::string(before) + vector.input;
    how == Sent::whole ? client.send(bytes) : client.send_byte_by_byte(bytes);
  }

  // Every `stride`-th vector, from another one on each topology; of long ones no byte by byte.
  std::vector<MessageVector> choose(std::string_view folder, Sent how, std::size_t stride) const {
    // The models take up where the topologies end.
    std::size_t number = 2 * is_shared() + (backend() == "io_uring");
    if (model() == "callback") number += 2;
    std::vector<MessageVector> chosen;
    for (MessageVector& vector : read_vectors(folder)) {
      if (!vector.uses_default_limits()) continue;
      if (how == Sent::byte_by_byte && vector.input.size() > 300) continue;
      if (number++ % stride == 0) chosen.push_back(std::move(vector));
    }
    return chosen;
  }

  void replay_heads(Sent how, std::size_t stride);
  void replay_chunked_bodies(Sent how, std::size_t stride);
  void replay_exchanges(Sent how);
};
INSTANTIATE_TEST_SUITE_P(Topologies, ServerVectors, every_topology, backend_of);

class SlowServerVectors : public ServerVectors {};
INSTANTIATE_TEST_SUITE_P(Slow, SlowServerVectors, every_topology, backend_of);

void expect_refusal(Client& client, const Answer& answer, const MessageVector& vector) {
  EXPECT_EQ(std::to_string(answer.status), vector.outcome);
  EXPECT_TRUE(answer.announces_close());
  EXPECT_TRUE(client.is_ended());
}

void ServerVectors::replay_heads(Sent how, std::size_t stride) {
  for (const MessageVector& vector : choose("head", how, stride)) {
    SCOPED_TRACE(vector.where);
    const bool is_head = vector.input.starts_with("HEAD ");
    Client client = connect();
    send(client, vector, how);
    if (vector.outcome == "incomplete" || vector.outcome == "complete") client.shutdown_write();
    if (vector.outcome == "incomplete") {
      EXPECT_TRUE(client.is_ended());
    } else if (vector.outcome == "complete") {
      EXPECT_NE(client.read_answer(is_head).status, 0);
    } else {
      expect_refusal(client, client.read_answer(is_head), vector);
    }
  }
  EXPECT_TRUE(all_connections_closed());
}

void ServerVectors::replay_chunked_bodies(Sent how, std::size_t stride) {
  for (const MessageVector& vector : choose("chunked", how, stride)) {
    SCOPED_TRACE(vector.where);
    Client client = connect();
    send(client, vector, how,
         "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (vector.outcome == "incomplete") client.shutdown_write();
    const Answer answer = client.read_answer();
    if (vector.outcome == "complete") {
      EXPECT_EQ(answer.status, 200);
      for (const auto& [key, value] : vector.facts) {
        if (key == "body") {
          EXPECT_EQ(answer.body, value);
        }
      }
    } else if (vector.outcome == "incomplete") {
      EXPECT_EQ(answer.status, 400);
    } else {
      expect_refusal(client, answer, vector);
    }
  }
  EXPECT_TRUE(all_connections_closed());
}

// The facts of an exchange are what happens, one after the other.
void follow(Client& client, const MessageVector& vector) {
  Answer answer;
  for (const auto& [key, value] : vector.facts) {
    if (key == "half_close") {
      client.shutdown_write();
    } else if (key == "status" || key == "head_status") {
      answer = client.read_answer(key == "head_status");
      EXPECT_EQ(std::to_string(answer.status), value);
      EXPECT_FALSE(answer.field("date").empty());
    } else if (key == "body") {
      EXPECT_EQ(answer.body, value);
    } else if (key.starts_with("field.")) {
      EXPECT_EQ(answer.field(key.substr(6)), value) << key;
    } else if (key == "end" && value == "open") {
      EXPECT_EQ(client.get("/").body, "hello");
    } else if (key == "end" && value == "closed") {
      EXPECT_TRUE(client.is_ended());
    } else {
      ADD_FAILURE() << "unknown fact " << key << "=" << value;
    }
  }
}

void ServerVectors::replay_exchanges(Sent how) {
  for (const MessageVector& vector : read_vectors("server")) {
    if (how == Sent::byte_by_byte && vector.input.size() > 1000) continue;
    SCOPED_TRACE(vector.where);
    ASSERT_EQ(vector.outcome, "answers");
    Client client = connect();
    send(client, vector, how);
    follow(client, vector);
  }
  EXPECT_TRUE(all_connections_closed());
}

}  // namespace

TEST_P(ServerVectors, heads_get_what_they_claim) {
  start();
  replay_heads(Sent::whole, 4);
  replay_heads(Sent::byte_by_byte, 20);
}

TEST_P(ServerVectors, chunked_bodies_get_what_they_claim) {
  start();
  replay_chunked_bodies(Sent::whole, 4);
  replay_chunked_bodies(Sent::byte_by_byte, 20);
}

TEST_P(SlowServerVectors, every_head_gets_what_it_claims) {
  start();
  replay_heads(Sent::whole, 1);
  replay_heads(Sent::byte_by_byte, 1);
}

TEST_P(SlowServerVectors, every_chunked_body_gets_what_it_claims) {
  start();
  replay_chunked_bodies(Sent::whole, 1);
  replay_chunked_bodies(Sent::byte_by_byte, 1);
}

TEST_P(ServerVectors, every_exchange_sent_whole_goes_as_claimed) {
  start();
  replay_exchanges(Sent::whole);
}

TEST_P(ServerVectors, every_exchange_sent_byte_by_byte_goes_as_claimed) {
  start();
  replay_exchanges(Sent::byte_by_byte);
}

}  // namespace weft::http::test
