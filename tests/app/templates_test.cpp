// Templates: files of a folder, filled in.
#include "weft/templates.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "http/server/server_test.hpp"

namespace weft {

namespace {

struct Guest {
  std::string name;
  int age = 0;
  std::vector<std::string> tags;
  std::optional<std::string> mail;
};

}  // namespace

template <>
struct Schema<Guest> {
  static constexpr auto fields =
      weft::fields(field("name", &Guest::name), field("age", &Guest::age),
                   field("tags", &Guest::tags, defaulted()), field("mail", &Guest::mail));
};

namespace {

namespace fs = std::filesystem;

// A folder of its own, which goes with it.
class ViewFolder {
 public:
  ViewFolder() {
    std::string pattern = (fs::temp_directory_path() / "weft-views-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~ViewFolder() { fs::remove_all(path_); }
  ViewFolder(const ViewFolder&) = delete;
  ViewFolder& operator=(const ViewFolder&) = delete;

  void write(const std::string& name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

std::string refusal(const ViewFolder& folder, const TemplatesOptions& options = {}) {
  try {
    const Templates views(folder.path(), options);
  } catch (const TemplateError& error) {
    std::string text = error.what();
    const std::size_t at = text.find(folder.path());
    if (at != std::string::npos) text.replace(at, folder.path().size(), "VIEWS");
    return text;
  }
  return {};
}

std::string one(std::string_view text, const JsonValue& data) {
  const ViewFolder folder;
  folder.write("a.html", text);
  return Templates(folder.path()).render("a.html", data);
}

}  // namespace

TEST(Templates, values_are_escaped_unless_asked_for_as_they_are) {
  const std::string x = "<a href=\"b\">'&'</a>";
  EXPECT_EQ(one("{{x}}", {{"x", x}}), "&lt;a href=&quot;b&quot;&gt;&apos;&amp;&apos;&lt;/a&gt;");
  EXPECT_EQ(one("{{{x}}}|{{& x }}", {{"x", x}}), "<a href=\"b\">'&'</a>|<a href=\"b\">'&'</a>");
  EXPECT_EQ(one("[{{y}}]{{! {{ nothing }}", {{"x", x}}), "[]");
}

TEST(Templates, a_text_is_not_escaped) {
  const ViewFolder folder;
  folder.write("mail.txt", "Dear {{x}}");
  EXPECT_EQ(Templates(folder.path()).render("mail.txt", {{"x", "<a> & b"}}), "Dear <a> & b");
}

TEST(Templates, sections_repeat_show_and_hide) {
  EXPECT_EQ(one("{{#l}}<{{.}}>{{/l}}", {{"l", {"a", "b"}}}), "<a><b>");
  EXPECT_EQ(one("{{#l}}x{{/l}}{{^l}}none{{/l}}", {{"l", json_array({})}}), "none");
  EXPECT_EQ(one("{{#o}}{{a}}{{b}}{{/o}}", {{"o", {{"a", 1}, {"b", 2.5}}}, {"b", "out"}}), "12.5");
  EXPECT_EQ(one("{{#yes}}y{{/yes}}{{#no}}n{{/no}}{{^null}}0{{/null}}",
                {{"yes", true}, {"no", false}, {"null", nullptr}}),
            "y0");
  EXPECT_EQ(one("{{o.a.b}}", {{"o", {{"a", {{"b", -7}}}}}}), "-7");
  // Lines of nothing but a section's tag leave none.
  EXPECT_EQ(one("<ul>\n{{#l}}\n<li>{{.}}\n{{/l}}\n</ul>\n", {{"l", {"a", "b"}}}),
            "<ul>\n<li>a\n<li>b\n</ul>\n");
}

TEST(Templates, structs_and_documents_fill_them_too) {
  const ViewFolder folder;
  folder.write("a.html", "{{name}} {{age}}{{#tags}} {{.}}{{/tags}}{{^mail}} no mail{{/mail}}");
  const Templates views(folder.path());
  EXPECT_EQ(views.render("a.html", Guest{"Zoë", 30, {"a", "<b>"}, {}}),
            "Zoë 30 a &lt;b&gt; no mail");
  const auto parsed = JsonDocument::parse(
      R"({"name":"n","age":18446744073709551615,"tags":[1.5,true],"mail":"m"})");
  EXPECT_EQ(views.render("a.html", std::get<JsonDocument>(parsed).root()),
            "n 18446744073709551615 1.5 ");
}

TEST(Templates, files_include_one_another_and_fill_the_blocks_of_a_layout) {
  const ViewFolder folder;
  folder.write("layout.html",
               "<title>{{$title}}Site{{/title}}</title>{{> parts/nav.html}}"
               "<main>{{$body}}{{$inner}}empty{{/inner}}{{/body}}</main>");
  folder.write("parts/nav.html", "<nav>{{user}}</nav>");
  folder.write("plain.html", "{{< layout.html}}{{/layout.html}}");
  folder.write("user.html",
               "{{< layout.html}} ignored {{$title}}{{user}}{{/title}}"
               "{{$body}}{{#l}}{{> parts/nav.html}}{{/l}}{{/body}}{{/layout.html}}");
  folder.write("section.html", "{{< layout.html}}{{$inner}}in{{/inner}}{{/layout.html}}");
  folder.write("deep.html",
               "{{< section.html}}{{$title}}t{{/title}}{{$inner}}deep{{/inner}}"
               "{{/section.html}}");
  const Templates views(folder.path());
  EXPECT_EQ(views.names(), (std::vector<std::string>{"deep.html", "layout.html", "parts/nav.html",
                                                     "plain.html", "section.html", "user.html"}));
  const std::string nav = "<nav>&lt;u&gt;</nav>";
  EXPECT_EQ(views.render("plain.html", {{"user", "<u>"}}),
            "<title>Site</title>" + nav + "<main>empty</main>");
  EXPECT_EQ(views.render("user.html", {{"user", "<u>"}, {"l", {1, 2}}}),
            "<title>&lt;u&gt;</title>" + nav + "<main>" + nav + nav + "</main>");
  EXPECT_EQ(views.render("section.html", {{"user", "<u>"}}),
            "<title>Site</title>" + nav + "<main>in</main>");
  EXPECT_EQ(views.render("deep.html", {{"user", "<u>"}}),
            "<title>t</title>" + nav + "<main>deep</main>");
}

TEST(Templates, what_is_malformed_is_refused_at_once_with_its_place) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"a\nb {{x", "VIEWS/a.html:2: a tag is not closed"},
      {"{{{x}} }", "VIEWS/a.html:1: a tag is not closed"},
      {"{{", "VIEWS/a.html:1: a tag is not closed"},
      {"{{}}", "VIEWS/a.html:1: a tag has no name"},
      {"{{# }}", "VIEWS/a.html:1: a tag has no name"},
      {"\n\n{{#a}}\n{{/b}}", "VIEWS/a.html:4: \"b\" is closed where \"a\" is open, since line 3"},
      {"\n{{#a}}{{#b}}{{/b}}", "VIEWS/a.html:2: section \"a\" is not closed"},
      {"{{/a}}", "VIEWS/a.html:1: \"a\" is closed, but was not opened"},
      {"{{=<% %>=}}", "VIEWS/a.html:1: the marks of tags cannot be changed"},
      {"\n{{> no.html}}", "VIEWS/a.html:2: there is no template \"no.html\" in VIEWS"},
      {"{{> ../a.html}}", "VIEWS/a.html:1: there is no template \"../a.html\" in VIEWS"},
      {"x{{> a.html}}",
       "VIEWS/a.html:1: more than 16 templates include one another; does one of them include "
       "itself?"},
      {"{{#a}}{{x\n}}{{/a}}{{y{z}}",
       "VIEWS/a.html:2: a tag's name has braces or line breaks in it"},
  };
  for (const auto& [text, message] : kCases) {
    const ViewFolder folder;
    folder.write("a.html", text);
    std::string told = refusal(folder);
    for (std::size_t at; (at = told.find(folder.path())) != std::string::npos;) {
      told.replace(at, folder.path().size(), "VIEWS");
    }
    EXPECT_EQ(told, message) << text;
  }
  EXPECT_EQ(refusal(ViewFolder()), "");
  EXPECT_THROW(Templates("/nowhere/at/all"), TemplateError);
}

TEST(Templates, every_size_has_a_bound) {
  std::string deep;
  for (int i = 0; i < 17; ++i) deep += "{{#a}}";
  for (int i = 0; i < 17; ++i) deep += "{{/a}}";
  const ViewFolder folder;
  folder.write("a.html", deep);
  EXPECT_EQ(refusal(folder), "VIEWS/a.html:1: more than 16 sections in one another");
  // Each file is short, and what they make together is not.
  folder.write("a.html", "{{> b.html}}{{> b.html}}");
  folder.write("b.html", std::string(600, 'x'));
  EXPECT_EQ(refusal(folder, {.bytes = 1000}),
            "VIEWS/b.html:1: with what it includes the template has more than 1000 bytes, which "
            "TemplatesOptions::bytes allows");
  EXPECT_EQ(refusal(folder, {.bytes = 500}),
            "VIEWS/b.html has more than 500 bytes, which TemplatesOptions::bytes allows");
  EXPECT_EQ(refusal(folder, {.files = 1}),
            "VIEWS has more than 1 templates, which TemplatesOptions::files allows");
  EXPECT_EQ(refusal(folder, {.bytes = 2000, .files = 2}), "");
}

TEST(Templates, files_that_include_one_another_over_and_over_are_refused) {
  const ViewFolder folder;
  // Sixteen to the power of ten, of nothing.
  for (int i = 0; i < 10; ++i) {
    std::string text;
    for (int j = 0; j < 16; ++j) text += "{{> " + std::to_string(i + 1) + ".html}}";
    folder.write(std::to_string(i) + ".html", text);
  }
  folder.write("10.html", "");
  EXPECT_NE(refusal(folder).find("more than 100000 tags and texts"), std::string::npos);
}

TEST(Templates, nothing_outside_the_folder_is_read) {
  const ViewFolder outside;
  outside.write("secret.html", "secret");
  outside.write("below/secret.html", "secret");
  const ViewFolder folder;
  folder.write("a.html", "a");
  folder.write(".hidden.html", "hidden");
  folder.write(".git/b.html", "hidden");
  folder.write("picture.png", "{{");
  fs::create_symlink(outside.path() + "/secret.html", folder.path() + "/link.html");
  fs::create_symlink(outside.path() + "/below", folder.path() + "/linked");
  fs::create_symlink("a.html", folder.path() + "/same.html");
  const Templates views(folder.path());
  EXPECT_EQ(views.names(), (std::vector<std::string>{"a.html", "same.html"}));
  for (const char* name : {"../secret.html", "/etc/passwd", "link.html", ".hidden.html", ""}) {
    EXPECT_THROW(views.render(name, {{"x", 1}}), TemplateError) << name;
  }
}

TEST(Templates, several_threads_fill_one_in_at_once) {
  const ViewFolder folder;
  folder.write("a.html", "{{#l}}{{x}}:{{.}} {{/l}}");
  const Templates views(folder.path());
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const std::string expected = std::to_string(i) + ":a " + std::to_string(i) + ":b ";
      for (int n = 0; n < 500; ++n) {
        if (views.render("a.html", {{"x", i}, {"l", {"a", "b"}}}) != expected) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Templates, changes_are_seen_where_that_is_asked_for) {
  const ViewFolder folder;
  folder.write("a.html", "one");
  const Templates kept(folder.path());
  const Templates fresh(folder.path(), {.reload = true});
  folder.write("a.html", "two and more");
  folder.write("b.html", "b");
  EXPECT_EQ(kept.render("a.html", {{"x", 1}}), "one");
  EXPECT_THROW(kept.render("b.html", {{"x", 1}}), TemplateError);
  EXPECT_EQ(fresh.render("a.html", {{"x", 1}}), "two and more");
  EXPECT_EQ(fresh.render("b.html", {{"x", 1}}), "b");
  folder.write("a.html", "{{#x}}");
  EXPECT_THROW(fresh.render("a.html", {{"x", 1}}), TemplateError);
  folder.write("a.html", "mended!");
  EXPECT_EQ(fresh.render("a.html", {{"x", 1}}), "mended!");
}

namespace {

class TemplateAnswers : public http::test::ServerTest {};
INSTANTIATE_TEST_SUITE_P(Backends, TemplateAnswers, http::test::every_backend,
                         http::test::backend_of);

}  // namespace

TEST_P(TemplateAnswers, have_the_type_of_their_name_and_500_where_there_is_none) {
  const ViewFolder folder;
  folder.write("a.html", "<p>{{name}}</p>");
  folder.write("a.txt", "{{name}}");
  folder.write("a.xml", "<x>{{name}}</x>");
  std::string deep;
  for (int i = 0; i < 16; ++i) deep += "{{#a}}";
  deep += "{{name}}";
  for (int i = 0; i < 16; ++i) deep += "{{/a}}";
  folder.write("deep.html", deep);
  const Templates views(folder.path());
  app.get("/as/{file}",
          [&](Context& c) { c.render(views, c.param("file"), {{"name", "<n>"}, {"a", true}}); });
  app.get("/guest", [&](Context& c) { c.render(views, "a.html", Guest{"g", 1, {}, {}}); });
  start();
  http::test::Client client = connect();
  http::test::Answer answer = client.get("/as/a.html");
  EXPECT_EQ(answer.body, "<p>&lt;n&gt;</p>");
  EXPECT_EQ(answer.field("content-type"), "text/html; charset=utf-8");
  answer = client.get("/as/a.txt");
  EXPECT_EQ(answer.body, "<n>");
  EXPECT_EQ(answer.field("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(client.get("/as/a.xml").field("content-type"), "application/xml; charset=utf-8");
  EXPECT_EQ(client.get("/guest").body, "<p>g</p>");
  // As deep as it may be, on the stack of a handler.
  EXPECT_EQ(client.get("/as/deep.html").body, "&lt;n&gt;");
  EXPECT_EQ(client.get("/as/b.html").status, 500);
  EXPECT_EQ(connect().get("/as/..%2Fa.html").status, 500);
}

}  // namespace weft
