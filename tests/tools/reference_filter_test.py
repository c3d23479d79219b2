"""Tests scripts/reference_filter.py: what Doxygen is told that a comment is about."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import reference_filter  # noqa: E402


def filtered(*lines):
    text = reference_filter.Filter(["// Things.", "#pragma once", "namespace weft {", *lines,
                                    "}  // namespace weft"]).run()
    return text.split("namespace weft {\n", 1)[1].rsplit("}", 1)[0].splitlines()


class Comments(unittest.TestCase):
    def test_one_in_front_is_about_the_declaration(self):
        self.assertEqual(filtered("// Does it.", "void run();"), ["/// Does it.", "void run();"])

    def test_one_before_a_blank_line_is_about_nothing(self):
        self.assertEqual(filtered("// Notes.", "", "void run();"), ["", "void run();"])

    def test_one_behind_a_member_is_about_it(self):
        self.assertEqual(
            filtered("struct A {", "  int size = 0;  // in bytes", "                 // or so",
                     "};"),
            ["struct A {", "  int size = 0;  ///< in bytes", "///< or so", "};"])

    def test_a_literal_is_no_comment(self):
        self.assertEqual(filtered('inline const char* url = "http://x";  // there'),
                         ['inline const char* url = "http://x";  ///< there'])

    def test_overloads_that_follow_share_it(self):
        self.assertEqual(
            filtered("// Runs.", "void run() { go('{'); }", "template <class T>",
                     "void run(T x = {});", "void stop();"),
            ["/// Runs.", "void run() { go('{'); }", "/// Runs.", "template <class T>",
             "void run(T x = {});", "void stop();"])

    def test_each_is_about_all_that_follow(self):
        self.assertEqual(filtered("// Each runs.", "void a();", "int b() const;", "", "void c();"),
                         ["/// Each runs.", "void a();", "/// Each runs.", "int b() const;", "",
                          "void c();"])

    def test_a_move_does_not_share_that_of_another_constructor(self):
        self.assertEqual(
            filtered("struct A {", "  // For the server.", "  A(int x);", "  A(A&& other);", "};"),
            ["struct A {", "/// For the server.", "  A(int x);", "  A(A&& other);", "};"])

    def test_those_in_bodies_are_about_nothing(self):
        self.assertEqual(filtered("inline void run() {", "  // Fast.", "  go();  // now", "}"),
                         ["inline void run() {", "  go();", "}"])

    def test_what_is_protected_is_private(self):
        self.assertEqual(filtered("class A {", " protected:", "  A();", "};"),
                         ["class A {", " private:", "  A();", "};"])

    def test_titles_make_groups(self):
        self.assertEqual(
            filtered("class A {", " public:", "  // ---- To look", "", "  // What.", "  int x();",
                     " private:", "  int y_;", "};"),
            ["class A {", " public:", "/// @name To look", "/// @{", "", "/// What.", "  int x();",
             "/// @}", " private:", "  int y_;", "};"])

    def test_nothing_in_a_text_is_a_command(self):
        self.assertEqual(filtered("// A Task<T> @ 100 %, `<T>`.", "void run();"),
                         [r"/// A Task\<T\> \@ 100 \%, `<T>`.", "void run();"])

    def test_indented_text_is_code(self):
        self.assertEqual(filtered("// Runs:", "//", "//     run();", "", "void x();"),
                         ["", "void x();"])
        self.assertEqual(filtered("// Runs:", "//", "//     run();", "void run();"),
                         ["/// Runs:", "///", "/// @code{.cpp}", "/// run();", "/// @endcode",
                          "void run();"])


class Heads(unittest.TestCase):
    def test_a_head_is_about_the_type_that_it_names(self):
        text = reference_filter.Filter(["// App and Next: what there is.", "#pragma once",
                                        "namespace weft {", "class Next;", "class App {};",
                                        "// More.", "struct Next {};", "}"]).run()
        self.assertIn("/// @file\n", text)
        self.assertIn("/// @class weft::App\n/// What there is.\n", text)
        self.assertNotIn("weft::Next\n", text)

    def test_the_options_of_a_function_are_what_it_is_told(self):
        text = reference_filter.Filter(["// basic_auth(): asks for a name.", "#pragma once",
                                        "namespace weft {", "struct BasicAuthOptions {", "};",
                                        "// Asks.", "void basic_auth();", "}"]).run()
        self.assertTrue(text.startswith("/// Asks for a name.\n/// @file\n"))
        self.assertIn("/// @struct weft::BasicAuthOptions\n/// What basic_auth() is told.\n", text)


if __name__ == "__main__":
    unittest.main()
