"""From cells to rows."""

from __future__ import annotations

import statistics as numbers
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

from attrs import evolve, frozen

from ganblocks.errors import UsageError
from ganblocks.evaluation import Score
from ganblocks.study.cells import Result
from ganblocks.study.costs import Swap, swap
from ganblocks.study.plan import Plan, Variant
from ganblocks.study.statistics import Difference, Estimate, difference, estimate, holm
from ganblocks.study.words import untrained, verdict

END = "end"
"""The moment that differences are taken at."""
Curve = Sequence[tuple[int, float]]
"""(images seen, score), rising in images."""


@frozen
class Moment:
    """A point at which rows are compared: its name, and how to read a cell's score there."""

    name: str
    read: Callable[[Curve], float | None]


@frozen
class Pace:
    """How fast a variant learns; None: unknown."""

    step_seconds: float | None
    """The median over cells of their median steps."""
    step_images: float | None
    """Likewise, of the real images that a step sees."""

    @property
    def image_seconds(self) -> float | None:
        return None if self.step_seconds is None or not self.step_images else self.step_seconds / self.step_images


@frozen
class Row:
    """What a table says of one variant."""

    variant: Variant
    swap: Swap
    """Against the row that it is compared with."""
    flops_ratio: float
    pace: Pace
    finished: int
    diverged: int
    missing: int
    scores: Mapping[str, Estimate | None]
    """Moment -> mean over seeds; none where they were scored under several protocols."""
    curve: Sequence[tuple[int, Estimate]]
    difference: Difference | None
    """At the end, paired by seed, against the row that it is compared with."""
    adjusted_p: float | None
    comparisons: int
    """Differences of the table that have a p value."""
    unlike: str
    """Why the row is not compared; empty where it is."""
    protocol: str
    """Of its scores: an id, ``A and B`` where there are several, or empty where nothing has finished."""
    unscored: int = 0
    """Runs that have finished, and of whose end this score could not be had."""
    untrained: bool = False
    """Whether the mean at the end is no better than that of noise."""


@frozen
class Table:
    """All rows, for one score."""

    title: str
    score: Score
    """One of the scores, for its name, its controls and what is better."""
    moments: tuple[str, ...]
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    images: int

    def verdicts(self) -> list[str]:
        return [
            verdict(row, self.score.better, len(self.seeds))
            for row in self.rows
            if row.variant.against != row.variant.name or row.unlike
        ] + untrained([row.variant.name for row in self.rows if row.untrained], self.score)


def tabulate(plan: Plan, results: Sequence[Result], wanted: str | None = None) -> Table:
    """Rows for one score: the first that leads, or the one that is named. Raises UsageError where no cell has it."""
    finished = [result for result in results if not result.diverged]
    score = _score(finished, wanted)
    curves = {(result.variant, result.seed): _curve(result, score.name) for result in finished}
    protocols = {variant.name: _protocols(finished, variant.name, score.name) for variant in plan.variants}
    paces = {variant.name: _pace(results, variant) for variant in plan.variants}
    moments = _moments(plan, paces, score.better)
    rows = tuple(_row(variant, plan, results, curves, protocols, paces, moments) for variant in plan.variants)
    last = max(variant.recipe.training.images for variant in plan.variants)
    scorer = tuple(evolve(row, untrained=_untrained(row, score)) for row in _adjusted(rows))
    return Table(plan.title, score, tuple(moments(plan.variants[0])), scorer, plan.seeds, last)


def _untrained(row: Row, score: Score) -> bool:
    """Whether a row's mean at the end is no better than noise, under the protocol whose noise is known."""
    end = row.scores.get(END)
    return end is not None and row.protocol == score.id and bool(evolve(score, value=end.mean).no_better_than_noise)


def _score(finished: Sequence[Result], wanted: str | None) -> Score:
    if not finished:
        raise UsageError("no cell has finished: there is nothing to compare")
    scores: dict[str, Score] = {}
    for score in (score for result in finished for report in result.reports[::-1] for score in report.scores):
        scores.setdefault(score.name, score)  # of the baseline, where it has finished
    if wanted is None:
        leading = [score for score in scores.values() if score.better]
        return (leading or list(scores.values()))[0]
    if wanted not in scores:
        raise UsageError(f"no score {wanted}: there are {', '.join(scores)}")
    return scores[wanted]


def _curve(result: Result, name: str) -> Curve:
    return [(report.images, score.value) for report in result.reports for score in report.scores if score.name == name]


def _protocols(finished: Sequence[Result], variant: str, name: str) -> list[Score]:
    """One score for each protocol that a variant was scored under, over all its seeds and moments."""
    reports = [report for result in finished if result.variant == variant for report in result.reports]
    return list({score.id: score for report in reports for score in report.scores if score.name == name}.values())


def _pace(results: Sequence[Result], variant: Variant) -> Pace:
    own = [each for each in results if each.variant == variant.name]
    return Pace(_median([each.step_seconds for each in own]), _median([each.step_images for each in own]))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return numbers.median(known) if known else None


def _moments(
    plan: Plan, paces: Mapping[str, Pace], better: str
) -> Callable[[Variant], dict[str, Callable[[Curve], float | None]]]:
    """For each variant the moments of the table: budgets of images, equal time, the end, the best."""
    budgets = sorted({images for variant in plan.variants for images in _budgets(variant)})
    per_image = {name: seconds for name, pace in paces.items() if (seconds := pace.image_seconds) is not None}
    whole = [per_image[v.name] * v.recipe.training.images for v in plan.variants if v.name in per_image]
    best = max if better == "higher" else min

    def of(variant: Variant) -> dict[str, Callable[[Curve], float | None]]:
        found: dict[str, Callable[[Curve], float | None]] = {}
        last = variant.recipe.training.images
        step = paces[variant.name].step_images or variant.recipe.training.batch
        for images in budgets:
            found[f"{images:,} images"] = partial(_near, images=images, step=step)
        if whole and variant.name in per_image:
            found["equal time"] = lambda curve: _reached(curve, min(whole) / per_image[variant.name], last)
        else:
            found["equal time"] = lambda curve: None
        return found | {
            END: lambda curve: _end(curve, last),
            "best": lambda curve: best((value for _, value in curve), default=None),
        }

    return of


def _budgets(variant: Variant) -> range:
    evaluation, images = variant.recipe.evaluation, variant.recipe.training.images
    assert evaluation is not None, "a plan's variants are scored"
    assert evaluation.every is not None, "a plan's variants are scored"
    return range(evaluation.every, images, evaluation.every)


def _end(curve: Curve, images: int) -> float | None:
    """The score of a whole run's end; none where only earlier moments have it."""
    return next((value for seen, value in curve if seen >= images), None)


def _near(curve: Curve, images: int, step: float) -> float | None:
    """The score at the first moment at or after ``images``, less than a step late."""
    return next((value for seen, value in curve if images <= seen < images + step), None)


def _reached(curve: Curve, images: float, last: int) -> float | None:
    """The score at a number of images; none past the last moment of a curve that lacks its end."""
    known = _end(curve, last) is not None or (curve and images <= curve[-1][0])
    return at(curve, images) if known else None


def at(curve: Curve, images: float) -> float | None:
    """The score at a number of images, by a straight line between the moments on both sides; None before the first one."""
    if not curve or images < curve[0][0]:
        return None
    for (left, low), (right, high) in pairwise(curve):
        if images <= right:
            return low + (high - low) * (images - left) / (right - left)
    return curve[-1][1]


def _row(
    variant: Variant,
    plan: Plan,
    results: Sequence[Result],
    curves: Mapping[tuple[str, int], Curve],
    protocols: Mapping[str, Sequence[Score]],
    paces: Mapping[str, Pace],
    moments: Callable[[Variant], dict[str, Callable[[Curve], float | None]]],
) -> Row:
    other = next(each for each in plan.variants if each.name == variant.against)
    own = {seed: curves[variant.name, seed] for seed in plan.seeds if curves.get((variant.name, seed))}
    theirs = {seed: curves[other.name, seed] for seed in plan.seeds if curves.get((other.name, seed))}
    found = [result for result in results if result.variant == variant.name and result.seed in plan.seeds]
    swapped = swap(variant.cost, other.cost)
    unlike = _unlike(swapped, protocols[variant.name], protocols[other.name], other.name)
    paired = None
    if not unlike and variant is not other:
        paired = difference(*_ends(own, theirs, variant, other))
    ids = [score.id for score in protocols[variant.name]]
    alike = [curves[variant.name, result.seed] for result in found if not result.diverged] if len(ids) == 1 else []
    return Row(
        variant=variant,
        swap=swapped,
        flops_ratio=variant.cost.flops / other.cost.flops,
        pace=paces[variant.name],
        finished=len(own),
        diverged=sum(result.diverged for result in found),
        missing=len(plan.seeds) - len(found),
        scores={name: _mean([read(curve) for curve in alike]) for name, read in moments(variant).items()},
        curve=_mean_curve(alike),
        difference=paired,
        adjusted_p=None,
        comparisons=0,
        unlike=unlike,
        protocol=" and ".join(ids),
        unscored=sum(not result.diverged for result in found) - len(_at_end(own, variant)),
    )


def _at_end(curves: Mapping[int, Curve], variant: Variant) -> dict[int, float]:
    """Seed -> the score of its end, where it has one."""
    ends = {seed: _end(curve, variant.recipe.training.images) for seed, curve in curves.items()}
    return {seed: value for seed, value in ends.items() if value is not None}


def _ends(
    own: Mapping[int, Curve], theirs: Mapping[int, Curve], variant: Variant, other: Variant
) -> tuple[list[float], list[float]]:
    """The scores at the end of both rows, seed by seed, for the seeds that both have."""
    mine, its = _at_end(own, variant), _at_end(theirs, other)
    both = sorted(set(mine) & set(its))
    return [mine[seed] for seed in both], [its[seed] for seed in both]


def _mean(values: Sequence[float | None]) -> Estimate | None:
    """Over the cells that have a value; none where one of them has not, so that no mean is of chosen cells."""
    known = [value for value in values if value is not None]
    return estimate(known) if len(known) == len(values) else None


def _mean_curve(curves: Sequence[Curve]) -> list[tuple[int, Estimate]]:
    if not curves:
        return []
    values = [dict(curve) for curve in curves]
    shared = sorted(set.intersection(*(set(each) for each in values)))
    found = [(images, estimate([each[images] for each in values])) for images in shared]
    return [(images, mean) for images, mean in found if mean is not None]


def _unlike(swapped: Swap, mine: Sequence[Score], theirs: Sequence[Score], other: str) -> str:
    """Why two rows may not be compared, or why a row has no means; empty where nothing is wrong."""
    for scores, whose in ((mine, " of its own seeds"), (theirs, f" of {other}'s seeds"), ([*mine, *theirs], "")):
        protocols = {score.id: score.protocol for score in scores}
        if len(protocols) > 1:
            return f"protocols {' and '.join(protocols)}{whose} differ: {', '.join(_differing(list(protocols.values())))}"
    if not swapped.alike:
        return f"blocks of unlike size: {swapped.words()}"
    return ""


def _differing(protocols: Sequence[Mapping[str, str]]) -> list[str]:
    names = sorted(set[str]().union(*protocols))
    return [name for name in names if len({protocol.get(name) for protocol in protocols}) > 1]


def _adjusted(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows with the p values of all comparisons adjusted together."""
    places = [i for i, row in enumerate(rows) if row.difference is not None and row.difference.p is not None]
    p_values = [row.difference.p for row in rows if row.difference is not None and row.difference.p is not None]
    adjusted = dict(zip(places, holm(p_values), strict=True))
    return tuple(evolve(row, adjusted_p=adjusted.get(i), comparisons=len(places)) for i, row in enumerate(rows))
