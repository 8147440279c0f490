"""Recipes that somebody wrote to do harm: each is a folder's contents and the name of the file to read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cli.commands import ROOT

SOUND = (ROOT / "tests" / "recipe" / "valid_base.toml").read_text(encoding="utf-8")
Make = Callable[[Path], Path]
"""An empty folder -> the recipe in it."""

CODE = (
    "os.system",
    "os:system",
    "builtins.eval",
    "builtins:exec",
    "torch.load",
    "torch:load",
    "functools.partial",
    "subprocess.Popen",
    "subprocess:run",
    "pickle.loads",
    "importlib.import_module",
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "{0.__class__}",
    "%(os)s",
    "${env:HOME}",
    "${oc.env:HOME}",
    "$HOME",
    "$(touch /tmp/owned)",
    "`touch /tmp/owned`",
    "!!python/object/apply:os.system ['true']",
    "https://example.org/plugin.py",
    "file:///etc/passwd",
    "git+https://example.org/x.git",
    "./plugin.py",
    "/etc/passwd",
    "../plugin",
    "norms:__init__",
    "norms:os",
    "__class__",
    "__init__",
    "lambda: 0",
    "ganblocks.cli:main",
    "ganblocks_norms.group:GroupNorm",
)
TARGETS = (
    '_target_ = "os.system"',
    '__class__ = "os.system"',
    "trust_remote_code = true",
    '_partial_ = true\n_target_ = "os.system"',
    'plugins = ["os"]',
    '_args_ = ["touch /tmp/owned"]',
    '__reduce__ = "os.system"',
    'import = "os"',
)

UP = (
    "../parent.toml",
    "..",
    ".",
    "",
    "./parent.toml",
    "/etc/passwd",
    "sub/parent.toml",
    "sub/../../parent.toml",
    "..\\\\parent.toml",
    "C:\\\\parent.toml",
    "C:parent.toml",
    "\\\\\\\\host\\\\share.toml",
    "file:parent.toml",
    "https://example.org/parent.toml",
    "~/parent.toml",
    "\\u0000parent.toml",
    "parent.toml\\u0000.txt",
    "\\u2025/parent.toml",
    "\\uFF0E\\uFF0E/parent.toml",
    "\\uFF0E\\uFF0E\\uFF0Fparent.toml",
    "..\\u2215parent.toml",
    "\\u202Eparent.toml",
    "%2e%2e%2fparent.toml",
    "..%00/parent.toml",
    "$HOME/parent.toml",
    "${HOME}/parent.toml",
    "/proc/self/environ",
    "/dev/stdin",
    "\\u001b[31mparent.toml",
    "....//parent.toml",
    "é" * 200 + ".toml",
)


def _text(text: str | bytes) -> Make:
    def make(folder: Path) -> Path:
        path = folder / "recipe.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def _links(target: str) -> Make:
    """A parent that is a link to elsewhere."""

    def make(folder: Path) -> Path:
        (folder / "parent.toml").symlink_to(target)
        return _text(f'extends = "parent.toml"\n{SOUND}')(folder)

    return make


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "recipe.toml")
    return folder / "recipe.toml"


def _device(folder: Path) -> Path:
    (folder / "recipe.toml").symlink_to("/dev/zero")
    return folder / "recipe.toml"


def _pipe_as_parent(folder: Path) -> Path:
    os.mkfifo(folder / "parent.toml")
    return _text(f'extends = "parent.toml"\n{SOUND}')(folder)


def code() -> Iterator[tuple[str, Make]]:
    """Names that would be code elsewhere."""
    sockets = ("loss", "update")
    for payload in CODE:
        quoted = payload.replace("\\", "\\\\").replace('"', '\\"')
        yield f"loss {payload}", _text(f'loss = "{quoted}"\n' + SOUND.replace("[loss]", "[ignored]"))
    for target in TARGETS:
        for socket in sockets[:1]:
            yield f"{socket} {target}", _text(SOUND.replace(f"[{socket}]", f"[{socket}]\n{target}"))


def traversal() -> Iterator[tuple[str, Make]]:
    for name in UP:
        yield f"extends {name}", _text(f'extends = "{name}"\n{SOUND}')
    for target in ("/etc/passwd", "../../../../etc/passwd", "/dev/zero", "parent.toml", "/proc/self/mem"):
        yield f"link {target}", _links(target)
    yield "pipe as parent", _pipe_as_parent


def size() -> Iterator[tuple[str, Make]]:
    """What a short file can ask a reader to do."""
    texts: dict[str, str | bytes] = {
        "a file of 2 MiB": "#" * 2**21,
        "lists 100,000 deep": "a = " + "[" * 100_000,
        "tables 1,000 deep": "a = " + "{a = " * 1000,
        "tables 400 deep": "a = " + "{a = " * 400 + "1" + "}" * 400,
        "lists 400 deep": "a = " + "[" * 400 + "]" * 400,
        "dotted 100,000 deep": ".".join(["a"] * 100_000) + " = 1",
        "dotted 101": ".".join(["a"] * 102) + " = 1",
        "headers dotted": "[" + ".".join(["a"] * 50_000) + "]",
        "170,000 tables": "[[a]]\n" * 170_000,
        "20,000 keys": "\n".join(f"a{i} = 1" for i in range(20_000)),
        "9,000 keys": "[training]\n" + "\n".join(f"a{i} = 1" for i in range(9_000)),
        "a list of 100,000": "a = [" + "1," * 100_000 + "]",
        "a string of 5,000": f'title = "{"x" * 5_000}"',
        "a key of 5,000": f'"{"x" * 5_000}" = 1',
        "a string of 1 MiB": f'a = "{"x" * 2**20}"',
        "5,000 digits": "a = " + "9" * 5_000,
        "digits with underscores": "a = " + "1_" * 400_000 + "1",
        "hexadecimal": "a = 0x" + "f" * 500_000,
        "a million decimals": "a = 0." + "1" * 1_000_000,
        "blanks": "a =" + " " * 1_000_000 + "1",
        "comments": "#=\n" * 300_000 + "a = ",
        "a date out of range": "a = 9999-99-99",
        "half a character": b'title = "\\ud800"',
        "not UTF-8": b"\xff\xfe\x00",
        "zeros": b"\0" * 1000,
        "ESC": b'title = "\x1b[31m"',
        "not finite": SOUND.replace("batch = ", "batch = nan #"),
        "64 bits and more": SOUND.replace("batch = ", "batch = 99999999999999999999 #"),
        "negative": SOUND.replace("batch = ", "batch = -1 #"),
        "true": SOUND.replace("batch = ", "batch = true #"),
        "empty": "",
    }
    for name, text in texts.items():
        yield name, _text(text)
    yield "a pipe", _pipe
    yield "a device", _device


HOSTILE = [*code(), *traversal(), *size()]
