"""Every promise that ganblocks makes about a component, checked for this plugin's."""

from __future__ import annotations

import ganblocks_acgan

from ganblocks.testing import Check, conformance


@conformance(ganblocks_acgan)
def test_conformance(check: Check) -> None:
    check()
