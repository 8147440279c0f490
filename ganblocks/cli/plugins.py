"""``ganblocks plugins``: the installed plugins and their faults."""

from __future__ import annotations

import time
from collections import defaultdict

import attrs

from ganblocks.cli.commands import PluginsOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table
from ganblocks.errors import BrokenPlugin
from ganblocks.registry import PluginFact, Registry

FAULTY = 1


def plugins(context: Context, options: PluginsOptions) -> int:
    """Return the exit code: 0, or with ``verify`` 1 where any plugin has a fault."""
    registry = context.registry()
    facts = verified(registry) if options.verify else registry.plugins
    if options.as_json:
        print_json([attrs.asdict(fact) for fact in facts])
    else:
        print_table(("plugin", "from", "components", "seconds", "status"), [_row(fact) for fact in facts], right=(2, 3))
    return FAULTY if options.verify and any(fact.faulty for fact in facts) else 0


def verified(registry: Registry) -> tuple[PluginFact, ...]:
    """Import every component; return the plugins with a warning for each that fails, and the time that it took."""
    faults: dict[str, list[str]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    for offer in registry.offers():
        start = time.perf_counter()
        try:
            offer.resolve()
        except BrokenPlugin as error:
            faults[offer.owner].append(str(error))
        seconds[offer.owner] += time.perf_counter() - start
    return tuple(
        attrs.evolve(
            fact,
            warnings=(*fact.warnings, *faults[fact.name]),
            seconds=round(fact.seconds + seconds[fact.name], 3),
        )
        for fact in registry.plugins
    )


def _row(fact: PluginFact) -> tuple[str, str, str, str, str]:
    words = "; ".join(filter(None, (fact.reason, *fact.warnings)))
    return (
        fact.name,
        f"{fact.distribution} {fact.version}",
        str(fact.components),
        f"{fact.seconds:.2f}",
        f"{fact.status}{': ' if words else ''}{words}",
    )
