"""Every property of its kind, tested for every component of this plugin."""

from __future__ import annotations

import ganblocks_update_rules

from ganblocks.testing import Check, conformance


@conformance(ganblocks_update_rules)
def test_conformance(check: Check) -> None:
    check()
