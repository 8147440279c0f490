"""``ganblocks show``: one component in full."""

from __future__ import annotations

import inspect

import attrs

from ganblocks.citing import papers
from ganblocks.cli.commands import ShowOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table, printable
from ganblocks.options.describe import describe


def show(context: Context, options: ShowOptions) -> None:
    """Print what a component is, its options and its owner."""
    kind = options.kind
    registry = context.registry()
    offer = registry.find(kind, options.name)
    component = offer.resolve()
    text = inspect.getdoc(component) or ""
    described = describe(component)
    named = papers(component)
    if options.as_json:
        facts = {"kind": kind, "name": offer.name, "owner": offer.owner, "distribution": offer.distribution}
        facts |= {"version": offer.version, "class": f"{component.__module__}:{component.__qualname__}"}
        print_json({**facts, "papers": named, "doc": text, "options": [attrs.asdict(option) for option in described]})
        return
    print(f"{kind} {offer.full_name}, from {offer.distribution or 'this process'} {offer.version}".rstrip())
    print("paper: " + ", ".join(paper if "/" in paper else f"arXiv:{paper}" for paper in named) + "\n" if named else "")
    print(printable(text))
    if described:
        print_table(
            ("option", "type", "default", "range"), [(o.name, o.type, o.default or "(required)", o.range) for o in described]
        )
