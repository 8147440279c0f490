"""Write the tables of docs/tutorial/what-attention-does.md from the measurements in docs/data/attention.

    python docs/scripts/quote_maps.py

``images-N.json`` is ``blocks`` of ``ganblocks attention RUN --json`` after N images of README's run; ``evaluate.json`` is
``blocks`` of ``ganblocks evaluate RUN --attention --json`` at its end.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE, DATA = ROOT / "docs" / "tutorial" / "what-attention-does.md", ROOT / "docs" / "data" / "attention"
COLUMNS = {
    "query_dependence": "query dependence",
    "evenness": "evenness",
    "distance": "distance",
    "colour_correlation": "likeness in colour",
    "nearness_correlation": "nearness",
}


def maps_table() -> str:
    """Return a table of both blocks over training."""
    moments = sorted((int(path.stem.removeprefix("images-")), path) for path in DATA.glob("images-*.json"))
    lines = [f"| block | images | γ | effect | {' | '.join(COLUMNS.values())} |", f"|---|{'---:|' * (len(COLUMNS) + 3)}"]
    tables = {images: json.loads(path.read_text(encoding="utf-8")) for images, path in moments}
    for block in next(iter(tables.values())):
        for images, blocks in tables.items():
            one = blocks[block]
            numbers = " | ".join(interval(one[name]) for name in COLUMNS)
            lines.append(f"| {block.split('.')[0]} | {images:,} | {one['gamma']:.2f} | {one['effect']:.1%} | {numbers} |")
    return "\n".join(lines)


def interval(estimate: dict[str, Any]) -> str:
    """Return a mean with its margin, both to three decimals."""
    return f"{estimate['mean']:.3f} ± {estimate['margin']:.3f}"


def worth_table() -> str:
    """Return a table of the scores with the block in other forms."""
    forms = json.loads((DATA / "evaluate.json").read_text(encoding="utf-8"))
    name = next(iter(forms[0]["scores"]))
    trained = forms[0]["scores"][name]
    lines = [f"| generator's block | `{name}` | difference |", "|---|---:|---:|"]
    for form in forms:
        value = form["scores"][name]
        lines.append(f"| {form['form']} | {value:.2f} | {f'{value - trained:+.2f}' if form['path'] else ''} |")
    return "\n".join(lines)


def written(text: str) -> str:
    """Return the page with the tables of the data."""
    for name, table in (("maps", maps_table()), ("worth", worth_table())):
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = re.sub(f"{begin}.*?{end}", f"{begin}\n\n{table}\n\n{end}", text, flags=re.S)
    return text


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
