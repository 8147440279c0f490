"""The rows of a study's table: the cells of each variant, and one score of them over the course of training."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

from attrs import frozen

from ganblocks.evaluation import MetricValue
from ganblocks.study.cells import Result
from ganblocks.study.costs import Swap, swap
from ganblocks.study.plan import Variant
from ganblocks.study.statistics import Estimate, PairedDifference, difference, estimate

END = "end"
"""The column at which differences are taken."""
Curve = Sequence[tuple[int, float]]
"""(images seen, score), rising in images."""


@frozen
class Pace:
    """Speed of training; None: unknown."""

    step_seconds: float | None
    """The median over cells of their median steps."""
    step_images: float | None
    """The same of the real images in a step."""

    @property
    def image_seconds(self) -> float | None:
        """Seconds per real image."""
        return None if self.step_seconds is None or not self.step_images else self.step_seconds / self.step_images


@frozen
class Row:
    """One variant in the table."""

    variant: Variant
    swap: Swap
    """Against the row that it is compared with."""
    flops_ratio: float
    pace: Pace
    finished: int
    diverged: int
    missing: int
    scores: Mapping[str, Estimate | None]
    """Column -> mean over seeds; none if they were scored under several protocols."""
    curve: Sequence[tuple[int, Estimate]]
    difference: PairedDifference | None
    """At the end, paired by seed, against the row that it is compared with."""
    not_compared: str
    """Why there is no comparison; empty if there is."""
    protocol: str
    """The protocol's id, ``A and B`` for several, or empty if nothing has finished."""
    unscored: int = 0
    """Finished runs without this score at their end."""
    adjusted_p: float | None = None
    comparisons: int = 0
    """Differences of the table that have a p value."""
    untrained: bool = False
    """Whether the mean at the end is no better than that of noise."""


@frozen(eq=False)
class Cells:
    """The results of one variant, and the curve of one score in each finished cell."""

    variant: Variant
    results: Sequence[Result]
    curves: Mapping[int, Curve]
    """Seed -> curve; empty where a finished cell has no such score."""
    protocols: Mapping[str, MetricValue]
    """Id of each protocol of the score -> one number under it."""

    @classmethod
    def of(cls, variant: Variant, results: Sequence[Result], score: str) -> Cells:
        """Return the cells of a variant among all results of a study."""
        own = [result for result in results if result.variant == variant.name]
        values = {result.seed: _values(result, score) for result in own if not result.diverged}
        curves = {seed: [(images, value.value) for images, value in rows] for seed, rows in values.items()}
        return cls(variant, own, curves, {value.id: value for rows in values.values() for _, value in rows})

    @property
    def images(self) -> int:
        """Images of a whole run."""
        return self.variant.recipe.training.images

    @property
    def pace(self) -> Pace:
        """The median speed over cells."""
        steps = ([getattr(result, name) for result in self.results] for name in ("step_seconds", "step_images"))
        return Pace(*map(_median, steps))

    @property
    def comparable(self) -> Sequence[Curve]:
        """The curves; none if they are under several protocols."""
        return list(self.curves.values()) if len(self.protocols) == 1 else []

    def ends(self) -> dict[int, float]:
        """Return seed -> score at the end of the run, where there is one."""
        ends = {seed: _end(self, curve) for seed, curve in self.curves.items()}
        return {seed: value for seed, value in ends.items() if value is not None}


Read = Callable[[Cells, Curve], float | None]
"""Reads the score of one column off a curve."""


def columns(cells: Sequence[Cells], better: str) -> dict[str, Read]:
    """Return the columns of the table: budgets of images, equal time, the end and the best."""
    budgets = sorted({images for item in cells for images in _budgets(item.variant)})
    durations = [seconds * item.images for item in cells if (seconds := item.pace.image_seconds) is not None]
    best = max if better == "higher" else min
    return {
        **{f"{images:,} images": partial(_near, images=images) for images in budgets},
        "equal time": partial(_after, seconds=min(durations, default=0.0)),
        END: _end,
        "best": lambda _, curve: best((value for _, value in curve), default=None),
    }


def _budgets(variant: Variant) -> range:
    evaluation, images = variant.recipe.evaluation, variant.recipe.training.images
    assert evaluation is not None, "a plan's variants are scored"
    assert evaluation.every is not None, "a plan's variants are scored"
    return range(evaluation.every, images, evaluation.every)


def make_row(cells: Cells, other: Cells, read: Mapping[str, Read], seeds: Sequence[int]) -> Row:
    """Return the row of a variant, compared with another or, if that is the same, with none."""
    own, swapped = cells.variant, swap(cells.variant.cost, other.variant.cost)
    not_compared = _obstacle(swapped, cells, other)
    paired = None if not_compared or cells is other else _difference(cells, other)
    diverged = sum(result.diverged for result in cells.results)
    return Row(
        variant=own,
        swap=swapped,
        flops_ratio=own.cost.flops / other.variant.cost.flops,
        pace=cells.pace,
        finished=sum(map(bool, cells.curves.values())),
        diverged=diverged,
        missing=len(seeds) - len(cells.results),
        scores={name: _mean([value(cells, curve) for curve in cells.comparable]) for name, value in read.items()},
        curve=_mean_curve(cells.comparable),
        difference=paired,
        not_compared=not_compared,
        protocol=" and ".join(cells.protocols),
        unscored=len(cells.results) - diverged - len(cells.ends()),
    )


def _difference(cells: Cells, other: Cells) -> PairedDifference | None:
    """Return the difference at the end, over the seeds that both have."""
    mine, theirs = cells.ends(), other.ends()
    both = sorted(mine.keys() & theirs.keys())
    return difference([mine[seed] for seed in both], [theirs[seed] for seed in both])


def _obstacle(swapped: Swap, cells: Cells, other: Cells) -> str:
    """Return why two rows must not be compared, or why a row has no means; empty if nothing is wrong."""
    mine, theirs = cells.protocols, other.protocols
    for values, whose in ((mine, " of its own seeds"), (theirs, f" of {other.variant.name}'s seeds"), ({**mine, **theirs}, "")):
        if len(values) > 1:
            differing = ", ".join(_differing([value.protocol for value in values.values()]))
            return f"protocols {' and '.join(values)}{whose} differ: {differing}"
    return "" if swapped.alike else f"blocks of unlike size: {swapped.summary()}"


def _differing(protocols: Sequence[Mapping[str, str]]) -> list[str]:
    names = sorted(set[str]().union(*protocols))
    return [name for name in names if len({protocol.get(name) for protocol in protocols}) > 1]


def _values(result: Result, name: str) -> list[tuple[int, MetricValue]]:
    return [(report.images, value) for report in result.reports for value in report.scores if value.name == name]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _mean(values: Sequence[float | None]) -> Estimate | None:
    """Return the mean over all cells; none if one of them has no value, because a mean of some would be selective."""
    known = [value for value in values if value is not None]
    return estimate(known) if len(known) == len(values) else None


def _mean_curve(curves: Sequence[Curve]) -> list[tuple[int, Estimate]]:
    values = [dict(curve) for curve in curves]
    shared = sorted(set.intersection(*map(set, values))) if values else []
    means = ((images, estimate([value[images] for value in values])) for images in shared)
    return [(images, mean) for images, mean in means if mean is not None]


def _end(cells: Cells, curve: Curve) -> float | None:
    """Return the score at the end of a whole run, if it has one."""
    return next((value for images, value in curve if images >= cells.images), None)


def _near(cells: Cells, curve: Curve, images: int) -> float | None:
    """Return the first score at or after ``images``, less than a step late."""
    step = cells.pace.step_images or cells.variant.recipe.training.batch
    return next((value for seen, value in curve if images <= seen < images + step), None)


def _after(cells: Cells, curve: Curve, seconds: float) -> float | None:
    """Return the score after a time of training; none past the last score of a curve that lacks its end."""
    pace = cells.pace.image_seconds
    if pace is None:
        return None
    images = seconds / pace
    known = _end(cells, curve) is not None or (curve and images <= curve[-1][0])
    return at(curve, images) if known else None


def at(curve: Curve, images: float) -> float | None:
    """Return the score at a number of images, interpolated linearly; None before the first one."""
    if not curve or images < curve[0][0]:
        return None
    for (left, low), (right, high) in pairwise(curve):
        if images <= right:
            return low + (high - low) * (images - left) / (right - left)
    return curve[-1][1]
