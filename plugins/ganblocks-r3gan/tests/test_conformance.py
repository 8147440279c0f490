"""Every promise that ganblocks makes about a component, checked for this plugin's."""

from __future__ import annotations

import ganblocks_r3gan

from ganblocks.testing import Check, conformance


@conformance(ganblocks_r3gan)
def test_conformance(check: Check) -> None:
    check()
