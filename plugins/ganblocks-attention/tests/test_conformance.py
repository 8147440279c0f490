"""Every promise that ganblocks makes about a component, checked for this plugin's."""

from __future__ import annotations

import ganblocks_attention

from ganblocks.testing import Check, conformance


@conformance(ganblocks_attention)
def test_conformance(check: Check) -> None:
    check()
