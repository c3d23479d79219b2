"""scripts/check_documents.py, over a small tree whose library is a few lines."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent.parent / "scripts" / "check_documents.py"

LIBRARY = """#pragma once
namespace weft {
struct Context { void text(const char*); };
struct App { template <class H> void get(const char*, H) {} };
}
"""


def check(*blocks, prelude=""):
    """Whether the blocks are fine, and what was said of them."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        text = "".join(f"Words.\n\n```cpp\n{block}\n```\n" for block in blocks)
        for name, contents in (("include/weft/weft.hpp", LIBRARY), ("docs/a.md", text),
                               ("tests/documents/a.hpp", prelude), ("README.md", "# A\n")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(contents, encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", TOOL, "--root", root],
                              capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout


class CheckDocuments(unittest.TestCase):
    def test_statements_see_the_application_and_the_context(self):
        route = 'app.get("/", [](weft::Context& c) {\n  c.text("a");\n});'
        self.assertEqual(check('c.text("a");', route),
                         (True, "documents: 2 blocks in 2 documents\n"))

    def test_statements_may_have_an_application_of_their_own(self):
        self.assertTrue(check('weft::App app;\napp.get("/", 7);')[0])

    def test_programs_have_their_includes_and_a_main_each(self):
        program = "#include <vector>\n\nint main() {\n  std::vector<int> a;\n}"
        self.assertTrue(check(program, program)[0])

    def test_statements_may_say_what_to_include(self):
        self.assertTrue(check("#include <vector>\n\nstd::vector<int> a;\na.clear();")[0])

    def test_a_block_sees_what_an_earlier_one_declares(self):
        uses = "const Note note{7};\nreturn note.id;"
        self.assertTrue(check("struct Note {\n  int id;\n};", uses)[0])
        self.assertFalse(check(uses)[0])

    def test_what_a_document_takes_for_granted_is_in_a_header(self):
        self.assertTrue(check("log(7);", prelude="inline void log(int) {}")[0])

    def test_a_complaint_leads_to_the_line_of_the_document(self):
        good, said = check('c.text("a");', 'c.text("a");\nc.texts("a");')
        self.assertFalse(good)
        self.assertIn("docs/a.md:10:3: error:", said)

    def test_a_warning_is_a_complaint(self):
        self.assertFalse(check("[[nodiscard]] int made() { return 7; }", "made();")[0])


if __name__ == "__main__":
    unittest.main()
