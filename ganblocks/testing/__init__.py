"""The kit for tests of plugins: ``@conformance(my_plugin)``, and toys to test components in."""

from __future__ import annotations

from typing import Any

from ganblocks import deprecated
from ganblocks.testing.conformance import Check, Verdict, checks_of, conformance
from ganblocks.testing.expect import ConformanceError
from ganblocks.testing.settings import examples

__all__ = ["Check", "ConformanceError", "Verdict", "checks_of", "conformance", "examples"]


def __getattr__(name: str) -> Any:
    if name in deprecated.RENAMED_IN_TESTING:
        new = deprecated.RENAMED_IN_TESTING[name]
        deprecated.warn_renamed(f"ganblocks.testing.{name}", f"ganblocks.testing.{new}")
        return globals()[new]
    raise AttributeError(f"module 'ganblocks.testing' has no attribute {name!r}")
