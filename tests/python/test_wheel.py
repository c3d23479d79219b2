"""The wheel: what is in it, and a virtual environment that has it and serves."""

import base64
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request
import zipfile
from pathlib import Path

import weft

SOURCE = Path(__file__).resolve().parents[2]
# The folder that PYTHONPATH names is the build's.
BUILD = Path(weft.__file__).parents[1].parent


def make(output):
    script = SOURCE / "scripts" / "make_wheel.py"
    done = subprocess.run([sys.executable, "-B", script, BUILD, output], capture_output=True,
                          text=True, check=True)
    return Path(done.stdout.strip())


class WheelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.wheel = make(cls.folder / "wheel")

    def test_everything_is_recorded(self):
        self.assertRegex(self.wheel.name, r"^weft-[0-9.]+-(cp3\d+)-\1-linux_\w+\.whl$")
        with zipfile.ZipFile(self.wheel) as archive:
            names = archive.namelist()
            record = next(name for name in names if name.endswith("/RECORD"))
            rows = dict((line.split(",", 1)) for line in archive.read(record).decode().split())
            self.assertEqual(sorted(rows), sorted(names))
            for name, row in rows.items():
                if name != record:
                    data = archive.read(name)
                    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
                    self.assertEqual(row, f"sha256={digest.decode().rstrip('=')},{len(data)}")
            metadata = archive.read(record.replace("RECORD", "METADATA")).decode()
            self.assertIn(f"\nVersion: {weft.__version__}\n", metadata)
        for wanted in ("weft/__init__.py", "weft/__main__.py", "weft/py.typed", "weft/_weft.pyi",
                       "weft/docs_page/page.html"):
            self.assertIn(wanted, names)

    def test_the_same_build_gives_the_same_bytes(self):
        again = make(self.folder / "again")
        self.assertEqual(again.read_bytes(), self.wheel.read_bytes())

    @unittest.skipIf(importlib.util.find_spec("ensurepip") is None, "not installed: python3-venv")
    def test_a_virtual_environment_serves_with_it(self):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
                       and not name.startswith("WEFT_")}
        place = self.folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", place], check=True, env=environment)
        python = place / "bin" / "python3"
        subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "install", "--no-index",
                        self.wheel], check=True, env=environment, capture_output=True)
        (self.folder / "main.py").write_text(
            "import weft\napp = weft.App()\n@app.get('/')\ndef where(): return weft.__file__\n")
        with subprocess.Popen([python, "-m", "weft", "serve", "main:app", "--port", "0"],
                              cwd=self.folder, env=environment, text=True,
                              stderr=subprocess.PIPE) as server:
            try:
                url = re.search(r"http://[^ ,]*", server.stderr.readline())[0]
                with urllib.request.urlopen(url, timeout=60) as answer:
                    self.assertTrue(answer.read().decode().startswith(str(place)))
                with urllib.request.urlopen(url + "/docs", timeout=60) as answer:
                    self.assertEqual(answer.status, 200)
            finally:
                server.terminate()
            self.assertEqual(server.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
