"""Run folders that somebody else has made: one sound run, changed in 300 ways, with a manifest that agrees wherever it can.

Whoever sends a folder also writes its hashes: so what is behind them must be looked at as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.cli.commands import ROOT

SOUND = ROOT / "tests" / "fixtures" / "run-of-format-1"
CHECKPOINT = Path("checkpoints") / "images-0000000032"
Spoil = Callable[[Path], None]
"""Changes a copy of the run."""
TENSORS = "average.safetensors"


class Bomb:
    """Touches a file where it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.target}",))


OWNED = "/tmp/ganblocks-owned"
PICKLES = [pickle.dumps(Bomb(OWNED), protocol) for protocol in range(6)]


def copy(folder: Path) -> Path:
    """The sound run, which goes on with one thread: two would wait for the other tests."""
    shutil.copytree(SOUND, folder)
    facts = json.loads((folder / "provenance.json").read_bytes())
    (folder / "provenance.json").write_text(json.dumps(facts | {"threads": 1}))
    return folder


def seal(run: Path) -> None:
    """Write a manifest that agrees with what is there."""
    folder = run / CHECKPOINT
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name != "manifest.json":
            content = path.read_bytes()
            files[path.name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))


def replaced(name: str, content: bytes, sealed: bool = True) -> Spoil:
    """A file of the checkpoint has other contents."""

    def spoil(run: Path) -> None:
        (run / CHECKPOINT / name).write_bytes(content)
        if sealed:
            seal(run)

    return spoil


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(header: Any, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def reheaded(change: Callable[[dict[str, Any]], Any], name: str = TENSORS) -> Spoil:
    """The header of a file of tensors says something else, the tensors stay."""
    header, data = header_of((SOUND / CHECKPOINT / name).read_bytes())
    return replaced(name, with_header(change(header), data))


def headers() -> Iterator[tuple[str, Spoil]]:
    """Headers that lie about each of some tensors."""
    header, data = header_of((SOUND / CHECKPOINT / TENSORS).read_bytes())
    names = list(header)[:12]
    lies: dict[str, dict[str, Any]] = {
        "huge": {"shape": [2**40]},
        "huge product": {"shape": [2**31, 2**31, 2**31]},
        "overflowing": {"shape": [2**62, 4]},
        "negative": {"shape": [-1]},
        "floats": {"shape": [1.5]},
        "booleans": {"shape": [True]},
        "text": {"shape": "1"},
        "nothing": {"shape": None},
        "many dimensions": {"shape": [1] * 10_000},
        "unknown type": {"dtype": "X99"},
        "complex": {"dtype": "C64"},
        "another width": {"dtype": "F64"},
        "type is a list": {"dtype": []},
        "beyond the end": {"data_offsets": [0, 2**62]},
        "backwards": {"data_offsets": [8, 0]},
        "negative offsets": {"data_offsets": [-8, 0]},
        "one offset": {"data_offsets": [0]},
        "no offsets": {"data_offsets": None},
        "overlap": {"data_offsets": [0, 4]},
    }
    for name in names:
        for lie, change in lies.items():
            yield f"{lie} {name}", replaced(TENSORS, with_header({**header, name: {**header[name], **change}}, data))
    yield "no header", replaced(TENSORS, with_header(b"", data))
    yield "no JSON", replaced(TENSORS, with_header(b"{" * 100, data))
    yield "deep", replaced(TENSORS, with_header(b"[" * 100_000, data))
    yield "a list", replaced(TENSORS, with_header([], data))
    yield "a number", replaced(TENSORS, with_header(5, data))
    yield "long header", replaced(TENSORS, with_header(b" " * (9 << 20), data))
    yield "longer than the file", replaced(TENSORS, with_header(header, data, 2**40))
    yield "longest", replaced(TENSORS, with_header(header, data, 2**64 - 1))
    yield "an unknown tensor", reheaded(lambda found: {**found, "more": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})
    yield "renamed", reheaded(lambda found: {f"x.{name}": facts for name, facts in found.items()})
    yield "one missing", reheaded(lambda found: dict(list(found.items())[1:]))
    yield "names in colour", reheaded(lambda found: {f"\x1b[31m{name}": facts for name, facts in found.items()})
    yield "bytes behind", replaced(TENSORS, with_header(header, data + b"\0" * 8))
    yield "bytes missing", replaced(TENSORS, with_header(header, data[:-8]))


def pickles() -> Iterator[tuple[str, Spoil]]:
    for protocol, content in enumerate(PICKLES):
        for name in (TENSORS, "manifest.json"):
            yield f"pickle {protocol} as {name}", replaced(name, content, sealed=name != "manifest.json")
    yield "pickle beside", replaced("data.pkl", PICKLES[0], sealed=False)


def manifests() -> Iterator[tuple[str, Spoil]]:
    """What a manifest may say; nobody seals these."""
    path = SOUND / CHECKPOINT / "manifest.json"
    sound = json.loads(path.read_bytes())
    facts = sound["files"][TENSORS]
    names = (
        "../x",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "\0",
        "\x1b[31m",
        "x" * 5000,
        "CON:",
        "\u202e",
        "manifest.json",
        " ",
    )
    for name in names:
        yield f"names {name[:10]!r}", replaced("manifest.json", json.dumps({**sound, "files": {name: facts}}).encode(), False)
    values: tuple[Any, ...] = (None, True, -1, 1.5, "1", [], {}, 2**70, 10**400)
    for value in values:
        for key in ("bytes", "sha256"):
            files = {**sound["files"], TENSORS: {**facts, key: value}}
            yield f"{key} {value!s:.10}", replaced("manifest.json", json.dumps({**sound, "files": files}).encode(), False)
        yield f"format {value!s:.10}", replaced("manifest.json", json.dumps({**sound, "format": value}).encode(), False)
        yield f"files {value!s:.10}", replaced("manifest.json", json.dumps({**sound, "files": value}).encode(), False)
    for content in (b"", b"null", b"5", b"[]", b'"x"', b"[" * 100_000, b"{" * 1000, b"\xff", b" " * (2 << 20), b"9" * 5000):
        yield f"manifest {content[:6]!r}", replaced("manifest.json", content, sealed=False)


def places() -> Iterator[tuple[str, Spoil]]:
    """Things that are no files, where files should be."""

    def put(name: Path, make: Callable[[Path], object]) -> Spoil:
        def spoil(run: Path) -> None:
            path = run / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            make(path)

        return spoil

    makers: dict[str, Callable[[Path], object]] = {
        "pipe": os.mkfifo,
        "zero": lambda path: path.symlink_to("/dev/zero"),
        "random": lambda path: path.symlink_to("/dev/urandom"),
        "itself": lambda path: path.symlink_to(path.name),
        "passwd": lambda path: path.symlink_to("/etc/passwd"),
        "folder": lambda path: path.mkdir(),
        "sparse": lambda path: os.truncate(path, 2**40) if path.touch() is None else None,
    }
    for kind, make in makers.items():
        for name in (CHECKPOINT / TENSORS, CHECKPOINT / "manifest.json", Path("recipe.toml")):
            yield f"{kind} {name.name}", put(name, make)
    yield "checkpoint is a file", put(CHECKPOINT, lambda path: path.write_text(""))
    yield "checkpoint is a pipe", put(CHECKPOINT, os.mkfifo)


def recipes() -> Iterator[tuple[str, Spoil]]:
    """The recipe of the run itself, which says what to build."""
    text = (SOUND / "recipe.toml").read_text()
    changes = {
        "absurd width": ("width = 2", "width = 1_000_000_000"),
        "absurd latent": ("latent = ", "latent = 4611686018427387904 #"),
        "another width": ("width = 2", "width = 16"),
        "code": ('use = "', 'use = "os.system'),
        "not TOML": ("[", "[["),
    }
    for name, (old, new) in changes.items():
        assert old in text, name
        yield name, lambda run, old=old, new=new: (run / "recipe.toml").write_text(text.replace(old, new)) and None  # type: ignore[misc]
    yield "a deep recipe", lambda run: (run / "recipe.toml").write_text("a = " + "[" * 100_000) and None  # type: ignore[func-returns-value]


HOSTILE = [*headers(), *pickles(), *manifests(), *places(), *recipes()]
