"""Every property of its kind, tested for every component of this plugin."""

from __future__ import annotations

import ganblocks_penalties

from ganblocks.testing import Check, conformance


@conformance(ganblocks_penalties)
def test_conformance(check: Check) -> None:
    check()
