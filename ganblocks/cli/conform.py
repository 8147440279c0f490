"""``ganblocks conform``: test every component of a plugin against every property of its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import attrs

from ganblocks.cli.commands import ConformOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, printable
from ganblocks.testing import Check, Verdict, checks_of

JSON_KEYS = {"property": "promise", "statement": "words", "observed": "found"}
"""Field of a verdict -> its key in the JSON, which tools read and which stays."""
MARKS = {"kept": "ok", "broken": "BROKEN", "not checked": "-"}


def conform(context: Context, options: ConformOptions) -> int:
    """Print a verdict for each component and property; return 0 if none is broken, else 1."""
    verdicts: list[Verdict] = []
    for _, group in groupby(checks_of(options.plugin, context.registry()), lambda check: (check.offer.kind, check.component)):
        verdicts += _component(list(group), options.examples, options.as_json)
    counts = Counter(verdict.status for verdict in verdicts)
    if options.as_json:
        statuses = {status: counts[status] for status in MARKS}
        print_json({"plugin": options.plugin, **statuses, "verdicts": [_as_json(verdict) for verdict in verdicts]})
    else:
        print(f"\n{options.plugin}: " + ", ".join(f"{counts[status]} {status}" for status in MARKS if counts[status]))
    return 1 if counts["broken"] else 0


def _component(checks: Sequence[Check], examples: int | None, quiet: bool) -> list[Verdict]:
    """Test one component; print each verdict as soon as it is known."""
    if not quiet:
        print(f"{checks[0].offer.kind} {checks[0].component}", flush=True)
    verdicts = []
    for check in checks:
        verdicts.append(check.verdict(examples))
        if not quiet and (verdicts[-1].loaded or len(verdicts) == 1):
            print(_text(verdicts[-1]), flush=True)
    if not (quiet or verdicts[0].loaded):
        print(
            f"  {MARKS['not checked']:7} its {len(verdicts) - 1} other properties: they are not checked until it can be loaded"
        )
    return verdicts


def _text(verdict: Verdict) -> str:
    if not verdict.loaded:
        return printable(f"  {MARKS[verdict.status]:7} {verdict.observed}")
    return printable("\n".join([f"  {MARKS[verdict.status]:7} {verdict.property}", *verdict.details(" " * 10)]))


def _as_json(verdict: Verdict) -> dict[str, str]:
    facts = attrs.asdict(verdict, filter=lambda attribute, _: attribute.name != "loaded")
    return {JSON_KEYS.get(name, name): text for name, text in facts.items()}
