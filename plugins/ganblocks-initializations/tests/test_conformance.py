"""Every property of its kind, tested for every component of this plugin."""

from __future__ import annotations

import ganblocks_initializations

from ganblocks.testing import Check, conformance


@conformance(ganblocks_initializations)
def test_conformance(check: Check) -> None:
    check()
