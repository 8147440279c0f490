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
RECORDS = 20_000
"""Records of a log that are read, at most."""
SIGMA = "largest sigma/{}"


Points = Mapping[str, Sequence[tuple[float, float]]]
"""Key of metrics.jsonl -> (images, value), and under SIGMA.format(player) the largest σ of its layers."""


def charts(logs: Mapping[str, Sequence[Record]], scores: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the charts of runs: name -> records of metrics.jsonl, and name -> evaluations as ``Report``.

    Each has ``title``, ``unit``, ``series`` (``run``, ``name``, ``x``, ``y``) and ``lines`` (``name``, ``y``). Of a log with
    more than RECORDS records, so many evenly spaced ones are read.
    """
    kept = {run: sparse(records) for run, records in logs.items()}
    points = {run: points_of(records) for run, records in kept.items()}
    drawn = [_score_chart(name, scores) for name in _score_names(scores)]
    drawn += [_chart(chart.title, chart.unit, points, chart.keys) for chart in CHARTS]
    drawn.append(_chart("Largest σ of a layer", "σ", points, starting(SIGMA.format(""))))
    drawn += [_chart(_plain(key), "", points, exactly(key)) for key in _other_keys(points)]
    drawn.append(_speed(kept))
    return [chart for chart in drawn if chart["series"]]


def sparse(records: Sequence[Record]) -> Sequence[Record]:
    """Return the records that can be drawn, at most RECORDS of them."""
    whole = [record for record in records if isinstance(record.get("seconds"), int | float)]
    if len(whole) <= RECORDS:
        return whole
    return [whole[i * len(whole) // RECORDS] for i in range(RECORDS)]


def points_of(records: Iterable[Record]) -> Points:
    """Return the points of all curves of a run, of finite numbers only."""
    points: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        if record.get("undone"):
            continue
        images, largest = record["images"], dict[str, float]()
        for key, value in record.items():
            if value is None or not math.isfinite(value):
                continue
            if key.startswith("sigma/"):
                player = SIGMA.format(key.removeprefix("sigma/").partition(".")[0])
                largest[player] = max(value, largest.get(player, value))
            elif key not in NOT_CURVES:
                points.setdefault(key, []).append((images, value))
        for player, value in largest.items():
            points.setdefault(player, []).append((images, value))
    return points


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS) -> tuple[list[float], list[float]]:
    """Return x and y of at most ``most`` points: means over pieces of the curve that have equally many."""
    if len(points) <= most:
        pieces = [[point] for point in points]
    else:
        ends = [i * len(points) // most for i in range(most + 1)]
        pieces = [list(points[start:end]) for start, end in itertools.pairwise(ends)]
    xs, ys = ([sum(point[axis] / len(piece) for point in piece) for piece in pieces] for axis in (0, 1))
    return [round(x) for x in xs], [float(f"{y:.5g}") for y in ys]


def _chart(title: str, unit: str, runs: Mapping[str, Points], belongs: Callable[[str], bool]) -> dict[str, Any]:
    series = []
    for run, points in runs.items():
        for key in sorted(filter(belongs, points)):
            x, y = thinned(points[key])
            series.append({"run": run, "name": _named(key), "x": x, "y": y})
    return {"title": title, "unit": unit, "series": [one for one in series if one["x"]], "lines": []}


def _named(key: str) -> str:
    """Return what a curve is called: the path of a block, the network of its layers' largest σ, or the key."""
    head, _, rest = key.partition("/")
    return rest if "." in rest or key == SIGMA.format(rest) else f"{head} {rest}".replace("_", " ").strip()


def _plain(key: str) -> str:
    return key.replace("/", ": ").replace("_", " ")


def _other_keys(runs: Mapping[str, Points]) -> list[str]:
    """Return the keys that no chart shows: terms, penalties, and what update rules add."""
    keys = {key for points in runs.values() for key in points}
    return sorted(key for key in keys if not key.startswith(SIGMA.format("")) and not any(c.keys(key) for c in CHARTS))


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
    """Return a score over images with its controls; one protocol of each run: that of the latest number.

    Where runs were scored by different protocols, which do not compare, the curves are named by them and have no controls.
    """
    values = {
        run: [(report.images, score) for report in reports for score in report.scores if score.name == name]
        for run, reports in scores.items()
    }
    last = {run: of_run[-1][1] for run, of_run in values.items() if of_run}
    one_protocol = len({score.id for score in last.values()}) == 1
    series = []
    for run, score in last.items():
        same = sorted({images: other.value for images, other in values[run] if other.id == score.id}.items())
        x, y = thinned(same)
        series.append({"run": run, "name": name if one_protocol else f"{name}, protocol {score.id}", "x": x, "y": y})
    controls = (
        {"held-out real": next(iter(last.values())).held_out, "noise": next(iter(last.values())).noise} if one_protocol else {}
    )
    lines = [{"name": label, "y": value} for label, value in controls.items() if value is not None]
    return {"title": name, "unit": name, "series": series, "lines": lines}
