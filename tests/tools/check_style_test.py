"""The style check, over small trees that each break one rule."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent.parent / "scripts" / "check_style.py"


def check(name, text):
    """What the check says of a tree that holds one file."""
    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode())
        done = subprocess.run([sys.executable, "-B", TOOL, root],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()


class CheckStyle(unittest.TestCase):
    def complains(self, name, text, complaint):
        self.assertEqual(check(name, text), (1, [complaint]))

    def test_a_clean_header_passes(self):
        text = "// What it is.\n#pragma once\n\n#include <string>\n"
        self.assertEqual(check("src/http/a.hpp", text), (0, []))

    def test_a_line_of_100_columns_passes_and_one_of_101_fails(self):
        self.assertEqual(check("src/a.cpp", "x" * 100 + "\n"), (0, []))
        self.complains("src/a.cpp", "x" * 101 + "\n", "src/a.cpp:1: 101 columns; at most 100")

    def test_columns_count_characters_rather_than_bytes(self):
        self.assertEqual(check("src/a.cpp", "µ" * 100 + "\n"), (0, []))

    def test_a_tab_fails(self):
        self.complains("src/a.cpp", "\tx\n", "src/a.cpp:1: a tab")

    def test_white_space_at_the_end_of_a_line_fails(self):
        self.complains("src/a.py", "\nx \n", "src/a.py:2: white space at the end of the line")

    def test_a_carriage_return_fails(self):
        self.complains("src/a.c", "x\r\n", "src/a.c:1: white space at the end of the line")

    def test_a_missing_last_newline_fails(self):
        self.complains("src/a.cpp", "x", "src/a.cpp:1: no newline at the end of the file")

    def test_a_header_without_an_opening_comment_fails(self):
        self.complains("include/weft/a.hpp", "#pragma once\n",
                       "include/weft/a.hpp:1: a header starts with one sentence of comment "
                       "on what it is")

    def test_a_header_without_pragma_once_fails(self):
        self.complains("include/weft/a.hpp", "// A.\n#include <string>\n#pragma once\n",
                       "include/weft/a.hpp:1: no #pragma once before the first include")

    def test_a_link_to_what_is_not_there_fails(self):
        self.complains("docs/a.md", "One.\n[b](../src/b.hpp#part)\n",
                       "docs/a.md:2: a link to ../src/b.hpp#part, which is not there")

    def test_a_link_whose_text_is_code_is_a_link(self):
        self.complains("src/ksvc/README.md", "[`Thing<int>`](core/thing.hpp)\n",
                       "src/ksvc/README.md:1: a link to core/thing.hpp, which is not there")

    def test_links_to_what_is_there_and_to_other_places_pass(self):
        text = "[a](a.md) [b](../docs/) [c](#part) [d](https://example.org/x) [e](a.md#part)\n"
        self.assertEqual(check("docs/a.md", text), (0, []))

    def test_what_looks_like_a_link_in_code_is_none(self):
        text = "`[](x)`\n```cpp\nf([](y) {});\n```\n"
        self.assertEqual(check("docs/a.md", text), (0, []))

    def test_a_named_source_file_that_is_not_there_fails(self):
        self.complains("docs/a.md", "See `src/gvt/gone.hpp`.\n",
                       "docs/a.md:1: names src/gvt/gone.hpp, which is not there")
        self.complains("docs/a.md", "See `src/gvt/gone_*.hpp`.\n",
                       "docs/a.md:1: names src/gvt/gone_*.hpp, which is not there")

    def test_a_pattern_for_names_and_a_built_file_are_no_source_files(self):
        text = "`tests/FOLDER/NAME_test.cpp`, `build/bench/http.json`\n"
        self.assertEqual(check("docs/a.md", text), (0, []))

    def test_vectors_are_data_and_free_of_the_rules(self):
        self.assertEqual(check("tests/vectors/a.py", "x\t \r\n"), (0, []))


if __name__ == "__main__":
    unittest.main()
