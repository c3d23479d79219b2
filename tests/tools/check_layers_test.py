"""The layer check, over one tree that keeps to the layers and one that does not."""

import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOOL = HERE.parent.parent / "scripts" / "check_layers.py"


def check(tree):
    done = subprocess.run([sys.executable, "-B", TOOL, HERE / "layers" / tree],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


class CheckLayers(unittest.TestCase):
    def test_a_tree_that_keeps_to_the_layers_passes(self):
        self.assertEqual(check("good"), (0, []))

    def test_each_wrong_include_is_named_with_its_place_and_its_rule(self):
        status, complaints = check("bad")
        self.assertEqual(status, 1)
        self.assertEqual([complaint.split(": ")[0:2] for complaint in complaints], [
            ["include/weft/app.hpp:3", "a public header may not include http/parser.hpp"],
            ["src/http/parser.cpp:1", "src/http may not include exec/worker.hpp"],
            ["src/http/parser.cpp:3", "src/http may not include app/app.hpp"],
            ["src/ksvc/clock/sim.hpp:2", "src/ksvc may not include gvt/scheduler.hpp"],
            ["src/ksvc/clock/sim.hpp:3", "src/ksvc may not include weft/app.hpp"],
            ["src/ksvc/core/clock.hpp:3", "ksvc/core may not include ksvc/clock/sim.hpp"],
            ["src/misc/grab_bag.hpp:1", "misc is no layer; the layers are"],
        ])
        self.assertTrue(complaints[3].endswith("layer ksvc uses only: ksvc"))


if __name__ == "__main__":
    unittest.main()
