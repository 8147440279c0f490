"""Every property of its kind, tested for every component of this plugin."""

from __future__ import annotations

import ganblocks_losses

from ganblocks.testing import Check, conformance


@conformance(ganblocks_losses)
def test_conformance(check: Check) -> None:
    check()
