"""The curves of runs as data for a page: each a few hundred points, which are means over equal numbers of records."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

Record = Mapping[str, Any]
POINTS = 240
"""Points of a curve, at most."""
WINDOW = 40
"""Pieces of a run over which its speed is measured."""


@frozen
class Chart:
    """A chart: which numbers of the log it shows."""

    title: str
    unit: str
    keys: Callable[[str], bool]
    """Whether a key of metrics.jsonl belongs to it."""


def starting(*names: str) -> Callable[[str], bool]:
    """Return a test for keys that begin with one of the names."""
    return lambda key: key.startswith(names)


def exactly(*names: str) -> Callable[[str], bool]:
    """Return a test for the given keys."""
    return lambda key: key in names


CHARTS = (
    Chart("Losses", "loss", exactly("discriminator/loss", "generator/loss")),
    Chart("The discriminator's outputs", "mean logit", exactly("discriminator/real", "discriminator/fake")),
    Chart("γ of gated blocks", "γ", starting("gamma/")),
    Chart("Effect of blocks on their input", "‖y − x‖ / ‖x‖", starting("effect/")),
    Chart("Query dependence of attention", "share of the largest", starting("query_dependence/")),
    Chart("Evenness of attention", "share of the largest entropy", starting("evenness/")),
    Chart("Distance attended to", "image sides", starting("distance/")),
    Chart("Attention and likeness in colour", "correlation", starting("colour_correlation/")),
    Chart("Attention and nearness", "correlation", starting("nearness_correlation/")),
    Chart("Gradient norms", "norm", lambda key: key.endswith("/gradient_norm")),
    Chart("Distance to the nearest image of the batch", "root mean square", exactly("real/nearest", "fake/nearest")),
    Chart("Norms of the states", "norm", exactly("generator/norm", "discriminator/norm", "average/norm")),
)
NOT_CURVES = ("images", "step", "seconds", "undone")


def charts(logs: Mapping[str, Sequence[Record]], scores: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the charts of runs: name -> records of metrics.jsonl, and name -> evaluations as ``Report``.

    Each has ``title``, ``unit``, ``series`` (``run``, ``name``, ``x``, ``y``) and ``lines`` (``name``, ``y``).
    """
    drawn = [_score_chart(name, scores) for name in _score_names(scores)]
    drawn += [_chart(chart.title, chart.unit, logs, chart.keys) for chart in CHARTS]
    drawn.append(_sigmas(logs))
    drawn += [_chart(f"{_plain(key)}", "", logs, exactly(key)) for key in _other_keys(logs)]
    drawn.append(_speed(logs))
    return [chart for chart in drawn if chart["series"]]


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS) -> tuple[list[float], list[float]]:
    """Return x and y of at most ``most`` points: means over pieces of the curve that have equally many."""
    if len(points) <= most:
        pieces = [[point] for point in points]
    else:
        ends = [i * len(points) // most for i in range(most + 1)]
        pieces = [list(points[start:end]) for start, end in itertools.pairwise(ends)]
    xs, ys = ([sum(point[axis] for point in piece) / len(piece) for piece in pieces] for axis in (0, 1))
    return [round(x) for x in xs], [float(f"{y:.5g}") for y in ys]


def _chart(title: str, unit: str, logs: Mapping[str, Sequence[Record]], belongs: Callable[[str], bool]) -> dict[str, Any]:
    series = []
    for run, records in logs.items():
        for key in sorted({key for record in records for key in record if belongs(key)}):
            x, y = thinned(_points(records, key))
            series.append({"run": run, "name": _named(key), "x": x, "y": y})
    return {"title": title, "unit": unit, "series": [one for one in series if one["x"]], "lines": []}


def _points(records: Iterable[Record], key: str) -> list[tuple[float, float]]:
    return [
        (record["images"], value)
        for record in records
        if (value := record.get(key)) is not None and math.isfinite(value) and not record.get("undone")
    ]


def _named(key: str) -> str:
    """Return what a curve is called: the path of a block, or the key."""
    head, _, rest = key.partition("/")
    return rest if "." in rest else f"{head} {rest}".replace("_", " ").strip()


def _plain(key: str) -> str:
    return key.replace("/", ": ").replace("_", " ")


def _sigmas(logs: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """Return the largest σ of each network's layers: there are dozens of layers."""
    series = []
    for run, records in logs.items():
        for player in ("generator", "discriminator"):
            points = [
                (record["images"], max(values))
                for record in records
                if (
                    values := [
                        value for key, value in record.items() if key.startswith(f"sigma/{player}.") and value is not None
                    ]
                )
            ]
            x, y = thinned(points)
            series.append({"run": run, "name": player, "x": x, "y": y})
    return {"title": "Largest σ of a layer", "unit": "σ", "series": [one for one in series if one["x"]], "lines": []}


def _other_keys(logs: Mapping[str, Sequence[Record]]) -> list[str]:
    """Return the keys that no chart shows: terms, penalties, and what update rules add."""
    keys = {key for records in logs.values() for record in records for key in record}
    shown = {key for key in keys if any(chart.keys(key) for chart in CHARTS) or key.startswith("sigma/")}
    return sorted(keys - shown - set(NOT_CURVES))


def _speed(logs: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    series = []
    for run, records in logs.items():
        step = max(len(records) // WINDOW, 1)
        marks = records[::step]
        points = [
            (after["images"], (after["images"] - before["images"]) / (after["seconds"] - before["seconds"]))
            for before, after in itertools.pairwise(marks)
            if after["seconds"] > before["seconds"]
        ]
        x, y = thinned(points)
        series.append({"run": run, "name": "images per second", "x": x, "y": y})
    return {"title": "Speed", "unit": "images / s", "series": [one for one in series if one["x"]], "lines": []}


def _score_names(scores: Mapping[str, Sequence[Any]]) -> list[str]:
    names = [score.name for reports in scores.values() for report in reports for score in report.scores if score.better]
    return list(dict.fromkeys(names))


def _score_chart(name: str, scores: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return a score over images with its controls; one protocol of each run: that of the latest number."""
    series: list[dict[str, Any]] = []
    lines: dict[str, float] = {}
    for run, reports in scores.items():
        values = [(report.images, score) for report in reports for score in report.scores if score.name == name]
        if not values:
            continue
        same = sorted({images: score.value for images, score in values if score.id == values[-1][1].id}.items())
        x, y = thinned(same)
        series.append({"run": run, "name": name, "x": x, "y": y})
        last = values[-1][1]
        controls = {"held-out real": last.held_out, "noise": last.noise}
        lines |= {label: value for label, value in controls.items() if value is not None}
    return {"title": name, "unit": name, "series": series, "lines": [{"name": k, "y": v} for k, v in lines.items()]}
