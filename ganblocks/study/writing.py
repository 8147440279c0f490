"""The files of a table: Markdown, CSV, LaTeX, JSON and a plot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganblocks.evaluation.report import HELD_OUT, NOISE
from ganblocks.files import replace_file, write_text
from ganblocks.registry import named
from ganblocks.study.cells import Result
from ganblocks.study.plan import Plan
from ganblocks.study.rows import Row
from ganblocks.study.statistics import Estimate
from ganblocks.study.table import Table
from ganblocks.study.verdicts import interval

FACTS = ("variant", "against", "swapped", "parameters", "FLOPs / image", "ms / image", "runs")
"""Headings of the columns without scores."""
LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
)
"""Characters that LaTeX reads as commands -> how to write them."""
NOTES = (
    "Means over seeds with Student's intervals at 95 %. Equal time: each row after the time of the fastest run, by median step"
    " times, interpolated between scores. Best: chosen afterwards, and so biased. Differences are paired by seed, at the end; p"
    " is adjusted over all comparisons (Holm). FLOPs: one forward pass of both networks."
)


def write(table: Table, results: Sequence[Result], folder: Path, command: str) -> tuple[list[Path], list[str]]:
    """Write table.md, table.tex, table.csv, cells.csv, table.json and plot.png.

    Return the written paths, and a sentence for each file that could not be written; one failure does not stop the others.
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
    for name, make in makers.items():
        path = folder / name
        try:
            make(path)
            written.append(path)
        except Exception as error:  # such as a full disk or a broken matplotlib: the cells cost more
            failed.append(f"{path}: not written: {named(error)}")
    return written, failed


def grid(table: Table) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows as text."""
    return [*FACTS, *table.columns, "difference"], [_cells(row, table) for row in table.rows]


def _cells(row: Row, table: Table) -> list[str]:
    variant = row.variant
    alone = variant.against == variant.name
    flops = f"{variant.cost.flops / 1e6:,.1f} M" + ("" if alone else f" (x {row.flops_ratio:.3f})")
    runs = f"{row.finished} of {len(table.seeds)}" + (f", {row.diverged} diverged" if row.diverged else "")
    return [
        variant.name,
        "" if alone else variant.against,
        "" if alone else row.swap.summary(),
        f"{variant.cost.parameters:,}",
        flops,
        "" if row.pace.image_seconds is None else f"{1000 * row.pace.image_seconds:.3g}",
        runs,
        *(interval(row.scores.get(column)) for column in table.columns),
        _difference(row),
    ]


def _difference(row: Row) -> str:
    if row.not_compared:
        return f"not compared: {row.not_compared.split(':')[0]}"
    if row.difference is None:
        return ""
    return interval(row.difference.estimate, sign=True) + (f", p {row.adjusted_p:.2g}" if row.adjusted_p is not None else "")


def markdown(table: Table, command: str) -> str:
    """Return the table with its command, controls and verdicts; rows of different protocols are in separate tables."""
    lines = [f"# {table.title}", "", f"`{command}`", "", _score_line(table), ""]
    columns, cells = grid(table)
    for protocol in dict.fromkeys(row.protocol for row in table.rows):
        lines += [f"Protocol {protocol or 'unknown: nothing has finished'}:", ""]
        shown = [cells[i] for i, row in enumerate(table.rows) if row.protocol == protocol]
        lines += [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
        lines += [f"| {' | '.join(row)} |" for row in shown]
        lines.append("")
    lines += [f"* {verdict}" for verdict in table.verdicts()]
    return "\n".join([*lines, ""]) + f"\n{NOTES}\n"


def _score_line(table: Table) -> str:
    score = table.score
    better = {"lower": ", lower is better", "higher": ", higher is better"}.get(score.better, "")
    controls = "; ".join(f"{name} {value:.4g}" for name, value in _controls(table).items())
    return f"Score: {score.name}{better}{controls and f' ({controls})'}. Seeds {', '.join(map(str, table.seeds))}."


def _controls(table: Table) -> dict[str, float]:
    controls = {HELD_OUT: table.score.held_out, NOISE: table.score.noise}
    return {name: value for name, value in controls.items() if value is not None}


def latex(table: Table) -> str:
    """Return a tabular, which needs no package."""
    columns, cells = grid(table)
    lines = [rf"\begin{{tabular}}{{ll{'r' * (len(columns) - 2)}}}", r"\hline", _latex_row(columns), r"\hline"]
    lines += [_latex_row(row) for row in cells]
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cell.translate(LATEX) for cell in cells) + r" \\"


def csv_of(table: Table) -> str:
    """Return one line per row and column of the table."""
    lines: list[Sequence[object]] = [
        ("variant", "against", "moment", "score", "mean", "low", "high", "runs", "diverged", "protocol")
    ]
    for row in table.rows:
        for column in table.columns:
            mean = row.scores.get(column)
            numbers = (None, None, None) if mean is None else (mean.mean, mean.low, mean.high)
            names = row.variant.name, row.variant.against, column, table.score.name
            lines.append((*names, *numbers, row.finished, row.diverged, row.protocol))
    return _csv(lines)


def cells_csv(results: Sequence[Result]) -> str:
    """Return one line per cell, report and score: everything that was measured."""
    head = "variant", "seed", "images", "score", "value", "held_out", "noise", "protocol", "diverged"
    lines: list[Sequence[object]] = [(*head, "step_images", "step_seconds")]
    for result in results:
        cell, step = (result.variant, result.seed), (result.step_images, result.step_seconds)
        if result.diverged:
            lines.append((*cell, *[None] * 6, "yes", *step))
        for report in result.reports:
            for score in report.scores:
                numbers = score.value, score.held_out, score.noise
                lines.append((*cell, report.images, score.name, *numbers, score.id, "no", *step))
    return _csv(lines)


def _csv(lines: Sequence[Sequence[object]]) -> str:
    """Return CSV, with all digits of numbers, and nothing for None."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def document(table: Table) -> dict[str, Any]:
    """Return everything in the table as JSON types."""
    return {
        "title": table.title,
        "score": table.score.name,
        "better": table.score.better,
        "held_out": table.score.held_out,
        "noise": table.score.noise,
        "seeds": list(table.seeds),
        "rows": [_row_document(row) for row in table.rows],
        "verdicts": table.verdicts(),
    }


def _row_document(row: Row) -> dict[str, Any]:
    variant, difference = row.variant, row.difference
    return {
        "variant": variant.name,
        "against": variant.against,
        "swapped": {"mine": row.swap.mine, "theirs": row.swap.theirs, "apart": row.swap.apart},
        "parameters": variant.cost.parameters,
        "flops": variant.cost.flops,
        "step_seconds": row.pace.step_seconds,
        "step_images": row.pace.step_images,
        "finished": row.finished,
        "diverged": row.diverged,
        "missing": row.missing,
        "unscored": row.unscored,
        "no_better_than_noise": row.untrained,
        "scores": {column: _mean_document(mean) for column, mean in row.scores.items()},
        "difference": _mean_document(difference.estimate) if difference else None,
        "p": difference.p if difference else None,
        "p_holm": row.adjusted_p,
        "seeds_needed": difference.seeds_needed(row.comparisons) if difference else None,
        "not_compared": row.not_compared,
        "protocol": row.protocol,
    }


def _mean_document(mean: Estimate | None) -> dict[str, Any] | None:
    return None if mean is None else {"mean": mean.mean, "low": mean.low, "high": mean.high, "n": mean.n}


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return what would run as JSON types."""
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
    """Plot the mean score against images seen, with intervals, for the rows of the first row's protocol."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shown = [row for row in table.rows if row.curve and row.protocol == table.score.id]
    for index, row in enumerate(shown):
        # rows are shifted a little, so that their intervals do not hide each other
        shift = (index - (len(shown) - 1) / 2) * table.images * 0.006
        x = [images + shift for images, _ in row.curve]
        halves = [mean.half or 0.0 for _, mean in row.curve]
        style = "--" if row.variant.against == row.variant.name else "-"
        axes.errorbar(x, [mean.mean for _, mean in row.curve], halves, fmt=f"{style}o", ms=4, capsize=3, label=row.variant.name)
    for name, value in _controls(table).items():
        axes.axhline(value, color="black", lw=0.8, ls=":" if name == HELD_OUT else "-.", label=name)
    axes.set_xlabel("real images seen by D")
    axes.set_ylabel(table.score.name)
    axes.set_title(f"{table.title}: mean of {len(table.seeds)} seeds, 95 % intervals", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
    with replace_file(path) as file:
        figure.savefig(file, dpi=120, format="png", metadata={"Software": None})
