"""``ganblocks plugins``: what is installed, and what is wrong with it."""

from __future__ import annotations

from collections import defaultdict

import attrs

from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table
from ganblocks.errors import BrokenPlugin
from ganblocks.registry import PluginFact, Registry


def plugins(context: Context, as_json: bool, verify: bool) -> None:
    registry = context.registry()
    facts = verified(registry) if verify else registry.plugins
    if as_json:
        print_json([attrs.asdict(fact) for fact in facts])
    else:
        print_table(("plugin", "from", "components", "status"), [_row(fact) for fact in facts], right=(2,))


def verified(registry: Registry) -> tuple[PluginFact, ...]:
    """The plugins, after importing every component; one that cannot be had becomes a warning."""
    faults: dict[str, list[str]] = defaultdict(list)
    for offer in registry.offers():
        try:
            offer.resolve()
        except BrokenPlugin as error:
            faults[offer.owner].append(str(error))
    return tuple(attrs.evolve(fact, warnings=(*fact.warnings, *faults[fact.name])) for fact in registry.plugins)


def _row(fact: PluginFact) -> tuple[str, str, str, str]:
    words = "; ".join(filter(None, (fact.reason, *fact.warnings)))
    return (
        fact.name,
        f"{fact.distribution} {fact.version}",
        str(fact.components),
        f"{fact.status}{': ' if words else ''}{words}",
    )
