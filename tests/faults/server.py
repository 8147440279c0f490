"""Runs Python code and tests in forks of a process that has torch imported: starting it anew would take most of the time.

Reads one JSON request per line from its standard input: ``{"code": [...]}`` or ``{"tests": [...], "limit": seconds}``. Answers
with one line of JSON: what each piece of code printed, or pytest's ``[exit code, output]``, with -1 where time ran out.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TextIO

import numpy  # noqa: F401
import PIL.Image  # noqa: F401
import pytest
import torch
import torch._dynamo  # by torch itself, at its first gradient or draw
from copies import OUT_OF_TIME
from hypothesis import Phase, settings


def main() -> None:
    torch.set_num_threads(1)
    # a failing example is proof enough: it need not be shrunk, nor kept
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("faults", phases=phases, database=None, deadline=None)
    settings.load_profile("faults")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main(["--version"])  # loads pytest's plugins
        with contextlib.suppress(ImportError):
            import_module("hypothesis.extra._patching")  # and with it libcst, at a failure
    gc.freeze()  # pytest collects garbage several times
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile("w+") as output:
            answer: object
            if "code" in request:
                code = fork(lambda request=request, output=output: print_all(request["code"], output), output, 600)
                output.seek(0)
                answer = json.loads(output.read()) if code == 0 else sys.exit(f"witnesses end with {code}: {output.read()}")
            else:
                code = fork(lambda request=request: int(pytest.main(request["tests"])), output, request["limit"])
                output.seek(0)
                answer = [code, output.read()]
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)  # frozen objects would be reported as leaks


def fork(work: Callable[[], int], output: TextIO, limit: float) -> int:
    """The exit code of ``work`` in a fork whose output goes to a file."""
    child = os.fork()
    if child == 0:
        os.setsid()
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
        code = 3
        try:
            code = work()
            sys.stdout.flush()
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return OUT_OF_TIME


def print_all(codes: Sequence[str], output: TextIO) -> int:
    """Write what each piece prints, as JSON; an exception counts as something printed."""
    warnings.simplefilter("ignore")
    printed = []
    for code in codes:
        with contextlib.redirect_stdout(io.StringIO()) as stream:
            try:
                exec(code, {})
            except Exception as error:
                print("raises", type(error).__name__, error)
        printed.append(stream.getvalue())
    ours = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name.startswith("ganblocks")}
    strangers = [file for file in ours.values() if file and not Path(file).is_relative_to(Path.cwd())]
    assert not strangers, f"not from the copy: {strangers}"
    json.dump(printed, output)
    output.flush()
    return 0


if __name__ == "__main__":
    main()
