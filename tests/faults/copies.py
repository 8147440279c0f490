"""A copy of the tree, outside every repository, whose files may be changed and tested."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from faults import ROOT

COPIED = (
    *("ganblocks", "plugins", "recipes", "findings", "tests", "docs"),
    *("conftest.py", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE"),
)
PYTEST = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0")
TIMEOUT = 600
"""Seconds."""
OUT_OF_TIME = -1
"""Exit code if a limit was reached."""


class Copy:
    """Imports there find the copy: it stands in PYTHONPATH, which comes before what is installed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy(source, root / name)
        paths = os.pathsep.join(map(str, [root, *sorted((root / "plugins").iterdir())]))
        self._clock = count(1_000_000_000)
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            cwd=root,
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, file: str, text: str) -> None:
        """Write a file, with a time of its own, by which Python tells stale bytecode: a clock's seconds are too coarse."""
        (self.root / file).write_text(text, encoding="utf-8")
        moment = next(self._clock)
        os.utime(self.root / file, (moment, moment))

    def printed(self, codes: Sequence[str]) -> list[str]:
        """Return what pieces of Python code print here."""
        outputs: list[str] = self._ask({"code": codes})
        return outputs

    def pytest(self, tests: Sequence[str], limit: float = TIMEOUT) -> tuple[int, str]:
        """Return exit code and output of ``python -m pytest -x -q ...``; the code is OUT_OF_TIME after ``limit`` seconds."""
        code, output = self._ask({"tests": [*PYTEST, *tests], "limit": limit})
        return code, output

    def close(self) -> None:
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait()

    def _ask(self, request: object) -> Any:
        assert self._server.stdin
        assert self._server.stdout
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return json.loads(self._server.stdout.readline())
