// An API that describes itself: typed handlers, the document at /openapi.json, a page at /docs.
//
//     api [--host 127.0.0.1] [--port 8080] [--workers 1] [--backend auto]
//     curl -d '{"title":"Emma","pages":474}' -H 'Content-Type: application/json'
//     127.0.0.1:8080/books
#include <map>
#include <mutex>
#include <optional>
#include <weft/weft.hpp>

struct Book {
  int id = 0;
  std::string title;
  int pages = 0;
};
struct Search {
  std::string title;
};

template <>
struct weft::Schema<Book> {
  static constexpr auto fields = weft::fields(
      weft::field("id", &Book::id, weft::defaulted(), weft::about("Given by the shelf")),
      weft::field("title", &Book::title, weft::length(1, 100)),
      weft::field("pages", &Book::pages, weft::range(1, 10'000)));
};
template <>
struct weft::Schema<Search> {
  static constexpr auto fields =
      weft::fields(weft::field("title", &Search::title, weft::defaulted()));
};

int main(int argc, char** argv) {
  weft::Mutex mutex;          // guards what follows
  std::map<int, Book> shelf;  // by id
  weft::App app;
  app.openapi({.title = "Books", .description = "A shelf of books."});
  auto books = app.group("/books");
  books.describe({.tags = {"books"}});
  books.post("", weft::describe_route({.summary = "Put a book on the shelf"}),
             weft::typed([&](Book book) -> weft::Created<Book> {
               const std::lock_guard lock(mutex);
               book.id = static_cast<int>(shelf.size()) + 1;
               return {shelf[book.id] = book};
             }));
  books.get("", weft::describe_route({.summary = "Find books by a part of their title"}),
            weft::typed([&](const weft::FromQuery<Search>& search) {
              const std::lock_guard lock(mutex);
              std::vector<Book> found;
              for (const auto& [id, book] : shelf) {
                if (book.title.find(search->title) != std::string::npos) found.push_back(book);
              }
              return found;
            }));
  books.get("/{id:int}", weft::typed([&](int id) -> std::optional<Book> {
              const std::lock_guard lock(mutex);
              return shelf.contains(id) ? std::optional(shelf[id]) : std::nullopt;
            }));
  return app.run(weft::Options::from_arguments(argc, argv));
}
