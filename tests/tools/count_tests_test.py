"""The sum that closes a continuous-integration run, over results as ctest writes them."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent.parent / "scripts" / "count_tests.py"
OK = "[       OK ] Suite.one (0 ms)\n"
FAILED = "[  FAILED  ] Suite.two (3 ms)\n"
SKIPPED = "[  SKIPPED ] Suite.three (0 ms)\n"


def entry(status, output="", detail=""):
    return (f'<testcase name="a" status="{status}">{detail}'
            f"<system-out>{output}</system-out></testcase>")


def report(*files):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.xml" for number in range(len(files))]
        for path, entries in zip(paths, files):
            path.write_text("<testsuite>" + "".join(entries) + "</testsuite>", encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", TOOL, *paths],
                              capture_output=True, text=True, check=True)
        return done.stdout.strip()


def count(*files):
    return report(*files).splitlines()[-1]


class CountTests(unittest.TestCase):
    def test_a_test_binary_counts_as_its_tests(self):
        self.assertEqual(count([entry("run", OK + OK)]), "2 passed, 0 failed")

    def test_any_other_program_counts_as_one(self):
        self.assertEqual(count([entry("run", "done\n"), entry("fail")]), "1 passed, 1 failed")

    def test_the_summary_after_a_failure_is_not_counted_again(self):
        output = OK + FAILED + "[  FAILED  ] 1 test, listed below:\n[  FAILED  ] Suite.two\n"
        self.assertEqual(count([entry("fail", output)]), "1 passed, 1 failed")

    def test_a_binary_that_died_counts_one_failure(self):
        self.assertEqual(count([entry("fail", OK + "[ RUN      ] Suite.two\n")]),
                         "1 passed, 1 failed")

    def test_skipped_tests_are_named_apart(self):
        skipped = entry("notrun", detail='<skipped message="SKIP_RETURN_CODE=77"/>')
        self.assertEqual(count([entry("run", OK + SKIPPED), skipped]),
                         "1 passed, 0 failed, 2 skipped")

    def test_a_program_that_is_not_there_is_a_failure(self):
        missing = entry("notrun", detail='<skipped message="Unable to find executable"/>')
        self.assertEqual(count([missing]), "0 passed, 1 failed")

    def test_results_that_are_not_there_are_a_failure(self):
        done = subprocess.run([sys.executable, "-B", TOOL, "/nonexistent/results.xml"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip().splitlines()[-1], "0 passed, 1 failed")
        self.assertIn("/nonexistent/results.xml is not there", done.stdout)

    def test_several_files_are_summed(self):
        self.assertEqual(count([entry("run", OK)], [entry("run")]), "2 passed, 0 failed")

    def test_what_failed_is_shown_with_what_it_said(self):
        run = "[ RUN      ] Suite.{}\n"
        output = (run.format("one") + "of one\n" + OK + run.format("two") + "file.cpp:7: Failure\n"
                  + FAILED + run.format("four") + "of four\n[       OK ] Suite.four (0 ms)\n")
        shown = report([entry("fail", output)])
        self.assertIn("Suite.two of a in", shown)
        self.assertIn("file.cpp:7: Failure", shown)
        self.assertNotIn("of one", shown)
        self.assertNotIn("of four", shown)

    def test_a_binary_that_died_shows_its_last_lines(self):
        shown = report([entry("fail", "[ RUN      ] Suite.two\nlast words\n")])
        self.assertIn("last words", shown)

    def test_what_passed_is_not_shown(self):
        self.assertEqual(report([entry("run", OK), entry("run", "done\n")]),
                         "2 passed, 0 failed")


if __name__ == "__main__":
    unittest.main()
