"""``ganblocks cite``: the BibTeX of the papers behind a recipe."""

from __future__ import annotations

from collections import defaultdict

from ganblocks.assembly import facts_of
from ganblocks.citing import ours, references, unique
from ganblocks.cli.commands import CiteOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import print_json
from ganblocks.cli.recipes import read


def cite(context: Context, options: CiteOptions) -> None:
    """Print the BibTeX of the papers that a recipe's components come from."""
    registry = context.registry()
    entries = [ours()]
    users: dict[str, list[str]] = defaultdict(list)
    for use in facts_of(read(registry, options), registry).uses:
        known, absent = references(type(use.component))
        entries += known
        for entry in known:
            if f"{use.kind} {use.name}" not in users[entry.key]:
                users[entry.key].append(f"{use.kind} {use.name}")
        for paper in absent:
            say(f"warning: {use.kind} {use.name} names {paper}, for which there is no entry")
    chosen = unique(entries)
    if options.as_json:
        print_json([{"key": entry.key, "used_by": users[entry.key], "bibtex": entry.text} for entry in chosen])
        return
    for entry in chosen:
        print(f"% {', '.join(users[entry.key]) or 'the software'}\n{entry.text}\n")
