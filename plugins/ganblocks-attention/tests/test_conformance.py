"""Every property of its kind, tested for every component of this plugin."""

from __future__ import annotations

import ganblocks_attention

from ganblocks.testing import Check, conformance


@conformance(ganblocks_attention)
def test_conformance(check: Check) -> None:
    check()
