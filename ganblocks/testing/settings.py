"""How many examples a property test tries: a number per test, scaled by hypothesis' profile."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""``max_examples`` of hypothesis' default profile, at which the numbers are used as written."""


def scaled(count: int) -> int:
    """Return ``count`` scaled by the profile: times 10 under one of 1,000 examples."""
    return max(1, count * settings.default.max_examples // USUAL)  # type: ignore[union-attr]


def examples(count: int) -> settings:
    """Return settings for a test of ``count`` examples, more under a deeper profile. No deadline: machines are noisy."""
    return settings(max_examples=scaled(count), deadline=None)
