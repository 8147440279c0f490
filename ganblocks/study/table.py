"""A study's table: all variants, for one score."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from ganblocks.errors import UsageError
from ganblocks.evaluation import MetricValue
from ganblocks.study.cells import Result
from ganblocks.study.plan import Plan
from ganblocks.study.rows import END, Cells, Row, columns, make_row
from ganblocks.study.statistics import holm
from ganblocks.study.verdicts import untrained, verdict


@frozen
class Table:
    """All rows, for one score."""

    title: str
    score: MetricValue
    """One number of the score, for its name, controls and direction."""
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    images: int

    def verdicts(self) -> list[str]:
        """Return a sentence for each compared row, and one for all rows that are no better than noise."""
        compared = [row for row in self.rows if row.variant.against != row.variant.name or row.not_compared]
        sentences = [verdict(row, self.score.better, len(self.seeds)) for row in compared]
        return sentences + untrained([row.variant.name for row in self.rows if row.untrained], self.score)


def tabulate(plan: Plan, results: Sequence[Result], wanted: str | None = None) -> Table:
    """Return the table of one score: the first leading one, or the one named. Raises UsageError if no cell has it."""
    score = _score([result for result in results if not result.diverged], wanted)
    own = [result for result in results if result.seed in plan.seeds]
    cells = {variant.name: Cells.of(variant, own, score.name) for variant in plan.variants}
    read = columns(list(cells.values()), score.better)
    rows = [make_row(item, cells[item.variant.against], read, plan.seeds) for item in cells.values()]
    rows = [evolve(row, untrained=_untrained(row, score)) for row in _adjusted(rows)]
    return Table(plan.title, score, tuple(read), tuple(rows), plan.seeds, max(item.images for item in cells.values()))


def _untrained(row: Row, score: MetricValue) -> bool:
    """Return whether a row's mean at the end is no better than noise, under the protocol whose noise is known."""
    end = row.scores.get(END)
    return end is not None and row.protocol == score.id and bool(evolve(score, value=end.mean).no_better_than_noise)


def _score(finished: Sequence[Result], wanted: str | None) -> MetricValue:
    scores: dict[str, MetricValue] = {}
    for score in (score for result in finished for report in result.reports[::-1] for score in report.scores):
        scores.setdefault(score.name, score)  # of the baseline, if it has finished
    if not scores:
        raise UsageError("no cell has finished: there is nothing to compare")
    if wanted is None:
        return next((score for score in scores.values() if score.better), next(iter(scores.values())))
    if wanted not in scores:
        raise UsageError(f"no score {wanted}: there are {', '.join(scores)}")
    return scores[wanted]


def _adjusted(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the p values of all comparisons adjusted together."""
    p_values = {row.variant.name: row.difference.p for row in rows if row.difference and row.difference.p is not None}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [evolve(row, adjusted_p=adjusted.get(row.variant.name), comparisons=len(p_values)) for row in rows]
