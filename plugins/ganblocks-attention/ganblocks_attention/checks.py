"""Checks of channels and feature sizes that several attention blocks share."""

from __future__ import annotations

from ganblocks import Site


def share(site: Site, name: str, ratio: int) -> int:
    """Return C / ratio. Raise PlacementError if the option ``name`` does not divide the channels."""
    if site.channels % ratio:
        rule = f"needs channels that {name} divides, got {site.channels} channels and {name} = {ratio}"
        raise site.error(rule, f"use {name} = {largest_divisor(site.channels, ratio)}, or a wider network")
    return site.channels // ratio


def head_channels(site: Site, heads: int, head_width: int | None) -> int:
    """Return the channels of one head: ``head_width``, or C / heads if it is None."""
    return share(site, "heads", heads) if head_width is None else head_width


def check_keys(site: Site, pool: int) -> None:
    """Raise PlacementError if ``pool`` does not divide the feature size, or if pooling leaves a single key."""
    if site.height % pool or site.width % pool:
        rule = f"needs a height and width that pool = {pool} divides, got {site.height}×{site.width}"
        raise site.error(rule, "use pool = 1")
    if site.height * site.width == pool**2:
        rule = f"has one key at {site.height}×{site.width} with pool = {pool}: there is nothing to choose from"
        raise site.error(rule, "use pool = 1" if pool > 1 else "place it at a larger feature size")


def largest_divisor(channels: int, maximum: int) -> int:
    """Return the largest divisor of ``channels`` that is at most ``maximum``."""
    return next(ratio for ratio in range(maximum, 0, -1) if channels % ratio == 0)


def smaller_reduction(channels: int, narrowest: int) -> str:
    """Return the hint that leads to a bottleneck of ``narrowest`` channels or more, with a reduction of 16 if that fits."""
    if channels < narrowest:
        return "a wider network"
    return f"use reduction = {largest_divisor(channels, min(16, channels // narrowest))}, or a wider network"
