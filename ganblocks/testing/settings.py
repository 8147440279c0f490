"""How many examples a property test tries: a number per test, scaled by hypothesis' profile."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""``max_examples`` of hypothesis' default profile, at which the numbers stand as they are written."""


def scaled(count: int) -> int:
    """``count``, times 10 under a profile of 1,000 examples."""
    return max(1, count * settings.default.max_examples // USUAL)  # type: ignore[union-attr]


def examples(count: int) -> settings:
    """Settings for a property test of ``count`` examples, more under a deeper profile. No deadline: machines are noisy."""
    return settings(max_examples=scaled(count), deadline=None)
