// What the fragments of docs/openapi.md take for granted, so that they can be compiled.
#pragma once

#include <optional>
#include <string>
#include <weft/weft.hpp>

struct NewBook {
  std::string title;
};
struct Book {
  int id = 0;
  std::string title;
};

template <>
struct weft::Schema<NewBook> {
  static constexpr auto fields = weft::fields(weft::field("title", &NewBook::title));
};
template <>
struct weft::Schema<Book> {
  static constexpr auto fields =
      weft::fields(weft::field("id", &Book::id), weft::field("title", &Book::title));
};

inline Book add(const NewBook& book) { return {1, book.title}; }
inline std::optional<Book> find(int) { return std::nullopt; }
inline weft::Created<Book> add_book(NewBook book) { return {add(book)}; }
