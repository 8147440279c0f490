"""The kit for plugin authors' tests: ``@conformance(my_plugin)``, and toys to try components in."""

from __future__ import annotations

from ganblocks.testing.conformance import Check, Verdict, checks_of, conformance
from ganblocks.testing.promises import BrokenPromise
from ganblocks.testing.settings import examples

__all__ = ["BrokenPromise", "Check", "Verdict", "checks_of", "conformance", "examples"]
