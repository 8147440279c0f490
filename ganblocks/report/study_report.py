"""The report of a study: its table, plot and sentences, the samples of all runs, and the differences seed by seed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from PIL import Image

from ganblocks.errors import GanblocksError
from ganblocks.registry import named
from ganblocks.report.page import picture_data, render, write_page
from ganblocks.training.reading import read_json

TABLE = "table.json"
THUMBNAIL = 420
"""Widest grid of a run in pixels; larger ones are made smaller by a whole factor."""
T = TypeVar("T")


def is_study(folder: Path) -> bool:
    """Return whether a folder is that of ``ganblocks ablate``."""
    return (folder / "cells").is_dir() and (folder / "recipes").is_dir()


def write_study_report(folder: Path, path: Path, command: str) -> list[str]:
    """Write the report of a study, and return a sentence for each part that could not be read. Raise UsageError."""
    problems: list[str] = []

    def attempt(what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except Exception as error:  # whatever a damaged folder leads to
            problems.append(f"{what}: {error if isinstance(error, GanblocksError) else named(error)}")
            return None

    table: dict[str, Any] = attempt(TABLE, lambda: read_table(folder / TABLE)) or {}
    rows = table.get("rows", [])
    html = render(
        "study.html",
        title=table.get("title", folder.name),
        command=command,
        table=table,
        rows=attempt("the table", lambda: [row_of(row) for row in rows]) or [],
        columns=list(rows[0]["scores"]) if rows else [],
        plot=attempt("plot.png", lambda: picture_of(folder / "plot.png")),
        variants=attempt("the runs", lambda: variants_of(folder, path.parent, rows)) or [],
        differences=attempt("the differences", lambda: differences_of(folder, table)) or [],
        problems=problems,
    )
    write_page(path, html)
    return problems


def read_table(path: Path) -> dict[str, Any]:
    """Return table.json. Raise CheckpointError if it is missing or has another form."""

    def fits(table: Any) -> bool:
        texts = [
            table["title"],
            table["score"],
            table["better"],
            *table["verdicts"],
            *(row["variant"] for row in table["rows"]),
        ]
        controls = all(table[name] is None or isinstance(table[name], int | float) for name in ("held_out", "noise"))
        scores = all(isinstance(row["scores"], dict) for row in table["rows"])
        return all(isinstance(text, str) for text in texts) and controls and scores and isinstance(table["seeds"], list)

    table: dict[str, Any] = read_json(path, fits)
    return table


def row_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table as text."""
    difference, p = row["difference"], row["p_holm"]
    said = row["not_compared"] or (interval(difference, sign=True) + (f", p {p:.2g}" if p is not None else ""))
    alone = row["variant"] == row["against"]
    return {
        "variant": row["variant"],
        "against": "" if alone else row["against"],
        "parameters": f"{row['parameters']:,}",
        "runs": f"{row['finished']}" + (f", {row['diverged']} diverged" if row["diverged"] else ""),
        "scores": [interval(mean) for mean in row["scores"].values()],
        "difference": "" if alone else said,
    }


def interval(mean: Mapping[str, Any] | None, sign: bool = False) -> str:
    """Return a mean with half the width of its interval."""
    if mean is None:
        return ""
    value = f"{mean['mean']:+.3g}" if sign else f"{mean['mean']:.3g}"
    return value if mean["low"] is None else f"{value} ± {(mean['high'] - mean['low']) / 2:.2g}"


def picture_of(path: Path) -> str:
    """Return a PNG as the address of a picture inside the page."""
    with Image.open(path) as picture:
        return picture_data(picture.convert("RGB"))


def variants_of(folder: Path, page: Path, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each variant's runs: the last grid that all runs of the study have, and a link to the run's report."""
    names = [row["variant"] for row in rows] or sorted(path.name for path in (folder / "cells").iterdir() if path.is_dir())
    runs = {name: sorted((folder / "cells" / name).glob("seed-*/"), key=seed_of) for name in names}
    grids = [{grid.name for grid in (run / "samples").glob("images-*.png")} for of in runs.values() for run in of]
    common = max(set.intersection(*grids), default="") if grids else ""
    return [
        {
            "name": name,
            "images": int(common.removeprefix("images-").removesuffix(".png")) if common else 0,
            "runs": [
                {
                    "seed": seed_of(run),
                    "grid": small_grid(run / "samples" / common) if common else "",
                    "link": link(run / "report.html", page),
                }
                for run in of
            ],
        }
        for name, of in runs.items()
    ]


def seed_of(run: Path) -> int:
    """Return the seed of a cell's run folder."""
    return int(run.name.removeprefix("seed-"))


def link(report: Path, page: Path) -> str:
    """Return the relative address of a run's report; empty if there is none."""
    return quote(Path(os.path.relpath(report, page)).as_posix()) if report.is_file() else ""


def small_grid(path: Path) -> str:
    """Return a sample grid in at most THUMBNAIL pixels of width."""
    with Image.open(path) as grid:
        factor = -(-grid.width // THUMBNAIL)
        return picture_data(grid.convert("RGB").reduce(factor) if factor > 1 else grid.convert("RGB"))


def differences_of(folder: Path, table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each compared variant the differences of its score at the end, seed by seed, and their mean's interval."""
    ends = {row["variant"]: scores_at_end(folder, row["variant"], table["score"]) for row in table["rows"]}
    drawn = []
    for row in table["rows"]:
        if row["difference"] is not None:
            mine, theirs = ends[row["variant"]], ends[row["against"]]
            points = [{"seed": seed, "value": mine[seed] - theirs[seed]} for seed in sorted(mine) if seed in theirs]
            drawn.append({"variant": row["variant"], "against": row["against"], "points": points, **row["difference"]})
    return drawn


def scores_at_end(folder: Path, variant: str, score: str) -> dict[int, float]:
    """Return seed -> the score at the end of each finished run of a variant."""
    ends = {}
    for path in (folder / "cells" / variant).glob("seed-*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))["result"]
        values = [s["value"] for report in result["reports"][-1:] for s in report["scores"] if s["name"] == score]
        if values:
            ends[int(path.stem.removeprefix("seed-"))] = float(values[0])
    return ends
