"""The options of `weft serve MODULE:NAME`: names, defaults, and where they are read from.

What comes later wins: defaults, a TOML file (--config), variables of the environment, flags. A
variable is WEFT_ and the option's name in capitals, such as WEFT_ROOT_PATH; WEB_CONCURRENCY and
FORWARDED_ALLOW_IPS are read, too, as uvicorn reads them. An empty variable counts as not set.
"""

from __future__ import annotations

import argparse
import difflib
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._lifespan import MODES
from ._load import INTERFACES
from ._version import __version__

# Of processes, and of requests before one is replaced.
WORKERS_MAX = 1024


class OptionError(Exception):
    """An option has a value that makes no sense; the message says which would."""


@dataclass(frozen=True)
class Option:
    """One option. `kind` makes its value of a text, and complains with ValueError."""

    name: str
    kind: Callable[[str], Any]
    default: Any
    about: str
    metavar: str = ""
    group: str = "server"
    choices: tuple[str, ...] = ()
    flag: bool = False
    many: bool = False
    optional_value: Any = None  # what the flag means without a value, where it may have none
    variables: tuple[str, ...] = ()
    section: str = "server"

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        return "WEFT_" + self.key.upper()


def _number(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.strip().isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return convert


def _switch(text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError("true or false")


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _seconds(text: str) -> float:
    for unit in ("ms", "s", "m", "h"):
        if text.endswith(unit) and text[: -len(unit)].strip().isdigit():
            return float(text[: -len(unit)]) * _UNITS[unit]
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 86400:
        raise ValueError("a time, such as 10, 500ms or 2m")
    return seconds


def _text(text: str) -> str:
    return text


def _root_path(text: str) -> str:
    if text and not text.startswith("/"):
        raise ValueError("a path that begins with a slash, such as /api")
    return text.rstrip("/")


def _access_log(text: str) -> str:
    return {"true": "-", "false": ""}.get(text.lower(), text)


def _forwarded(text: str) -> str:
    if text.lower() in ("true", "yes", "on", "1"):
        return "x-forwarded"
    if text.lower() in ("false", "no", "off", "0"):
        return ""
    if text not in ("x-forwarded", "forwarded"):
        raise ValueError("x-forwarded or forwarded")
    return text


OPTIONS: tuple[Option, ...] = (
    # Where to listen.
    Option("host", _text, "127.0.0.1", "address to listen on", "ADDRESS", "listen"),
    Option("port", _number(0, 65535), 8080, "port to listen on; 0 lets the system choose",
           "PORT", "listen"),
    Option("uds", _text, None, "listen on a Unix socket at this path instead", "PATH", "listen"),
    Option("fd", _text, None, "listen on an inherited socket instead: the number of its "
           "descriptor, systemd, or systemd:NAME", "FD", "listen"),
    # The application.
    Option("factory", _switch, False, "MODULE:NAME is a function that makes the application",
           group="application", flag=True),
    Option("app-dir", _text, ".", "folder in which the module is looked for", "DIR",
           "application"),
    Option("env-file", _text, None, "file of NAME=VALUE lines for the environment; what is set "
           "already stays", "FILE", "application"),
    Option("interface", _text, "auto", "what kind of application it is", "KIND", "application",
           choices=INTERFACES),
    Option("lifespan", _text, "auto", "whether the application has a lifespan; with on, one that "
           "fails ends the server", "MODE", "application", choices=MODES),
    Option("root-path", _root_path, "", "what a proxy has taken off the path, for the "
           "application's links", "PATH", "application"),
    Option("threads", _number(1, 1024), None, "threads of each process for WSGI applications and "
           'for executor="thread"', "NUMBER", "application"),
    # Processes.
    Option("workers", _number(1, WORKERS_MAX), 1, "processes, or interpreters, that serve",
           "NUMBER", "processes", variables=("WEB_CONCURRENCY",)),
    Option("executor", _text, "process", "what several workers are: processes, or interpreters of "
           "one process where Python and the application allow it", "KIND", "processes",
           choices=("process", "subinterpreter")),
    Option("reload", _switch, False, "serve the new code when a file changes; for development",
           group="processes", flag=True),
    Option("reload-dir", _text, (), "folder to watch instead of --app-dir; may be repeated", "DIR",
           "processes", many=True),
    Option("reload-include", _text, ("*.py",), "files to watch beside *.py, such as *.html; may "
           "be repeated", "PATTERN", "processes", many=True),
    Option("reload-exclude", _text, (), "files not to watch; may be repeated", "PATTERN",
           "processes", many=True),
    Option("limit-max-requests", _number(1, 1 << 53), None, "replace a process after so many "
           "requests", "NUMBER", "processes"),
    Option("limit-max-requests-jitter", _number(0, 1 << 53), None, "up to so many more, by chance,"
           " so that not all are replaced at once; a tenth unless said", "NUMBER", "processes"),
    Option("pid-file", _text, None, "write the server's process number to this file", "FILE",
           "processes"),
    # Clients and proxies.
    Option("proxy-headers", _forwarded, "x-forwarded", "fields in which trusted proxies say for "
           "whom they ask: x-forwarded or forwarded", "WHICH", "clients",
           optional_value="x-forwarded"),
    Option("forwarded-allow-ips", _text, "loopback, unix", "proxies that are trusted: addresses, "
           "networks, loopback, private or unix, or * for all", "LIST", "clients",
           variables=("FORWARDED_ALLOW_IPS",)),
    Option("server-header", _switch, True, "answers carry `Server: weft`", group="clients",
           flag=True),
    Option("header", _text, (), "NAME:VALUE to add to each answer; may be repeated", "TEXT",
           "clients", many=True),
    Option("limit-concurrency", _number(1, 1 << 31), None, "requests of one process at once; over "
           "it 503", "NUMBER", "clients"),
    Option("timeout-keep-alive", _seconds, 75.0, "seconds after which an idle connection is "
           "closed", "TIME", "clients"),
    Option("timeout-graceful-shutdown", _seconds, 10.0, "seconds that requests get to end in",
           "TIME", "clients"),
    # What it says.
    Option("access-log", _access_log, "", "a line for each request, to a file or to standard "
           "output", "FILE", "log", optional_value="-", section="log"),
    Option("access-log-format", _text, None, "common, combined, json or a pattern", "FORMAT",
           "log", section="log"),
    Option("log-level", _text, "info", "what the server says about itself", "LEVEL", "log",
           choices=("critical", "error", "warning", "info", "debug", "trace"), section="log"),
    Option("log-config", _text, None, "settings of Python's logging: a .ini, .json or .toml file",
           "FILE", "log"),
    Option("quiet", _switch, False, "no lines at start and end", group="log", flag=True,
           section="log"),
)

# Settings of the server itself, passed on as they are: docs/configuration.md has what they take.
SETTINGS: tuple[tuple[str, str, str], ...] = (
    ("uds_mode", "server", "permissions of the Unix socket, in octal digits"),
    ("backend", "server", "how the kernel is asked: auto, io_uring or epoll"),
    ("trailing_slash", "server", "a path with a slash too many: strict, redirect or ignore"),
    ("metrics_path", "server", "GET of this path shows figures for Prometheus"),
    ("stack_size", "server", "stack of each request"),
    ("max_head", "limits", "head of a request; over it 431"),
    ("max_uri", "limits", "target of a request; over it 414"),
    ("max_headers", "limits", "field lines of a head; over it 431"),
    ("max_header_field", "limits", "one field line; over it 431"),
    ("max_body", "limits", "body of a request; over it 413"),
    ("body_step", "limits", "of a body that must come in each body_timeout"),
    ("head_timeout", "limits", "in which a head must have arrived"),
    ("body_timeout", "limits", "in which the next step of a body must have arrived"),
    ("request_timeout", "limits", "in which a request must be answered"),
    ("write_timeout", "limits", "in which a client must take a step of an answer"),
    ("drain_last_resort", "limits", "until a worker that does not end has its process ended"),
    ("max_connections", "limits", "connections at once; 0 is no limit"),
    ("max_connections_per_address", "limits", "those of one client; 0 is no limit"),
    ("max_requests_per_connection", "limits", "requests on one connection; 0 is no limit"),
    ("max_pipelined_requests", "limits", "pipelined requests answered in one go"),
    ("max_pipelined", "limits", "what may wait behind a request before reading stops"),
    ("max_buffered", "limits", "what a worker keeps for slow clients; 0 is no limit"),
    ("stall_after", "log", "report a worker that a handler holds up for this long; 0 is never"),
)

# Known from elsewhere, with why they are not here.
REFUSED = {
    "ssl-keyfile": "TLS is a proxy's, such as nginx: docs/deployment.md",
    "ssl-certfile": "TLS is a proxy's, such as nginx: docs/deployment.md",
    "ssl-ca-certs": "TLS is a proxy's, such as nginx: docs/deployment.md",
    "ws": "there are no WebSockets yet",
    "bind": "write --host and --port, or --uds",
    "worker-class": "there is one; workers are processes, and --threads are for WSGI",
    "graceful-timeout": "write --timeout-graceful-shutdown",
    "max-requests": "write --limit-max-requests",
    "pid": "write --pid-file",
    "lua-memory": "this is for scripts in Lua",
}
# Taken without effect: there is one event loop and one parser.
IGNORED = {"loop": ("auto", "asyncio"), "http": ("auto",), "use-colors": ()}

_GROUPS = {
    "listen": "where to listen",
    "application": "the application",
    "processes": "processes",
    "clients": "clients and proxies",
    "log": "logs",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        for word in message.split():
            if word.startswith("--"):
                hint = _hint(word.split("=")[0][2:])
                if hint:
                    message += f"; {hint}"
                    break
        self.exit(2, f"weft serve: {message}\nTry `{self.prog} --help`.\n")


def _hint(name: str) -> str:
    if name in REFUSED:
        return REFUSED[name]
    known = [option.name for option in OPTIONS] + [key.replace("_", "-") for key, _, _ in SETTINGS]
    near = difflib.get_close_matches(name, known, 1, 0.6)
    return f"did you mean --{near[0]}?" if near and near[0] != name else ""


def parser() -> argparse.ArgumentParser:
    made = _Parser(
        prog="weft serve", allow_abbrev=False,
        usage="weft serve [OPTION...] MODULE:NAME",
        description="Serves an application in Python: a weft.App, or one of ASGI or WSGI.",
        epilog="Each option is also a variable of the environment, such as WEFT_ROOT_PATH for "
               "--root-path, and a key of a TOML file; docs/python.md has them all.")
    made.add_argument("application", metavar="MODULE:NAME", nargs="?",
                      help="such as main:app; NAME is app or application unless said")
    made.add_argument("--version", action="version", version=f"weft {__version__}")
    made.add_argument("--config", metavar="FILE", help="read settings from a TOML file",
                      default=argparse.SUPPRESS)
    groups = {name: made.add_argument_group(title) for name, title in _GROUPS.items()}
    for option in OPTIONS:
        _add(groups[option.group], option)
    settings = made.add_argument_group(
        "settings of the server", "explained in docs/configuration.md")
    for key, _, about in SETTINGS:
        settings.add_argument(f"--{key.replace('_', '-')}", dest=key, metavar="VALUE", help=about,
                              default=argparse.SUPPRESS)
    for name in IGNORED:
        made.add_argument(f"--{name}", help=argparse.SUPPRESS, default=argparse.SUPPRESS,
                          nargs="?" if name == "use-colors" else None)
    made.add_argument("--no-use-colors", help=argparse.SUPPRESS, default=argparse.SUPPRESS,
                      action="store_true")
    return made


def _add(group: Any, option: Option) -> None:
    common = {"dest": option.key, "default": argparse.SUPPRESS}
    about = option.about
    if option.default not in (None, "", (), False, True):
        shown = option.default
        if isinstance(shown, tuple):
            shown = ", ".join(shown)
        if isinstance(shown, float):
            shown = f"{shown:g}"
        about += f" ({shown})".replace("%", "%%")
    if option.flag:
        group.add_argument(f"--{option.name}", action=argparse.BooleanOptionalAction, help=about,
                           **common)
        return
    extra: dict[str, Any] = {"metavar": option.metavar}
    if option.choices:
        about += f": {', '.join(option.choices)}"
    if option.many:
        extra["action"] = "append"
    if option.optional_value is not None:
        extra |= {"nargs": "?", "const": option.optional_value}
        group.add_argument(f"--no-{option.name}", action="store_const", const="false",
                           help=argparse.SUPPRESS, **common)
    group.add_argument(f"--{option.name}", help=about, **extra, **common)


# ---- What is in force --------------------------------------------------------------------------


@dataclass
class Config:
    """All options, and the server's own settings that were given, as texts."""

    application: str
    values: dict[str, Any]
    settings: dict[str, str]
    given: frozenset[str]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def server_settings(self) -> dict[str, str]:
        """As the server has them: names of docs/configuration.md, values as texts."""
        made = dict(self.settings)
        if self.fd is not None:
            made["fd"] = str(self.fd)
        elif self.uds is not None:
            made["uds"] = self.uds
        else:
            made["host"], made["port"] = self.host, str(self.port)
        if self.proxy_headers:
            made["proxy_headers"] = self.proxy_headers
            made["trusted_proxies"] = _proxies(self.forwarded_allow_ips)
        made["server_header"] = "true" if self.server_header else "false"
        if self.limit_concurrency is not None:
            made["max_parked"] = str(self.limit_concurrency)
        made["idle_timeout"] = f"{round(self.timeout_keep_alive * 1000)}ms"
        made["drain_grace"] = f"{round(self.timeout_graceful_shutdown * 1000)}ms"
        if self.access_log:
            made["access_log"] = self.access_log
        if self.access_log_format is not None:
            made["access_log_format"] = self.access_log_format
        made["log_level"] = {"critical": "error", "trace": "debug"}.get(self.log_level,
                                                                        self.log_level)
        # The start is told by this program, which knows what is served.
        made["quiet"] = "true"
        return made


def _proxies(text: str) -> str:
    if text.strip() == "*":
        return "0.0.0.0/0, ::/0, unix"
    return text


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Config:
    """SystemExit for --help and for what the parser refuses; OptionError for a bad value."""
    given = vars(parser().parse_args(list(arguments)))
    application = given.pop("application") or environment.get("WEFT_APP", "")
    if not application:
        raise OptionError("what is to be served? Name it as MODULE:NAME, such as main:app")
    return combine(application, given, environment)


def combine(application: str, given: Mapping[str, Any], environment: Mapping[str, str]) -> Config:
    """Options by name, as flags or as run() have them, over the environment and a file."""
    given = {name.replace("-", "_"): value for name, value in given.items()}
    for name, allowed in IGNORED.items():
        value = given.pop(name.replace("-", "_"), None)
        if allowed and value is not None and value not in allowed:
            raise OptionError(f"--{name} {value}: weft has its own, which is always used; "
                              "leave this out")
    given.pop("no_use_colors", None)
    config_file = given.pop("config", None) or environment.get("WEFT_CONFIG")
    from_file = read_file(config_file) if config_file else {}
    values: dict[str, Any] = {}
    found: set[str] = set()
    known = {option.key for option in OPTIONS} | {key for key, _, _ in SETTINGS}
    for name in given:
        if name not in known:
            hint = _hint(name.replace("_", "-"))
            raise OptionError(f"there is no option {name!r}" + (f"; {hint}" if hint else ""))
    for option in OPTIONS:
        sources = [(f"--{option.name}", given.get(option.key))]
        sources += [(name, environment.get(name) or None)
                    for name in (option.variable, *option.variables)]
        sources.append((f"{config_file}: {option.key}", from_file.get(option.key)))
        values[option.key] = option.default
        for where, value in sources:
            if value is not None:
                values[option.key] = _value_of(option, where, value)
                found.add(option.key)
                break
    settings = {}
    for key, _, _ in SETTINGS:
        for value in (given.get(key), environment.get("WEFT_" + key.upper()) or None,
                      from_file.get(key)):
            if value is not None:
                settings[key] = _plain_text(value)
                break
    config = Config(application, values, settings, frozenset(found))
    _check(config, given)
    return config


def _value_of(option: Option, where: str, value: Any) -> Any:
    try:
        if option.many:
            if isinstance(value, str):
                value = [part for part in value.replace(";", ",").split(",") if part] \
                    if where.startswith("WEFT_") else [value]
            made = tuple(option.kind(_plain_text(one)) for one in value)
            return (*option.default, *made)
        text = _plain_text(value)
        if option.choices and text not in option.choices:
            near = difflib.get_close_matches(text, option.choices, 1, 0.5)
            raise ValueError(f"one of {', '.join(option.choices)}"
                             + (f"; did you mean {near[0]}" if near else ""))
        return option.kind(text)
    except ValueError as error:
        raise OptionError(f"{where} must be {error}, not '{value}'") from None


def _plain_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(config: Config, given: Mapping[str, Any]) -> None:
    places = [name for name in ("uds", "fd") if given.get(name) is not None]
    if given.get("host") is not None or given.get("port") is not None:
        places.append("host and port")
    if len(places) > 1:
        raise OptionError(f"{' and '.join(places)}: a server listens on one of them")
    # A flag for a port wins over a variable for a path.
    if places == ["host and port"]:
        config.values["uds"] = config.values["fd"] = None
    elif places == ["uds"]:
        config.values["fd"] = None
    if config.reload and config.workers > 1:
        raise OptionError("--reload is for one process; leave out --workers, or send SIGHUP to "
                          "a server of several, which replaces them one by one")
    for header in config.header:
        name, colon, _ = header.partition(":")
        if not colon or not name.strip():
            raise OptionError(f"--header must be NAME:VALUE, not '{header}'")


def read_file(path: str) -> dict[str, Any]:
    """The keys of all sections of a TOML file, as docs/configuration.md has them."""
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise OptionError(f"the settings {path} cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{path}: {error}") from None
    sections = {key: section for key, section, _ in SETTINGS}
    sections |= {option.key: option.section for option in OPTIONS}
    renamed = {"idle_timeout": "timeout_keep_alive", "drain_grace": "timeout_graceful_shutdown",
               "max_parked": "limit_concurrency", "trusted_proxies": "forwarded_allow_ips"}
    found: dict[str, Any] = {}
    for section, keys in document.items():
        if section == "app":
            continue  # The application's own.
        if not isinstance(keys, dict) or section not in ("server", "limits", "log"):
            raise OptionError(f"{path}: there is no section [{section}]; one of [server], "
                              "[limits], [log] and [app]")
        for key, value in keys.items():
            name = renamed.get(key, key)
            if name not in sections:
                near = difflib.get_close_matches(key, sections, 1, 0.6)
                raise OptionError(f"{path}: there is no setting {key} in [{section}]"
                                  + (f"; did you mean {near[0]}?" if near else ""))
            found[name] = ", ".join(value) if isinstance(value, list) and name not in (
                "header", "reload_dir", "reload_include", "reload_exclude") else value
    return found


def read_env_file(path: str) -> dict[str, str]:
    """NAME=VALUE lines; # begins a comment, `export` is passed over, quotes are taken off."""
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"--env-file {path} cannot be read: {error}") from None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name.replace("_", "a").isalnum() or name[0].isdigit():
            raise OptionError(f"--env-file {path}:{number}: a line is NAME=VALUE, not '{line}'")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            quoted, value = value[0], value[1:-1]
            if quoted == '"':
                value = value.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
        else:
            value = value.split(" #")[0].rstrip()
        found[name] = value
    return found


def apply_env_file(path: str | None) -> None:
    if path:
        for name, value in read_env_file(path).items():
            os.environ.setdefault(name, value)
