"""What every block of this plugin asks of its place."""

from __future__ import annotations

from ganblocks import Site


def check_channels(site: Site, reduction: int, value_ratio: int) -> None:
    """Refuse a place whose channels cannot be divided as the options say."""
    for name, ratio in (("reduction", reduction), ("value_ratio", value_ratio)):
        if site.channels % ratio or site.channels < ratio:
            rule = f"needs channels that {name} divides, got {site.channels} channels and {name} = {ratio}"
            fits = [r for r in (8, 4, 2, 1) if r <= ratio and site.channels % r == 0]
            raise site.error(rule, f"use {name} = {fits[0]}, or a wider network")
