"""``ganblocks cite``: the BibTeX of what a recipe uses."""

from __future__ import annotations

from ganblocks.assembly import facts_of
from ganblocks.citing import Reference, ours, references, unique
from ganblocks.cli.commands import CiteOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import print_json
from ganblocks.cli.recipes import read


def cite(context: Context, options: CiteOptions) -> None:
    """Print the BibTeX of the papers that a recipe's components come from."""
    registry = context.registry()
    facts = facts_of(read(registry, options), registry)
    entries: list[Reference] = [ours()]
    why: dict[str, list[str]] = {}
    for use in facts.uses:
        found, absent = references(type(use.component))
        entries += found
        for each in found:
            why.setdefault(each.key, []).append(f"{use.kind} {use.name}")
        for paper in absent:
            say(f"warning: {use.kind} {use.name} names {paper}, for which there is no entry")
    chosen = unique(entries)
    if options.as_json:
        print_json([{"key": each.key, "used_by": _unique(why.get(each.key, [])), "bibtex": each.text} for each in chosen])
        return
    for each in chosen:
        users = ", ".join(_unique(why.get(each.key, [])))
        print(f"% {users or 'the software'}\n{each.text}\n")


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
