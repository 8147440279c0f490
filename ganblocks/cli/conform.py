"""``ganblocks conform``: every component of a plugin against every promise of its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import attrs

from ganblocks.cli.commands import ConformOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, printable
from ganblocks.testing import Check, Verdict, checks_of

MARKS = {"kept": "ok", "broken": "BROKEN", "not checked": "-"}


def conform(context: Context, options: ConformOptions) -> int:
    """Print a verdict for each component and promise; 0 if none is broken, else 1."""
    verdicts: list[Verdict] = []
    for _, group in groupby(checks_of(options.plugin, context.registry()), lambda check: (check.offer.kind, check.component)):
        verdicts += _component(list(group), options.examples, options.as_json)
    counts = Counter(verdict.status for verdict in verdicts)
    if options.as_json:
        print_json({"plugin": options.plugin, **{status: counts[status] for status in MARKS}, "verdicts": _plain(verdicts)})
    else:
        print(f"\n{options.plugin}: " + ", ".join(f"{counts[status]} {status}" for status in MARKS if counts[status]))
    return 1 if counts["broken"] else 0


def _component(checks: Sequence[Check], examples: int | None, quiet: bool) -> list[Verdict]:
    """Try one component; each verdict is shown as soon as it is known."""
    if not quiet:
        print(f"{checks[0].offer.kind} {checks[0].component}", flush=True)
    found = []
    for check in checks:
        verdict = check.verdict(examples)
        found.append(verdict)
        if not quiet:
            print(_line(verdict), flush=True)
    return found


def _line(verdict: Verdict) -> str:
    lines = [f"  {MARKS[verdict.status]:7} {verdict.promise}"]
    if verdict.status == "broken":
        lines.append(f"          promise: {verdict.words}")
    lines += [f"          {label}: {text}" for label, text in (("found", verdict.found), ("example", verdict.example)) if text]
    return printable("\n".join(lines))


def _plain(verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
    return [attrs.asdict(verdict) for verdict in verdicts]
