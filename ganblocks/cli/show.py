"""``ganblocks show``: one component in full."""

from __future__ import annotations

import inspect

import attrs

from ganblocks.citing import papers
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table, printable
from ganblocks.options.describe import describe


def show(context: Context, kind: str, name: str, as_json: bool) -> None:
    registry = context.registry()
    offer = registry.find(kind, name)
    component = offer.resolve()
    text = inspect.getdoc(component) or ""
    options = describe(component)
    named = papers(component)
    if as_json:
        facts = {"kind": kind, "name": offer.name, "owner": offer.owner, "distribution": offer.distribution}
        facts |= {"version": offer.version, "class": f"{component.__module__}:{component.__qualname__}"}
        print_json({**facts, "papers": named, "doc": text, "options": [attrs.asdict(option) for option in options]})
        return
    print(f"{kind} {offer.full_name}, from {offer.distribution or 'this process'} {offer.version}".rstrip())
    print("paper: " + ", ".join(paper if "/" in paper else f"arXiv:{paper}" for paper in named) + "\n" if named else "")
    print(printable(text))
    if options:
        print_table(
            ("option", "type", "default", "range"), [(o.name, o.type, o.default or "(required)", o.range) for o in options]
        )
