"""Evaluate a run: afterwards, or while it goes on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import attrs
from attrs import define, field
from filelock import FileLock

from ganblocks.errors import CheckpointError
from ganblocks.evaluation.judge import Judge
from ganblocks.evaluation.report import Report
from ganblocks.evaluation.wish import Wish
from ganblocks.files import write_text
from ganblocks.kinds.dataset import Dataset
from ganblocks.recipe import with_data
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import images_seen, latest
from ganblocks.training.comparing import naming_data, read_provenance, refuse_other_images, same_images
from ganblocks.training.reading import read_json
from ganblocks.training.runs import load, recipe_of
from ganblocks.training.sampler import Sampler
from ganblocks.values import Images

KEPT = "scores.json"
"""The file of a run folder that holds every report, newest last."""
KEPT_LOCK = ".scores.lock"
"""Whoever changes that file holds it: not the lock of the folder, which a run holds for as long as it trains."""


def evaluate(
    path: str | Path, wish: Wish, registry: Registry, cache: Path | None = None, data: str | Path | None = None
) -> Report:
    """Judge the generator of a run against the training images that its recipe names, or that now lie at ``data``.

    Raises:
        CheckpointError: the folder is no finished run.
        DataError: images or weights of the extractor are missing, or the images are not those that the run has seen.
        UsageError: a wish that cannot be.

    """
    path = Path(path)
    sampler = load(path, wish.device, registry, wish.weights)
    recipe = recipe_of(path, registry)
    recipe = recipe if data is None else with_data(recipe, Path(data))
    with naming_data(path, recipe, "evaluate"):
        judge = _judge(recipe.data.dataset, wish, registry, cache)
        judge.wish = attrs.evolve(wish, other_data=_others(path, judge.images, wish))
    return judge.report(sampler, images_seen(latest(path)))


def _others(path: Path, images: Images, wish: Wish) -> bool:
    """Whether the images are not those that a run has seen. Raises DataError where that was not asked for."""
    try:
        fingerprint = read_provenance(path)["data"]
    except CheckpointError as error:
        warnings.warn(f"{error}, nor whether these are the images that the run has seen", stacklevel=3)
        return False
    if wish.other_data:
        return not same_images(fingerprint, images)
    refuse_other_images(path, fingerprint, images, "to score against these all the same, add --other-data")
    return False


@define(eq=False)
class Scoring:
    """Scores a run while it goes on, into its folder; the judge is opened when it is first needed."""

    dataset: Dataset
    wish: Wish
    registry: Registry
    folder: Path
    cache: Path | None = None
    last: Report | None = None
    _opened: Judge | None = field(default=None, init=False)

    def __call__(self, sampler: Sampler, images_seen: int) -> None:
        self._opened = self._opened or _judge(self.dataset, self.wish, self.registry, self.cache)
        self.last = self._known(self._opened.ids(), images_seen)
        if self.last is None:
            self.last = self._opened.report(sampler, images_seen)
            keep(self.folder, self.last)

    def _known(self, ids: set[str], images_seen: int) -> Report | None:
        """The report of this moment, where a finished run is resumed."""
        same = (each for each in kept(self.folder) if each.images == images_seen and {score.id for score in each.scores} == ids)
        return next(same, None)

    def forget(self, images_seen: int) -> None:
        """Drop reports of later moments: the run comes to them again."""
        with FileLock(self.folder / KEPT_LOCK):
            reports = kept(self.folder)
            if any(report.images > images_seen for report in reports):
                _write(self.folder, [report for report in reports if report.images <= images_seen])


def keep(run: Path, report: Report) -> None:
    """Add a report to those of a run folder, to which another process may be adding one."""
    with FileLock(run / KEPT_LOCK):
        _write(run, [*kept(run), report])


def _write(run: Path, reports: Sequence[Report]) -> None:
    plain = [report.plain() for report in reports]
    write_text(run / KEPT, json.dumps(plain, indent=2, ensure_ascii=False) + "\n")


def kept(run: Path) -> list[Report]:
    """All reports of a run folder, oldest first."""
    path = run / KEPT
    if not path.is_file():
        return []
    try:
        return [Report.of(plain) for plain in read_json(path)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged: no reports that ganblocks has written; move it away") from error


def _judge(dataset: Dataset, wish: Wish, registry: Registry, cache: Path | None) -> Judge:
    return Judge(dataset.open(), dataset.describe(), wish, registry, cache)
