"""How many channels stand at which size, the same in both networks, and where attention may stand."""

from __future__ import annotations

from collections.abc import Collection

from ganblocks import ImageSpec, Site

START = 4
"""Height and width of the smallest feature map."""


def feature_maps(image: ImageSpec, site: Site, width: int) -> dict[int, int]:
    """Size -> channels: ``width`` at half the image's size, and twice as many at each half of that, down to 4×4.

    Raises Misfit where halving does not lead there.
    """
    size = image.size
    if size < 2 * START or size & (size - 1):
        raise site.misfit(
            f"halves the size down to {START}×{START}, where {size} pixels do not lead",
            "use images of 8, 16, 32, 64, 128, … pixels",
        )
    halvings = size.bit_length() - START.bit_length()
    return {size >> n: width << (n - 1) for n in range(1, halvings + 1)}


def expect_sizes(site: Site, maps: Collection[int], wanted: Collection[int]) -> None:
    """Raises Misfit for sizes in ``attention_at`` that never occur."""
    if missing := sorted(set(wanted) - set(maps)):
        rule = f"attention_at names {_listed(missing)}, but feature maps have sizes {_listed(sorted(maps))}"
        raise site.misfit(rule, "set attention_at to one of them")


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(str(number) for number in numbers)
