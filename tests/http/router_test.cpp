#include "http/router.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weft::http {

namespace {

// A router over patterns whose route ids are their places in the list.
Router make(std::initializer_list<std::string_view> patterns) {
  Router router;
  RouteId id = 0;
  for (const std::string_view pattern : patterns) {
    const auto error = router.add(Method::get, pattern, id++);
    EXPECT_FALSE(error.has_value()) << error->text;
  }
  return router;
}

// "pattern-id name=value ...", or what went wrong.
std::string look_up(const Router& router, std::string_view path, Method method = Method::get) {
  Params params;
  const Match match = router.match(method, path, params);
  if (match.state == MatchState::not_found) return "not found";
  if (match.state == MatchState::method_not_allowed)
    return "allowed: " + match.allowed.allow_text();
  if (match.state == MatchState::other_slash) return "go to " + with_other_slash(path);
  std::string text = std::to_string(match.route);
  for (std::size_t i = 0; i < params.size(); ++i) {
    text += " " + std::string(params.name(i)) + "=" + std::string(params.value(i));
  }
  return text;
}

std::string refusal(Router& router, Method method, std::string_view pattern) {
  const auto error = router.add(method, pattern, 99);
  return error ? error->text : "accepted";
}

}  // namespace

TEST(Router, static_paths_match_exactly) {
  const Router router = make({"/", "/users", "/users/all", "/use", "/about/"});
  EXPECT_EQ(look_up(router, "/"), "0");
  EXPECT_EQ(look_up(router, "/users"), "1");
  EXPECT_EQ(look_up(router, "/users/all"), "2");
  EXPECT_EQ(look_up(router, "/use"), "3");
  EXPECT_EQ(look_up(router, "/us"), "not found");
  EXPECT_EQ(look_up(router, "/users/"), "not found");
  EXPECT_EQ(look_up(router, "/users/al"), "not found");
  EXPECT_EQ(look_up(router, "/users/alls"), "not found");
  EXPECT_EQ(look_up(router, "/about"), "not found");
  EXPECT_EQ(look_up(router, "/Users"), "not found");
  EXPECT_EQ(look_up(router, "*"), "not found");
  EXPECT_EQ(look_up(router, ""), "not found");
}

TEST(Router, an_empty_router_finds_nothing) { EXPECT_EQ(look_up(Router(), "/"), "not found"); }

TEST(Router, a_parameter_takes_one_whole_segment_that_is_not_empty) {
  const Router router = make({"/users/:id", "/users/:id/posts/:post"});
  EXPECT_EQ(look_up(router, "/users/42"), "0 id=42");
  EXPECT_EQ(look_up(router, "/users/42/posts/7"), "1 id=42 post=7");
  EXPECT_EQ(look_up(router, "/users/"), "not found");
  EXPECT_EQ(look_up(router, "/users/42/"), "not found");
  EXPECT_EQ(look_up(router, "/users//posts/7"), "not found");
  EXPECT_EQ(look_up(router, "/users/a%2Fb"), "0 id=a%2Fb");
}

TEST(Router, a_wildcard_takes_the_rest_of_the_path_even_if_empty) {
  const Router router = make({"/static/*path", "/files/:volume/*rest"});
  EXPECT_EQ(look_up(router, "/static/css/site.css"), "0 path=css/site.css");
  EXPECT_EQ(look_up(router, "/static/"), "0 path=");
  EXPECT_EQ(look_up(router, "/static"), "not found");
  EXPECT_EQ(look_up(router, "/files/home/a/b"), "1 volume=home rest=a/b");
}

TEST(Router, static_text_beats_a_parameter_which_beats_a_wildcard) {
  const Router router = make({"/a/*rest", "/a/:id", "/a/me", "/*all"});
  EXPECT_EQ(look_up(router, "/a/me"), "2");
  EXPECT_EQ(look_up(router, "/a/you"), "1 id=you");
  EXPECT_EQ(look_up(router, "/a/you/too"), "0 rest=you/too");
  EXPECT_EQ(look_up(router, "/a/"), "0 rest=");
  EXPECT_EQ(look_up(router, "/b"), "3 all=b");
  EXPECT_EQ(look_up(router, "/"), "3 all=");
}

TEST(Router, a_choice_that_leads_nowhere_is_undone) {
  const Router router = make({"/a/me/settings", "/a/:id/posts", "/a/:id/:tab/edit", "/a/*rest"});
  EXPECT_EQ(look_up(router, "/a/me/settings"), "0");
  EXPECT_EQ(look_up(router, "/a/me/posts"), "1 id=me");
  EXPECT_EQ(look_up(router, "/a/me/posts/edit"), "2 id=me tab=posts");
  EXPECT_EQ(look_up(router, "/a/me/posts/drop"), "3 rest=me/posts/drop");
  EXPECT_EQ(look_up(router, "/a/method"), "3 rest=method");
}

TEST(Router, a_parameter_after_a_shared_prefix_is_found) {
  const Router router = make({"/team", "/teams/:id", "/te/:x", "/t/:y/z"});
  EXPECT_EQ(look_up(router, "/teams/1"), "1 id=1");
  EXPECT_EQ(look_up(router, "/te/1"), "2 x=1");
  EXPECT_EQ(look_up(router, "/t/1/z"), "3 y=1");
  EXPECT_EQ(look_up(router, "/t/1"), "not found");
}

TEST(Router, methods_have_routes_of_their_own_and_head_falls_back_to_get) {
  Router router;
  ASSERT_FALSE(router.add(Method::get, "/a", 1));
  ASSERT_FALSE(router.add(Method::post, "/a", 2));
  EXPECT_EQ(look_up(router, "/a", Method::get), "1");
  EXPECT_EQ(look_up(router, "/a", Method::post), "2");
  EXPECT_EQ(look_up(router, "/a", Method::head), "1");
  EXPECT_EQ(look_up(router, "/a", Method::delete_), "allowed: GET, HEAD, POST");
  EXPECT_EQ(look_up(router, "/a", Method::trace), "allowed: GET, HEAD, POST");
  ASSERT_FALSE(router.add(Method::head, "/a", 3));
  EXPECT_EQ(look_up(router, "/a", Method::head), "3");
}

TEST(Router, head_registered_before_get_keeps_its_route) {
  Router router;
  ASSERT_FALSE(router.add(Method::head, "/a", 3));
  EXPECT_EQ(look_up(router, "/a", Method::get), "allowed: HEAD");
  ASSERT_FALSE(router.add(Method::get, "/a", 1));
  EXPECT_EQ(look_up(router, "/a", Method::head), "3");
}

TEST(Router, a_path_whose_best_pattern_lacks_the_method_goes_to_the_next_that_has_it) {
  Router router;
  ASSERT_FALSE(router.add(Method::get, "/users/me", 1));
  ASSERT_FALSE(router.add(Method::post, "/users/:id", 2));
  EXPECT_EQ(look_up(router, "/users/me", Method::post), "2 id=me");
  EXPECT_EQ(look_up(router, "/users/me", Method::put), "allowed: GET, HEAD, POST");
}

TEST(Router, a_route_that_is_registered_already_is_refused_with_both_named) {
  Router router = make({"/users/:id"});
  const std::string text = refusal(router, Method::get, "/users/:id");
  EXPECT_NE(text.find("GET /users/:id is registered already, as GET /users/:id"), std::string::npos)
      << text;
  EXPECT_EQ(router.size(), 1U);
  EXPECT_EQ(look_up(router, "/users/1"), "0 id=1");
}

TEST(Router, another_name_for_a_parameter_at_the_same_place_is_refused_with_both_routes_named) {
  Router router = make({"/users/:id", "/files/*path"});
  const std::string text = refusal(router, Method::post, "/users/:name/posts");
  EXPECT_NE(text.find("/users/:name/posts"), std::string::npos) << text;
  EXPECT_NE(text.find("/users/:id"), std::string::npos) << text;
  EXPECT_NE(refusal(router, Method::post, "/files/*rest"), "accepted");
  EXPECT_EQ(look_up(router, "/users/1/posts", Method::post), "not found");
  EXPECT_EQ(refusal(router, Method::post, "/users/:id/posts"), "accepted");
  EXPECT_EQ(refusal(router, Method::post, "/user/:name"), "accepted");
}

TEST(Router, braces_are_another_way_to_write_parameters) {
  Router router = make({"/users/{id}", "/files/{path:path}"});
  EXPECT_EQ(look_up(router, "/users/42"), "0 id=42");
  EXPECT_EQ(look_up(router, "/files/a/b"), "1 path=a/b");
  EXPECT_EQ(refusal(router, Method::get, "/users/:id"),
            "GET /users/:id is registered already, as GET /users/{id}");
  EXPECT_EQ(refusal(router, Method::post, "/users/:name"),
            "POST /users/:name calls a parameter \"name\" that GET /users/{id} calls \"id\"; one "
            "place has one name");
  EXPECT_EQ(refusal(router, Method::get, "/files/*path"),
            "GET /files/*path is registered already, as GET /files/{path:path}");
}

TEST(Router, a_type_takes_what_fits_and_leaves_the_rest_to_others) {
  const Router router =
      make({"/{n:uint}", "/{i:int}", "/{u:uuid}", "/{h:hex}", "/{a:alpha}", "/:any", "/12"});
  EXPECT_EQ(look_up(router, "/12"), "6");
  EXPECT_EQ(look_up(router, "/007"), "0 n=007");
  EXPECT_EQ(look_up(router, "/18446744073709551615"), "0 n=18446744073709551615");
  EXPECT_EQ(look_up(router, "/18446744073709551616"), "3 h=18446744073709551616");
  EXPECT_EQ(look_up(router, "/-7"), "1 i=-7");
  EXPECT_EQ(look_up(router, "/-9223372036854775808"), "1 i=-9223372036854775808");
  EXPECT_EQ(look_up(router, "/-9223372036854775809"), "5 any=-9223372036854775809");
  EXPECT_EQ(look_up(router, "/123E4567-e89b-12d3-a456-426614174000"),
            "2 u=123E4567-e89b-12d3-a456-426614174000");
  EXPECT_EQ(look_up(router, "/7f"), "3 h=7f");
  EXPECT_EQ(look_up(router, "/Cafe"), "3 h=Cafe");
  EXPECT_EQ(look_up(router, "/Coffee"), "4 a=Coffee");
  for (const std::string text :
       {"+1", "-", "1.5", "%31", "1_0", "123e4567e89b12d3a456426614174000x",
        "123e4567-e89b-12d3-a456-42661417400"}) {
    EXPECT_EQ(look_up(router, "/" + text), "5 any=" + text);
  }
}

TEST(Router, what_no_type_fits_is_not_found) {
  const Router router = make({"/users/{id:int}/posts"});
  EXPECT_EQ(look_up(router, "/users/7/posts"), "0 id=7");
  EXPECT_EQ(look_up(router, "/users/me/posts"), "not found");
  EXPECT_EQ(look_up(router, "/users//posts"), "not found");
}

TEST(Router, a_typed_choice_that_leads_nowhere_is_undone) {
  const Router router = make({"/{a:uint}/{b:uint}/x", "/{c:int}/{d:alpha}", "/:e/y", "/*f"});
  EXPECT_EQ(look_up(router, "/1/2/x"), "0 a=1 b=2");
  EXPECT_EQ(look_up(router, "/1/z"), "1 c=1 d=z");
  EXPECT_EQ(look_up(router, "/1/y"), "1 c=1 d=y");
  EXPECT_EQ(look_up(router, "/q/y"), "2 e=q");
  EXPECT_EQ(look_up(router, "/1/2/z"), "3 f=1/2/z");
}

TEST(Router, parameters_of_different_types_at_one_place_have_names_of_their_own) {
  Router router = make({"/users/{id:int}", "/users/{name:alpha}"});
  EXPECT_EQ(look_up(router, "/users/7"), "0 id=7");
  EXPECT_EQ(look_up(router, "/users/me"), "1 name=me");
  EXPECT_EQ(
      refusal(router, Method::post, "/users/{number:int}/x"),
      "POST /users/{number:int}/x calls a parameter \"number\" that GET /users/{id:int} calls "
      "\"id\"; one place has one name");
}

TEST(Router, any_answers_what_has_no_route_of_its_own_whatever_came_first) {
  for (const bool any_first : {true, false}) {
    Router router;
    if (any_first) {
      ASSERT_FALSE(router.add_any("/a", 1));
    }
    ASSERT_FALSE(router.add(Method::get, "/a", 2));
    ASSERT_FALSE(router.add(Method::delete_, "/a", 3));
    if (!any_first) {
      ASSERT_FALSE(router.add_any("/a", 1));
    }
    EXPECT_EQ(look_up(router, "/a", Method::get), "2");
    EXPECT_EQ(look_up(router, "/a", Method::head), "2");
    EXPECT_EQ(look_up(router, "/a", Method::delete_), "3");
    EXPECT_EQ(look_up(router, "/a", Method::post), "1");
    EXPECT_EQ(look_up(router, "/a", Method::options), "1");
    EXPECT_EQ(look_up(router, "/a", Method::trace),
              "allowed: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    const auto again = router.add_any("/a", 4);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->text, "ANY /a is registered already, as ANY /a");
  }
}

TEST(Router, a_conflict_names_the_route_that_is_there_and_not_one_that_goes_on) {
  Router router = make({"/users/:id/posts", "/users/:id"});
  EXPECT_EQ(refusal(router, Method::get, "/users/:id"),
            "GET /users/:id is registered already, as GET /users/:id");
}

TEST(Router, a_slash_at_the_end_is_told_apart_unless_the_policy_says_otherwise) {
  Router router = make({"/a", "/b/", "/users/:id", "/files/*rest", "/both", "/both/", "/"});
  EXPECT_EQ(look_up(router, "/a/"), "not found");
  router.set_trailing_slash(TrailingSlash::redirect);
  EXPECT_EQ(look_up(router, "/a/"), "go to /a");
  EXPECT_EQ(look_up(router, "/b"), "go to /b/");
  EXPECT_EQ(look_up(router, "/users/7/"), "go to /users/7");
  EXPECT_EQ(look_up(router, "/files"), "go to /files/");
  EXPECT_EQ(look_up(router, "/a/", Method::post), "allowed: GET, HEAD");
  router.set_trailing_slash(TrailingSlash::ignore);
  EXPECT_EQ(look_up(router, "/a/"), "0");
  EXPECT_EQ(look_up(router, "/b"), "1");
  EXPECT_EQ(look_up(router, "/users/7/"), "2 id=7");
  EXPECT_EQ(look_up(router, "/files"), "3 rest=");
  EXPECT_EQ(look_up(router, "/both"), "4");
  EXPECT_EQ(look_up(router, "/both/"), "5");
  EXPECT_EQ(look_up(router, "/a//"), "not found");
  EXPECT_EQ(look_up(router, "/c"), "not found");
  EXPECT_EQ(look_up(router, "*"), "not found");
  EXPECT_EQ(look_up(router, ""), "not found");
}

TEST(Router, a_client_is_not_sent_to_another_server) {
  Router router = make({"/:a/", "//evil/x"});
  router.set_trailing_slash(TrailingSlash::redirect);
  EXPECT_EQ(look_up(router, "/\\evil"), "not found");
  EXPECT_EQ(look_up(router, "//evil/x/"), "not found");
  EXPECT_EQ(look_up(router, "/good"), "go to /good/");
}

TEST(Router, patterns_that_make_no_sense_are_refused) {
  Router router;
  std::string many;
  for (std::size_t i = 0; i <= max_route_params; ++i) many += "/:p" + std::to_string(i);
  for (const std::string_view pattern : {std::string_view(""),
                                         std::string_view("users"),
                                         std::string_view("/:"),
                                         std::string_view("/a/*"),
                                         std::string_view("/*rest/a"),
                                         std::string_view("/*rest/"),
                                         std::string_view("/a*"),
                                         std::string_view("/:a-b"),
                                         std::string_view("/:a/:a"),
                                         std::string_view("/a b"),
                                         std::string_view("/a?b"),
                                         std::string_view("/a#b"),
                                         std::string_view("/caf\xc3\xa9"),
                                         std::string_view("/{a"),
                                         std::string_view("/a}"),
                                         std::string_view("/{}"),
                                         std::string_view("/{a}b"),
                                         std::string_view("/b{a}"),
                                         std::string_view("/{a:}"),
                                         std::string_view("/{a:float}"),
                                         std::string_view("/{a:path}/b"),
                                         std::string_view("/{a:int}/{a}"),
                                         std::string_view("/{a:int:int}"),
                                         std::string_view("/:a{b}"),
                                         std::string_view(many)}) {
    EXPECT_NE(refusal(router, Method::get, pattern), "accepted") << pattern;
  }
  EXPECT_NE(refusal(router, Method::unknown, "/"), "accepted");
  EXPECT_EQ(router.size(), 0U);
}

TEST(Router, a_colon_inside_a_segment_is_text) {
  const Router router = make({"/v1/items:batch"});
  EXPECT_EQ(look_up(router, "/v1/items:batch"), "0");
}

TEST(Router, parameters_are_found_by_name_and_follow_a_path_that_moves) {
  const Router router = make({"/users/:id/posts/:post"});
  const std::string path = "/users/42/posts/7";
  Params params;
  ASSERT_EQ(router.match(Method::get, path, params).state, MatchState::found);
  EXPECT_EQ(params.find("post"), "7");
  EXPECT_EQ(params.find("nobody"), std::nullopt);
  const std::string moved = "/users/42/posts/7";
  params.rebase(moved.data());
  EXPECT_EQ(params.find("id"), "42");
  EXPECT_EQ(params.find("id")->data(), moved.data() + 7);
}

TEST(Router, parameters_outlive_later_registrations) {
  Router router = make({"/users/:id"});
  Params params;
  ASSERT_EQ(router.match(Method::get, "/users/1", params).state, MatchState::found);
  for (RouteId i = 0; i < 1000; ++i) {
    ASSERT_FALSE(router.add(Method::get, "/r" + std::to_string(i) + "/:x", i));
  }
  EXPECT_EQ(params.find("id"), "1");
}

TEST(Router, a_copy_is_independent) {
  Router router = make({"/a/:id"});
  const Router copy = router;
  ASSERT_FALSE(router.add(Method::get, "/b", 5));
  EXPECT_EQ(look_up(copy, "/b"), "not found");
  EXPECT_EQ(look_up(copy, "/a/1"), "0 id=1");
}

TEST(Router, a_thousand_routes_are_each_found) {
  Router router;
  for (RouteId i = 0; i < 1000; ++i) {
    const std::string base = "/api/v" + std::to_string(i % 7) + "/r" + std::to_string(i);
    ASSERT_FALSE(router.add(Method::get, base + "/:id", i));
    ASSERT_FALSE(router.add(Method::get, base, 1000 + i));
  }
  EXPECT_EQ(router.size(), 2000U);
  for (RouteId i = 0; i < 1000; ++i) {
    const std::string base = "/api/v" + std::to_string(i % 7) + "/r" + std::to_string(i);
    EXPECT_EQ(look_up(router, base), std::to_string(1000 + i));
    EXPECT_EQ(look_up(router, base + "/x"), std::to_string(i) + " id=x");
  }
}

}  // namespace weft::http
