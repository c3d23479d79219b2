#!/usr/bin/python3
"""Chromium without a window shows the demonstration, which is filled in by its own scripts.

usage: browser.py SERVER WEFT FLAGS
"""

import shutil
import tempfile
import unittest

from common import FLAGS, WEFT, harness, main, note, run


class Browser(unittest.TestCase):
    def test_chromium_shows_the_demonstration(self):
        chromium = shutil.which("chromium")
        if not chromium:
            # Not one of the required: it is 400 MB.
            self.skipTest("there is no chromium: install the package chromium")
        command = f"{WEFT} demo --port {{port}} {FLAGS}"
        with harness.running_server(command) as (_, port), \
                tempfile.TemporaryDirectory() as folder:
            page = run(chromium, "--headless", "--no-sandbox", "--disable-gpu",
                       "--disable-dev-shm-usage", "--disable-background-networking",
                       "--no-proxy-server", f"--user-data-dir={folder}",
                       "--virtual-time-budget=3000", "--dump-dom", f"http://127.0.0.1:{port}/")
        text = page.decode()
        # Put there by the page's script, from an answer to its own request.
        self.assertRegex(text, r'<div class="state live" id="state" role="status"><i></i>'
                               r"<span>answering</span></div>")
        self.assertRegex(text, r'<dd id="requests">[1-9]')
        self.assertRegex(text, r'<div class="chosen" id="backend">(io_uring|epoll)</div>')
        self.assertIn(f"http://127.0.0.1:{port}</span>/sleep/500", text)
        note(f"Chromium shows the demonstration: {len(text)} characters of document")


if __name__ == "__main__":
    main()
