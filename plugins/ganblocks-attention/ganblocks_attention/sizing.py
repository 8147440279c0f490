"""Widths that give a control as many parameters as the block that it replaces."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import torch

from ganblocks import Attention, Site
from ganblocks_attention.checks import share, smaller_reduction

MOST_APART = 0.025
"""Largest relative difference from the weights of the block that is replaced, as in a study's tables."""
NARROWEST = 4
"""Smallest bottleneck of one vector per sample. In a narrower one the ReLU may cut off every channel of every sample, so that
nothing learns: that happened in 17 of 30 toy games with one channel, in 7 of 30 with two, and in none with four."""
Weights = Callable[[int], int]
"""Width h of a control -> its weights, γ aside; they are at least h and grow with it."""


def bottleneck_width(site: Site, weights: Weights, reduction: int | None, like: Attention | None) -> int:
    """Return C / reduction; without it the h with as many weights as ``like``, or as self_attention's 1.25 C² without either.

    Raise PlacementError if no width fits, if it is below NARROWEST, or if both options are given.
    """
    if reduction is not None and like is not None:
        raise site.error("has both reduction and like, and each sets its width", "leave reduction out, or leave like out")
    hint = smaller_reduction(site.channels, NARROWEST) if like is None else "leave like out"
    if like is not None:
        width = width_like(site, weights, like)
    elif reduction is not None:
        width = share(site, "reduction", reduction)
    else:
        width = matched_width(site, weights, 5 * site.channels**2 // 4, "self_attention", hint)
    if width < NARROWEST:
        rule = f"has a bottleneck of width {width}, where its ReLU easily cuts off every channel; {NARROWEST} is the smallest"
        raise site.error(rule, hint)
    return width


def width_like(site: Site, weights: Weights, like: Attention, gated: bool = True) -> int:
    """Return the h that gives as many parameters as ``like`` has, one of which is the control's own γ if it is ``gated``.

    Raise PlacementError if ``like`` has no parameters, or if no width comes near theirs.
    """
    target = parameters_of(like, site) - gated
    if target < 1:
        raise site.error("like has no weights to match", "leave like out")
    return matched_width(site, weights, target, "like", "use a wider network, or leave like out")


def matched_width(site: Site, weights: Weights, target: int, whose: str, hint: str) -> int:
    """Return the h that is closest to ``target`` weights. Raise PlacementError if the difference is above MOST_APART."""
    width = closest_width(weights, target)
    if abs(weights(width) - target) > MOST_APART * target:
        rule = f"no width comes within {MOST_APART:.1%} of the {target:,} weights of {whose}; {width} gives {weights(width):,}"
        raise site.error(rule, hint)
    return width


def closest_width(weights: Weights, target: int) -> int:
    """Return the h for which ``weights(h)`` is closest to ``target``; at least 1."""
    above = bisect_left(range(1, target + 1), target, key=weights) + 1  # the first that has as many or more
    return min(max(above - 1, 1), above, key=lambda width: abs(weights(width) - target))


def parameters_of(component: Attention, site: Site) -> int:
    """Return the number of parameters of a block at ``site``, counted on the meta device: nothing is allocated."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in site.at("like").build(component).parameters())
