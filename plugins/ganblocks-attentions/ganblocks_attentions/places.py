"""What the blocks of this plugin ask of their place."""

from __future__ import annotations

from ganblocks import Site


def share(site: Site, name: str, ratio: int) -> int:
    """C / ratio; refuses channels that the option ``name`` does not divide."""
    if site.channels % ratio:
        rule = f"needs channels that {name} divides, got {site.channels} channels and {name} = {ratio}"
        raise site.error(rule, f"use {name} = {largest_divisor(site.channels, ratio)}, or a wider network")
    return site.channels // ratio


def width_of_heads(site: Site, heads: int, head_width: int | None) -> int:
    """Channels of one head: those that are given, or C / heads."""
    return share(site, "heads", heads) if head_width is None else head_width


def check_keys(site: Site, pool: int) -> None:
    """Refuse a place that cannot be pooled, or where one key is left."""
    if site.height % pool or site.width % pool:
        rule = f"needs a height and width that pool = {pool} divides, got {site.height}×{site.width}"
        raise site.error(rule, "use pool = 1")
    if site.height * site.width == pool**2:
        rule = f"has one key at {site.height}×{site.width} with pool = {pool}: there is nothing to choose from"
        raise site.error(rule, "use pool = 1" if pool > 1 else "place it at a larger feature size")


def largest_divisor(channels: int, most: int) -> int:
    """Of the divisors of ``channels`` that are at most ``most``, the largest."""
    return next(ratio for ratio in range(most, 0, -1) if channels % ratio == 0)
