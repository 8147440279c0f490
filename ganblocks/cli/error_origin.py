"""Name the plugin whose code raised an unexpected error."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

from ganblocks.plugins import GROUP
from ganblocks.registry import named

OWN = "ganblocks"


def describe_origin(error: BaseException, given: Iterable[str] = ()) -> str:
    """Return one line: the plugin nearest to the error in the traceback, with distribution and version, and the error.

    Args:
        error: with its traceback.
        given: files added by ``-p``.

    """
    return f"{_owner(error, given)} failed: {named(error)}"


def _owner(error: BaseException, given: Iterable[str]) -> str:
    plugins = {point.value.split(":")[0].split(".")[0]: point for point in entry_points(group=GROUP)}
    files = {str(Path(name).absolute()) for name in given}
    frames = [frame.f_globals for frame, _ in traceback.walk_tb(error.__traceback__)]
    for names in reversed(frames):
        module = str(names.get("__name__", "")).split(".")[0]
        if point := plugins.get(module):
            dist = point.dist
            return f"the plugin {point.name}" + (f" ({dist.name} {dist.version})" if dist else "")
        if (file := str(names.get("__file__", ""))) in files:
            return f"the plugin {file}"
    return f"{OWN} itself"
