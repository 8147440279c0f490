"""Earlier commits of this repository, in a process of their own that waits while others run.

As a script, this file is that process: ``python benchmarks/earlier.py WORKLOAD PRECISION THREADS TOY``, with the earlier commit
first on ``PYTHONPATH``. It writes its numbers of parameters; then it runs one iteration per line that it reads, and answers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Yield a temporary folder with the code of a commit."""
    with tempfile.TemporaryDirectory(prefix="ganblocks-") as folder:
        command = ["git", "archive", commit, "ganblocks", "plugins", "recipes"]
        archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        _declare_plugins(Path(folder))
        yield Path(folder)


def _declare_plugins(folder: Path) -> None:
    """Write the metadata that an installation of the folder would have: its plugins' entry points."""
    files = sorted(folder.glob("plugins/*/pyproject.toml"))
    points = [tomllib.loads(file.read_text(encoding="utf-8"))["project"]["entry-points"]["ganblocks"] for file in files]
    lines = [f"{name} = {package}" for plugins in points for name, package in plugins.items()]
    info = folder / "ganblocks-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ganblocks\nVersion: 0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("\n".join(["[ganblocks]", *lines]) + "\n", encoding="utf-8")


class Worker:
    """A script that runs by the code in another folder; a context manager that ends its process.

    Args:
        folder: of :func:`checked_out`, or of this repository.
        script: answers with a line for every line that it reads, and begins with one.
        arguments: of the script.
    """

    def __init__(self, folder: Path, script: Path, *arguments: str) -> None:
        paths = [str(folder), *(str(path.parent) for path in sorted(folder.glob("plugins/*/pyproject.toml")))]
        self._process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "GANBLOCKS_EXPECTED": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.greeting = self._answer()
        """The first line."""

    def ask(self, question: str) -> str:
        """Return the answer to a line. Raise RuntimeError if the process has ended."""
        assert self._process.stdin is not None, "the process was started with a pipe"
        self._process.stdin.write(f"{question}\n")
        return self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None, "the process was started with a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the earlier commit cannot run this: its process ended with {self._process.wait()}")
        return line


class EarlierIteration(Worker):
    """One iteration of a workload by the code in a folder.

    Args:
        folder: of :func:`checked_out`.
        workload: its name.
        precision: ``"fp32"`` or ``"bf16"``.
        threads: of torch.
        toy: whether the networks are tiny.
    """

    def __init__(self, folder: Path, workload: str, precision: str, threads: int, toy: bool) -> None:
        super().__init__(folder, Path(__file__), workload, precision, str(threads), str(int(toy)))
        self.parameters = tuple(int(number) for number in self.greeting.split())
        """Of the generator and the discriminator."""

    def __call__(self) -> None:
        """Run both players' turns, optimizers included."""
        self.ask("step")


def serve(workload: str, precision: str, threads: str, toy: str) -> None:
    """Run iterations as they are asked for, until the input ends."""
    import torch
    from workloads import WORKLOADS, Iteration  # type: ignore[import-not-found] # beside this file, which runs as a script

    import ganblocks

    assert Path(ganblocks.__file__).is_relative_to(os.environ["GANBLOCKS_EXPECTED"]), "PYTHONPATH names the code's folder"
    torch.set_num_threads(int(threads))
    iteration = Iteration(WORKLOADS[workload].recipe(precision, bool(int(toy))))
    print(*iteration.parameters, flush=True)
    for _ in sys.stdin:
        iteration()
        print("done", flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
