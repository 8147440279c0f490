"""``ganblocks show``: one component in full."""

from __future__ import annotations

import inspect
import re

import attrs

from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table, printable
from ganblocks.options.describe import describe


def show(context: Context, kind: str, name: str, as_json: bool) -> None:
    registry = context.registry()
    offer = registry.find(kind, name)
    component = offer.resolve()
    text = inspect.getdoc(component) or ""
    options = describe(component)
    papers = re.findall(r"arXiv[: ]\s*(\d{4}\.\d{4,5})", text)
    if as_json:
        facts = {"kind": kind, "name": offer.name, "owner": offer.owner, "distribution": offer.distribution}
        facts |= {"version": offer.version, "class": f"{component.__module__}:{component.__qualname__}"}
        print_json({**facts, "papers": papers, "doc": text, "options": [attrs.asdict(option) for option in options]})
        return
    print(f"{kind} {offer.full_name}, from {offer.distribution or 'this process'} {offer.version}".rstrip())
    print("paper: " + ", ".join(f"arXiv:{paper}" for paper in papers) + "\n" if papers else "")
    print(printable(text))
    if options:
        print_table(
            ("option", "type", "default", "range"), [(o.name, o.type, o.default or "(required)", o.range) for o in options]
        )
