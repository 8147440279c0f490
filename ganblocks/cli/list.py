"""``ganblocks list``: the names that a recipe may use."""

from __future__ import annotations

from ganblocks.cli.commands import ListOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table


def list_components(context: Context, options: ListOptions) -> None:
    """Print the components of one kind, or of all."""
    registry = context.registry()
    offers = registry.offers(options.kind)
    if options.as_json:
        names = ("kind", "name", "owner", "distribution", "version")
        print_json([{name: getattr(offer, name) for name in names} for offer in offers])
    else:
        print_table(
            ("kind", "name", "owner", "from"), [(o.kind, o.name, o.owner, f"{o.distribution} {o.version}") for o in offers]
        )
