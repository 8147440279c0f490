"""Every promise that ganblocks makes about a component, checked for this plugin's."""

from __future__ import annotations

import ganblocks_loggers

from ganblocks.testing import Check, conformance


@conformance(ganblocks_loggers)
def test_conformance(check: Check) -> None:
    check()
