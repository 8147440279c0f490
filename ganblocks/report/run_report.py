"""The report of one run, or of several side by side, as one HTML file."""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, field
from PIL import Image

from ganblocks.errors import GanblocksError
from ganblocks.evaluation import Report, read_reports
from ganblocks.options.words import shown
from ganblocks.recipe import paths_of
from ganblocks.recipe.chosen import choices
from ganblocks.registry import named
from ganblocks.report.attention_view import kept_view
from ganblocks.report.curves import charts
from ganblocks.report.neighbours import neighbours
from ganblocks.report.page import picture_data, png_data, render, write_page
from ganblocks.summary import network_costs
from ganblocks.training.examples import row_classes
from ganblocks.training.gates import gate_line
from ganblocks.training.map_files import read_moments
from ganblocks.training.pictures import SMALLEST_TILE, picture, to_bytes
from ganblocks.training.run import Run
from ganblocks.training.run_folder import METRICS

NAME = "report.html"
TRUNCATIONS = (0.2, 0.5, 1.0, None)
SWEPT = 12
"""Samples at each truncation."""
WIDEST = 800
"""Pixels of a row of a grid, at most."""
UNSCORED: dict[str, Any] = {"name": "", "rows": [], "words": [], "blocks": []}
GRIDS = 2_000_000
"""Bytes of all sample grids of a page, before base64."""
T = TypeVar("T")


@define(eq=False, slots=False)
class Reported:
    """A run as a report shows it: whatever can be read, and a sentence for what cannot."""

    run: Run
    name: str
    problems: list[str] = field(factory=list)

    def attempt(self, what: str, read: Callable[[], T]) -> T | None:
        """Return what ``read`` returns, or note the problem and return None."""
        try:
            return read()
        except Exception as error:  # whatever a damaged folder leads to
            self.problems.append(f"{what}: {error if isinstance(error, GanblocksError) else named(error)}")
            return None

    @cached_property
    def log(self) -> Sequence[Mapping[str, Any]]:
        """The records of metrics.jsonl."""
        records = self.attempt("metrics.jsonl", lambda: self.run.log)
        if records is None:
            return []
        lost = count_lines(self.run.path / METRICS) - len(records)
        if lost > 1 or (lost and not records):  # a run that is still going may be writing its last line
            total = lost + len(records)
            self.problems.append(f"metrics.jsonl: {lost:,} of {total:,} lines are damaged, or follow one that is")
        return records

    @cached_property
    def scores(self) -> Sequence[Report]:
        """The evaluations, oldest first."""
        return self.attempt("scores", lambda: read_reports(self.run.path)) or []

    @cached_property
    def health(self) -> Mapping[str, Any]:
        """health.json."""
        return self.attempt("health.json", lambda: self.run.health) or {}


def write_report(runs: Sequence[Run], path: Path, command: str, thorough: bool = True) -> list[str]:
    """Write the report of runs, and return a sentence for each part that could not be read. Raise UsageError.

    ``thorough``: draw samples at several truncations too, and compare samples with training images that have to be read from
    files; both may take longer than the end of a run should.
    """
    reported = [Reported(run, name) for run, name in zip(runs, names_of(runs), strict=True)]
    write_page(path, report_html(reported, command, thorough))
    return [f"{one.name}: {problem}" if len(reported) > 1 else problem for one in reported for problem in one.problems]


def names_of(runs: Sequence[Run]) -> list[str]:
    """Return a short and different name for each run: its folder's, with as many parents as that takes."""
    parts = [run.path.absolute().parts for run in runs]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{number}: {run.path}" for number, run in enumerate(runs, 1)]


def report_html(reported: Sequence[Reported], command: str, thorough: bool) -> str:
    """Return the page."""
    alone = reported[0] if len(reported) == 1 else None
    return render(
        "run.html",
        title=alone.run.recipe.title if alone else "Runs side by side",
        command=command,
        runs=[facts_of(one) for one in reported],
        entries=entries(reported),
        charts=reported[0].attempt("curves", lambda: curves_of(reported)) or [],
        grids=[slides_of(one) for one in reported],
        scores=[one.attempt("scores", lambda one=one: scores_of(one)) or UNSCORED for one in reported],  # type: ignore[misc]
        health=[health_of(one) for one in reported],
        **({"rows": [], "sweep": [], "neighbours": None, "view": None} if alone is None else parts_of_one(alone, thorough)),
        problems=[f"{one.name}: {problem}" for one in reported for problem in one.problems],
    )


def curves_of(reported: Sequence[Reported]) -> list[dict[str, Any]]:
    """Return the charts of all runs."""
    return charts({one.name: one.log for one in reported}, {one.name: one.scores for one in reported})


def parts_of_one(one: Reported, thorough: bool) -> dict[str, Any]:
    """Return what only the report of a single run has."""
    return {
        "rows": one.attempt("the last grid", lambda: class_rows(one.run)) or [],
        "sweep": (one.attempt("truncations", lambda: sweep_of(one.run)) if thorough else None) or [],
        "neighbours": one.attempt("nearest training images", lambda: pairs(one.run)) if thorough or embedded(one.run) else None,
        "view": one.attempt("attention maps", lambda: view_of(one)),
    }


def embedded(run: Run) -> bool:
    """Return whether the images of a run are not read from files of the user."""
    return not paths_of(run.recipe.data.dataset)


def facts_of(one: Reported) -> dict[str, Any]:
    """Return what ran: where, with which versions, how long, and how to repeat it."""
    run = one.run
    facts: Mapping[str, Any] = one.attempt("provenance.json", lambda: run.provenance) or {}
    last = {"seconds": 0.0, **(one.log[-1] if one.log else {"images": 0, "step": 0})}
    wanted, classes = run.recipe.training.images, run.classes
    counted = sum(item.count or 0 for item in classes)
    return {
        "name": one.name,
        "title": run.recipe.title,
        "paper": run.recipe.paper,
        "progress": f"{last['images']:,} of {wanted:,} images in {last['step']:,} steps, {last['seconds'] or 0:,.0f} s",
        "ended": last["images"] >= wanted,
        "data": f"{counted:,} training images in {len(classes)} classes" if classes else "images without classes",
        "versions": ", ".join(f"{name} {facts[name]}" for name in ("ganblocks", "torch", "python") if name in facts),
        "machine": f"{facts.get('device', '?')}, {facts.get('threads', '?')} threads, {run.recipe.training.precision}",
        "seed": facts.get("seed", "?"),
        "costs": one.attempt("costs", lambda: costs_of(run)) or [],
        "repeat": shlex.join(["ganblocks", "run", str(run.path / "recipe.toml"), "--seed", str(facts.get("seed", 0))]),
    }


def view_of(one: Reported) -> dict[str, Any] | None:
    """Return the attention maps that a run has kept over time, and note those that cannot be read."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        moments = read_moments(one.run.path)
    one.problems += [str(warning.message) for warning in warned]
    return kept_view(moments, one.health, [item.name for item in one.run.classes])


def costs_of(run: Run) -> list[tuple[str, str, str]]:
    """Return (network, parameters, operations of one forward pass) of both networks."""
    costs = network_costs(run.recipe, run.image)
    return [(str(player), f"{cost.parameters:,}", f"{cost.flops / 1e6:,.1f} M FLOPs") for player, cost in costs.items()]


def entries(reported: Sequence[Reported]) -> list[dict[str, Any]]:
    """Return the entries of the recipes that choose something, with their defaults; ``differs`` where runs do."""
    tables = [{choice.path: choice for choice in choices(one.run.recipe, one.run.registry)} for one in reported]
    paths = list(dict.fromkeys(path for table in tables for path in table))
    rows = []
    for path in paths:
        defaults = [table[path].default for table in tables if path in table]
        usual = "" if defaults[0] is None else shown(defaults[0])
        values = [shown(table[path].value) if path in table else usual or "-" for table in tables]
        rows.append({"path": path, "values": values, "default": usual, "differs": len(set(values)) > 1})
    return rows


def count_lines(path: Path) -> int:
    """Return the number of lines of a file that are not empty."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def grids_of(run: Run) -> list[dict[str, Any]]:
    """Return the sample grids of a run over time, as many as the page has room for, in the size of their pixels."""
    paths = sorted((run.path / "samples").glob("images-*.png"))
    pictures = [(int(path.stem.removeprefix("images-")), path) for path in paths]
    room = max(2, GRIDS * len(pictures) // max(sum(path.stat().st_size for path in paths), 1)) if paths else 0
    if len(pictures) > room:
        pictures = [pictures[i * (len(pictures) - 1) // (room - 1)] for i in range(room)]
    return [{"images": images, "data": picture_data(unscaled(path, run))} for images, path in pictures]


def unscaled(path: Path, run: Run) -> Image.Image:
    """Return a grid without the enlargement by which small images are drawn, and made smaller if it is wide."""
    with Image.open(path) as grid:
        scale = max(1, SMALLEST_TILE // min(run.image.shape[1:]))
        drawn = grid.convert("RGB").resize((grid.width // scale, grid.height // scale), Image.Resampling.NEAREST)
    factor = -(-drawn.width // WIDEST)
    return drawn.reduce(factor) if factor > 1 else drawn


def class_rows(run: Run) -> list[dict[str, str]]:
    """Return the rows of the last grid with the names of their classes; none without classes."""
    paths = sorted((run.path / "samples").glob("images-*.png"))
    names = [item.name for item in run.classes]
    if not paths or not names:
        return []
    grid, rows = unscaled(paths[-1], run), row_classes(len(names))
    height = grid.height // len(rows)
    return [
        {"name": names[number], "data": picture_data(grid.crop((0, row * height, grid.width, (row + 1) * height)))}
        for row, number in enumerate(rows)
    ]


def sweep_of(run: Run) -> list[dict[str, str]]:
    """Return the same samples at several truncations, a row each."""
    sampler, rows = run.sampler(), []
    for truncation in TRUNCATIONS:
        images = to_bytes(sampler.sample(SWEPT, None, 0, truncation))
        row = images.permute(2, 0, 3, 1).flatten(1, 2).contiguous()  # [H, SWEPT · W, C]
        rows.append({"name": "none" if truncation is None else f"{truncation:g}", "data": picture_data(picture(row))})
    return rows


def pairs(run: Run) -> dict[str, Any]:
    """Return samples and their nearest training images."""
    near = neighbours(run)
    both = [{"sample": png_data(a), "nearest": png_data(b)} for a, b in zip(near.samples, near.nearest, strict=True)]
    return {"pairs": both, "compared": near.compared, "total": near.total}


def health_of(one: Reported) -> dict[str, Any]:
    """Return the events of a run, and what is wrong with its gated blocks."""
    gates = [gate_line(gate) for gate in one.health.get("gates", [])]
    return {"name": one.name, "events": one.health.get("events", []), "gates": gates}


def slides_of(one: Reported) -> dict[str, Any]:
    """Return the sample grids of a run over time."""
    return {"name": one.name, "grids": one.attempt("samples", lambda: grids_of(one.run)) or []}


def scores_of(one: Reported) -> dict[str, Any]:
    """Return the numbers of a run, what is said beside them, and those with blocks in other forms."""
    blocks = next((report.blocks for report in reversed(one.scores) if report.blocks), ())
    rows = [
        {"path": block.path or "the generator", "form": block.form, "name": name, "value": f"{value:.4g}"}
        for block in blocks
        for name, value in block.scores.items()
    ]
    return {"name": one.name, "rows": score_rows(one.scores), "words": score_words(one.scores), "blocks": rows}


def score_words(reports: Sequence[Report]) -> list[str]:
    """Return what the latest evaluation says beside its numbers."""
    if not reports:
        return ["Not scored."]
    last = reports[-1]
    nearest = f"Nearest training image: {last.nearest:.3g} times as far as from held-out images." if last.nearest else ""
    return [word for word in (last.untrained(), nearest, *(missing.message() for missing in last.missing)) if word]


def score_rows(reports: Sequence[Report]) -> list[dict[str, str]]:
    """Return the numbers of the latest evaluation under each protocol."""
    latest = {(score.name, score.id): (report.images, score) for report in reports for score in report.scores}
    return [
        {
            "name": score.name,
            "value": f"{score.value:.4g}",
            "held_out": "" if score.held_out is None else f"{score.held_out:.4g}",
            "noise": "" if score.noise is None else f"{score.noise:.4g}",
            "better": score.better,
            "images": f"{images:,}",
            "id": score.id,
            "protocol": json.dumps(dict(score.protocol), ensure_ascii=False),
        }
        for images, score in latest.values()
    ]
