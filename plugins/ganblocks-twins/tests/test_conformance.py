"""Every promise that ganblocks makes about a component, checked for this plugin's."""

from __future__ import annotations

import ganblocks_twins
from ganblocks_twins.dataset import Twins
from ganblocks_twins.reading import TwinsReader

from ganblocks.testing import Check, conformance

EXAMPLES = {
    "dataset/twins": [
        Twins(),
        Twins(size=32, cells=4, cell=3, distance=12, heights=21),
        Twins(size=9, cells=1, cell=3, distance=4),
    ],
    "feature_extractor/twins": [TwinsReader(), TwinsReader(size=32, cells=4, cell=3), TwinsReader(size=9, cells=1)],
}


@conformance(ganblocks_twins, examples=EXAMPLES)
def test_conformance(check: Check) -> None:
    check()
