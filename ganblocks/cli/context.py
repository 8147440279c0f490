"""The global options of all commands, and the registry that follows from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define

from ganblocks.errors import UsageError

if TYPE_CHECKING:
    from ganblocks.registry import Registry

SLOW = 2.0
"""Seconds of import time after which a plugin gets a warning."""
SLOW_HINT = 'with "package.module:Class" instead of a class, its hook would import nothing before first use'


@define
class Context:
    """The options before the name of the command."""

    plugins: Sequence[str] = ()
    """``-p``: ``no:NAME`` excludes a plugin, ``./file.py`` adds a file for this command."""
    strict: bool = False

    def arguments(self) -> list[str]:
        """Return the same options for another ganblocks process."""
        plugins = [word for plugin in self.plugins for word in ("-p", plugin)]
        return [*plugins, *(["--strict-plugins"] if self.strict else [])]

    def registry(self) -> Registry:
        """Discover plugins as the global options say; faults of plugins added by ``-p`` are errors."""
        from ganblocks.options.words import suggestion
        from ganblocks.plugins import discover, refuse_broken

        block = [name.removeprefix("no:") for name in self.plugins if name.startswith("no:")]
        files = [Path(name) for name in self.plugins if not name.startswith("no:")]
        if wrong := [str(file) for file in files if file.suffix != ".py"]:
            raise UsageError(f"-p {wrong[0]}: write no:NAME to exclude a plugin, or the path of a .py file to add one")
        registry = discover(block, files, strict=self.strict)
        known = {fact.name for fact in registry.plugins}
        if absent := [name for name in block if name not in known]:
            raise UsageError(f"-p no:{absent[0]}: no plugin is called that; {suggestion(absent[0], known)}")
        for fact in registry.plugins:
            if fact.seconds > SLOW:
                say(f"warning: the plugin {fact.name} takes {fact.seconds:.1f} s to import; {SLOW_HINT}")
        refuse_broken(fact for fact in registry.plugins if fact.distribution in {str(file.absolute()) for file in files})
        return registry


def say(text: str) -> None:
    """Print a message to stderr: stdout is for results."""
    print(text, file=sys.stderr)
