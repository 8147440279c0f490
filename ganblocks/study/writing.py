"""A table as Markdown, CSV, LaTeX and a plot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganblocks.files import replace_file, write_text
from ganblocks.registry import named
from ganblocks.study.cells import Result
from ganblocks.study.plan import Plan
from ganblocks.study.statistics import Estimate
from ganblocks.study.table import Row, Table
from ganblocks.study.words import interval


def write(table: Table, results: Sequence[Result], folder: Path, command: str) -> tuple[list[Path], list[str]]:
    """Write table.md, table.tex, table.csv, cells.csv, table.json and plot.png.

    Returns the paths that were written, and a sentence for each that could not be: one takes no other with it.
    """
    makers: dict[str, Callable[[Path], None]] = {
        "table.md": lambda path: write_text(path, markdown(table, command)),
        "table.tex": lambda path: write_text(path, latex(table)),
        "table.csv": lambda path: write_text(path, csv_of(table)),
        "cells.csv": lambda path: write_text(path, cells_csv(results)),
        "table.json": lambda path: write_text(path, json.dumps(document(table), indent=1, ensure_ascii=False) + "\n"),
        "plot.png": lambda path: plot(table, path),
    }
    written, failed = [], []
    for path, make in ((folder / name, make) for name, make in makers.items()):
        try:
            make(path)
            written.append(path)
        except Exception as error:  # a full disk, or whatever a library of plots does not like: the cells cost more
            failed.append(f"{path}: not written: {named(error)}")
    return written, failed


def grid(table: Table) -> tuple[list[str], list[list[str]]]:
    """Columns and rows, as text, for a person."""
    columns = [
        "variant",
        "against",
        "swapped",
        "parameters",
        "FLOPs / image",
        "ms / image",
        "runs",
        *table.moments,
        "difference",
    ]
    return columns, [_cells(row, table) for row in table.rows]


def _cells(row: Row, table: Table) -> list[str]:
    variant = row.variant
    alone = variant.against == variant.name
    flops = f"{variant.cost.flops / 1e6:,.1f} M" + ("" if alone else f" (x {row.flops_ratio:.3f})")
    runs = f"{row.finished} of {len(table.seeds)}" + (f", {row.diverged} diverged" if row.diverged else "")
    return [
        variant.name,
        "" if alone else variant.against,
        "" if alone else row.swap.words(),
        f"{variant.cost.parameters:,}",
        flops,
        "" if row.pace.image_seconds is None else f"{1000 * row.pace.image_seconds:.3g}",
        runs,
        *(interval(row.scores.get(moment)) for moment in table.moments),
        _difference(row),
    ]


def _difference(row: Row) -> str:
    if row.unlike:
        return f"not compared: {row.unlike.split(':')[0]}"
    if row.difference is None:
        return ""
    return interval(row.difference.estimate, sign=True) + (f", p {row.adjusted_p:.2g}" if row.adjusted_p is not None else "")


def markdown(table: Table, command: str) -> str:
    """The table with its command, its controls, and the verdicts; rows of another protocol stand in a table of their own."""
    lines = [f"# {table.title}", "", f"`{command}`", "", f"{_score_words(table)}", ""]
    columns, cells = grid(table)
    for protocol in dict.fromkeys(row.protocol for row in table.rows):
        lines += [f"Protocol {protocol or 'unknown: nothing has finished'}:", ""]
        shown = [cells[i] for i, row in enumerate(table.rows) if row.protocol == protocol]
        lines += [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
        lines += [f"| {' | '.join(row)} |" for row in shown]
        lines.append("")
    lines += [f"* {verdict}" for verdict in table.verdicts()]
    return "\n".join([*lines, ""]) + "\n" + _notes(table)


def _score_words(table: Table) -> str:
    score = table.score
    better = {"lower": ", lower is better", "higher": ", higher is better"}.get(score.better, "")
    controls = [
        f"{name} {value:.4g}"
        for name, value in (("held-out real", score.held_out), ("noise", score.noise))
        if value is not None
    ]
    seeds = ", ".join(map(str, table.seeds))
    return f"Score: {score.name}{better}" + (f" ({'; '.join(controls)})" if controls else "") + f". Seeds {seeds}."


def _notes(table: Table) -> str:
    return (
        "Means over seeds with Student's intervals at 95 %. Equal time: each row at the images that it sees in the time of the"
        " fastest, by median step times, on a straight line between scored moments. Best: chosen afterwards, so it flatters."
        " Differences are paired by seed, at the end; p is adjusted over all comparisons (Holm). FLOPs: one forward of both"
        " networks.\n"
    )


def latex(table: Table) -> str:
    """A tabular; needs no package."""
    columns, cells = grid(table)
    lines = [rf"\begin{{tabular}}{{ll{'r' * (len(columns) - 2)}}}", r"\hline", _latex_row(columns), r"\hline"]
    lines += [_latex_row(row) for row in cells]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(_escaped(cell) for cell in cells) + r" \\"


def _escaped(text: str) -> str:
    special = {c: f"\\{c}" for c in "&%$#_{}"} | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    return "".join(special.get(c, c) for c in text).replace("±", r"$\pm$")


def csv_of(table: Table) -> str:
    """One line per row and moment."""
    lines = [["variant", "against", "moment", "score", "mean", "low", "high", "runs", "diverged", "protocol"]]
    for row in table.rows:
        for moment in table.moments:
            found = row.scores.get(moment)
            numbers = ["", "", ""] if found is None else [_plain(value) for value in (found.mean, found.low, found.high)]
            facts = [row.variant.name, row.variant.against, moment, table.score.name]
            lines.append([*facts, *numbers, str(row.finished), str(row.diverged), row.protocol])
    return _csv(lines)


def cells_csv(results: Sequence[Result]) -> str:
    """One line per cell, moment and score: everything that was measured."""
    facts = ["variant", "seed", "images", "score", "value", "held_out", "noise", "protocol", "diverged"]
    lines = [[*facts, "step_images", "step_seconds"]]
    for result in results:
        step = [_plain(result.step_images), _plain(result.step_seconds)]
        if result.diverged:
            lines.append([result.variant, str(result.seed), "", "", "", "", "", "", "yes", *step])
        for report in result.reports:
            for score in report.scores:
                numbers = [_plain(value) for value in (score.value, score.held_out, score.noise)]
                place = [result.variant, str(result.seed), str(report.images), score.name]
                lines.append([*place, *numbers, score.id, "no", *step])
    return _csv(lines)


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)


def _csv(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def document(table: Table) -> dict[str, Any]:
    """Everything in the table, as plain values."""

    def of(found: Estimate | None) -> dict[str, Any] | None:
        return None if found is None else {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}

    rows = [
        {
            "variant": row.variant.name,
            "against": row.variant.against,
            "swapped": {"mine": row.swap.mine, "theirs": row.swap.theirs, "apart": row.swap.apart},
            "parameters": row.variant.cost.parameters,
            "flops": row.variant.cost.flops,
            "step_seconds": row.pace.step_seconds,
            "step_images": row.pace.step_images,
            "finished": row.finished,
            "diverged": row.diverged,
            "missing": row.missing,
            "unscored": row.unscored,
            "no_better_than_noise": row.untrained,
            "scores": {moment: of(found) for moment, found in row.scores.items()},
            "difference": of(row.difference.estimate) if row.difference else None,
            "p": row.difference.p if row.difference else None,
            "p_holm": row.adjusted_p,
            "seeds_needed": row.difference.seeds_needed(row.comparisons) if row.difference else None,
            "not_compared": row.unlike,
            "protocol": row.protocol,
        }
        for row in table.rows
    ]
    return {
        "title": table.title,
        "score": table.score.name,
        "better": table.score.better,
        "held_out": table.score.held_out,
        "noise": table.score.noise,
        "seeds": list(table.seeds),
        "rows": rows,
        "verdicts": table.verdicts(),
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """What would run, as plain values."""
    rows = [
        {
            "variant": variant.name,
            "against": variant.against,
            "parameters": variant.cost.parameters,
            "flops": variant.cost.flops,
            "images": variant.recipe.training.images,
            "batch": variant.recipe.training.batch,
        }
        for variant in plan.variants
    ]
    cells = [{"variant": cell.variant.name, "seed": cell.seed} for cell in plan.cells()]
    return {"title": plan.title, "seeds": list(plan.seeds), "variants": rows, "cells": cells}


def plot(table: Table, path: Path) -> None:
    """Mean score against images seen, with intervals; rows of the first row's protocol only."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shown = [row for row in table.rows if row.curve and row.protocol == table.score.id]
    for place, row in enumerate(shown):
        # rows stand a little apart, so that their intervals do not hide each other
        shift = (place - (len(shown) - 1) / 2) * table.images * 0.006
        x = [images + shift for images, _ in row.curve]
        halves = [found.half or 0.0 for _, found in row.curve]
        style = "--" if row.variant.against == row.variant.name else "-"
        axes.errorbar(
            x, [found.mean for _, found in row.curve], halves, fmt=f"{style}o", ms=4, capsize=3, label=row.variant.name
        )
    if table.score.held_out is not None:
        axes.axhline(table.score.held_out, color="black", lw=0.8, ls=":", label="held-out real")
    axes.set_xlabel("real images seen by D")
    axes.set_ylabel(table.score.name)
    axes.set_title(f"{table.title}: mean of {len(table.seeds)} seeds, 95 % intervals", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
    with replace_file(path) as file:
        figure.savefig(file, dpi=120, format="png", metadata={"Software": None})
