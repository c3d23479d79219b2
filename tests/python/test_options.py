"""Options, and finding the application that they name."""

import contextlib
import inspect
import io
import os
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

from weft import App, _options
from weft._load import LoadError, as_asgi3, describe_failure, interface_of, load
from weft._options import OptionError, read, read_env_file
from weft._serve import _words, main

SOURCE = Path(__file__).resolve().parents[2]


def complaint(function, *arguments):
    try:
        function(*arguments)
    except (OptionError, LoadError) as error:
        return str(error)
    raise AssertionError("nothing was refused")


class OptionsTest(unittest.TestCase):
    def test_later_sources_win(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "weft.toml")
            file.write_text("[server]\nport = 1\nworkers = 3\nroot_path = '/api/'\n"
                            "[limits]\nidle_timeout = '2m'\nmax_body = '3MiB'\n[app]\nx = 1\n")
            environment = {"WEFT_PORT": "2", "WEB_CONCURRENCY": "4", "WEFT_HOST": "",
                           "WEFT_MAX_HEAD": "1KiB"}
            config = read(["--config", str(file), "--port", "5", "main:app"], environment)
        self.assertEqual((config.port, config.workers, config.root_path, config.host),
                         (5, 4, "/api", "127.0.0.1"))
        settings = config.server_settings()
        self.assertEqual((settings["port"], settings["idle_timeout"], settings["max_body"],
                          settings["max_head"], settings["drain_grace"]),
                         ("5", "120000ms", "3MiB", "1KiB", "10000ms"))

    def test_every_option_is_in_the_help_and_in_the_documentation(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self.assertRaises(SystemExit) as ended:
            read(["--help"], {})
        self.assertEqual(ended.exception.code, 0)
        guide = (SOURCE / "docs" / "python.md").read_text()
        for option in _options.OPTIONS:
            self.assertIn(f"--{option.name}", out.getvalue())
            self.assertIn(f"`--{option.name}", guide)
        for key, _, _ in _options.SETTINGS:
            self.assertIn("--" + key.replace("_", "-"), out.getvalue())

    def test_the_servers_settings_are_those_that_it_documents(self):
        documented = (SOURCE / "docs" / "configuration.md").read_text()
        for key, section, _ in _options.SETTINGS:
            self.assertIn(f"| `{key}` |", documented.split(f"### [{section}]")[1].split("###")[0])

    def test_uvicorns_words_mean_what_they_mean_there(self):
        def settings(*words):
            return read([*words, "main:app"], {}).server_settings()

        self.assertEqual(settings("--uds", "/x")["uds"], "/x")
        self.assertNotIn("host", settings("--fd", "3"))
        self.assertEqual(settings("--access-log", "--quiet")["access_log"], "-")
        self.assertEqual(settings("--access-log", "/log")["access_log"], "/log")
        self.assertNotIn("access_log", settings("--no-access-log"))
        self.assertEqual(settings()["trusted_proxies"], "loopback, unix")
        self.assertEqual(settings("--forwarded-allow-ips", "*")["trusted_proxies"],
                         "0.0.0.0/0, ::/0, unix")
        self.assertEqual(settings("--proxy-headers", "forwarded")["proxy_headers"], "forwarded")
        self.assertNotIn("trusted_proxies", settings("--no-proxy-headers"))
        self.assertEqual(settings("--no-server-header")["server_header"], "false")
        self.assertEqual(settings("--limit-concurrency", "7")["max_parked"], "7")
        self.assertEqual(settings("--timeout-keep-alive", "5")["idle_timeout"], "5000ms")
        self.assertEqual(settings("--log-level", "trace")["log_level"], "debug")
        self.assertEqual(read(["--loop", "auto", "--http", "auto", "m:a"], {}).port, 8080)

    def test_what_makes_no_sense_is_refused_with_what_would(self):
        for words, said in (
            (["--port", "70000", "m:a"], "--port must be a whole number from 0 to 65535"),
            (["--workers", "0", "m:a"], "--workers must be a whole number from 1"),
            (["--lifespan", "of", "m:a"], "did you mean o"),
            (["--root-path", "api", "m:a"], "begins with a slash"),
            (["--uds", "/x", "--port", "1", "m:a"], "listens on one of them"),
            (["--reload", "--workers", "2", "m:a"], "--reload is for one process"),
            (["--header", "x", "m:a"], "NAME:VALUE"), (["--loop", "uvloop", "m:a"], "its own"),
            (["--timeout-keep-alive", "-1", "m:a"], "a time"), ([], "MODULE:NAME"),
            (["--config", "/none.toml", "m:a"], "cannot be read"),
        ):
            self.assertIn(said, complaint(read, words, {}), words)
        self.assertIn("WEFT_PORT must be", complaint(read, ["m:a"], {"WEFT_PORT": "x"}))
        self.assertIn("did you mean --workers", complaint(_options.combine, "m:a",
                                                          {"wokers": 2}, {}))
        for words, said in ((["--prot", "1", "m:a"], "did you mean --port"),
                            (["--ssl-keyfile", "x", "m:a"], "TLS is a proxy's")):
            err = io.StringIO()
            with contextlib.redirect_stderr(err), self.assertRaises(SystemExit) as ended:
                read(words, {})
            self.assertEqual(ended.exception.code, 2)
            self.assertIn(said, err.getvalue())

    def test_a_flag_for_a_port_wins_over_a_variable_for_a_path(self):
        config = read(["--port", "1", "m:a"], {"WEFT_UDS": "/x"})
        self.assertEqual(config.server_settings()["port"], "1")
        self.assertEqual(read(["m:a"], {"WEFT_UDS": "/x"}).server_settings()["uds"], "/x")

    def test_env_files(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write('# words\nexport A=1\nB="x\\ny" \nC=\'$A\'\nD= plain # rest\n\n')
            file.flush()
            self.assertEqual(read_env_file(file.name),
                             {"A": "1", "B": "x\ny", "C": "$A", "D": "plain"})
            file.write("no equals\n")
            file.flush()
            self.assertIn(f"{file.name}:7: a line is NAME=VALUE",
                          complaint(read_env_file, file.name))

    def test_what_run_was_given_becomes_a_command(self):
        config = _options.combine("m:a", {}, {})
        words = _words(config, "m:a", {"app_dir": "/d", "port": 1, "reload": True,
                                       "server_header": False, "access_log": True,
                                       "proxy_headers": False, "header": ["a:b", "c:d"]})
        again = read(words[3:], {})
        self.assertEqual((again.app_dir, again.port, again.reload, again.server_header,
                          again.access_log, again.proxy_headers, again.header),
                         ("/d", 1, True, False, "-", "", ("a:b", "c:d")))


class LoadTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        before, known = list(sys.path), set(sys.modules)

        def restore():
            sys.path[:] = before
            for name in set(sys.modules) - known:
                del sys.modules[name]

        self.addCleanup(restore)

    def write(self, name, text):
        path = Path(self.folder, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def test_modules_attributes_and_factories(self):
        self.write("good_main.py", """
            class Holder:
                inner = "inner"
            app = "app"
            def create():
                return "made"
        """)
        self.write("good_package/__init__.py", "")
        self.write("good_package/web.py", "application = 'packaged'")
        self.assertEqual(load("good_main", self.folder), "app")
        self.assertEqual(load("good_main:Holder.inner", self.folder), "inner")
        self.assertEqual(load("good_main:create", self.folder, True), "made")
        self.assertEqual(load("good_package.web", self.folder), "packaged")
        self.assertEqual(load(f"{self.folder}/good_main.py:app", None), "app")

    def test_what_is_not_there_is_told_with_the_nearest(self):
        self.write("some_main.py", "class Served:\n    def __call__(self, scope, receive, send):\n"
                   "        pass\napplication_one = Served()\nx = 1\n")
        self.write("some_package/__init__.py", "")
        self.write("some_package/server.py", "")
        for target, said in (
            ("some_mian:app", ["no module 'some_mian'", f"looked in {self.folder}",
                               "did you mean 'some_main'?"]),
            ("some_main:application_on", ["no 'application_on' in",
                                          "did you mean 'some_main:application_one'?"]),
            ("some_main:zzz", ["did you mean 'some_main:application_one'?"]),
            ("some_package.serve:app", ["no module 'some_package.serve'",
                                        "did you mean 'server'?"]),
            (":app", ["write MODULE:NAME"]), ("m:", ["write MODULE:NAME"]),
        ):
            text = complaint(load, target, self.folder)
            for part in said:
                self.assertIn(part, text)

    def test_errors_of_the_module_itself_are_its_own(self):
        self.write("bad_import.py", "import nothing_of_this_name")
        self.write("bad_syntax.py", "def broken(:\n")
        self.write("bad_factory.py", "def one(x): pass\ndef two():\n    len(3)\n")
        try:
            load("bad_import", self.folder)
        except ModuleNotFoundError as error:
            text = describe_failure(error)
        self.assertIn("bad_import.py", text)
        self.assertNotIn("importlib", text)
        with self.assertRaises(SyntaxError):
            load("bad_syntax", self.folder)
        self.assertIn("without arguments", complaint(load, "bad_factory:one", self.folder, True))
        with self.assertRaises(TypeError):
            load("bad_factory:two", self.folder, True)
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(main(["serve", "--app-dir", self.folder, "bad_import:app"]), 1)
        self.assertIn("nothing_of_this_name", err.getvalue())

    def test_kinds_of_applications(self):
        class Asgi:
            async def __call__(self, scope, receive, send):
                pass

        class Plain:
            def __call__(self, environ, start_response):
                pass

        class Two:
            def __init__(self, scope):
                pass

        async def function(scope, receive, send):
            pass

        def wsgi(environ, start_response):
            pass

        for application, kind in ((App(), "weft"), (Asgi(), "asgi3"), (Plain(), "wsgi"),
                                  (function, "asgi3"), (wsgi, "wsgi"), (Two, "asgi2"),
                                  (lambda scope, receive, send: None, "asgi3")):
            self.assertEqual(interface_of(application), kind)
        self.assertIn("cannot be called", complaint(interface_of, 3))
        self.assertIn("--factory", complaint(interface_of, lambda: None))
        self.assertEqual(as_asgi3(function, "asgi3"), (function, "asgi3"))
        # What it gives may be any awaitable: the server wants a coroutine.
        self.assertTrue(inspect.iscoroutinefunction(as_asgi3(wsgi, "asgi3")[0]))


if __name__ == "__main__":
    unittest.main()
