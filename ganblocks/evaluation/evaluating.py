"""Evaluate a run: afterwards, or while it goes on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import attrs
from attrs import define, field
from filelock import FileLock

from ganblocks.errors import CheckpointError, DataError, UsageError
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.evaluation.feature_cache import FeatureCache
from ganblocks.evaluation.report import Report
from ganblocks.evaluation.settings import EvaluationSettings
from ganblocks.evaluation.trying import in_words
from ganblocks.files import write_text
from ganblocks.kinds.dataset import Dataset
from ganblocks.recipe import with_data
from ganblocks.registry import Registry
from ganblocks.training.reading import read_json
from ganblocks.training.run import Run
from ganblocks.training.sampler import Sampler
from ganblocks.values import Images

KEPT = "scores.json"
"""The file of a run folder that holds every report, newest last."""
KEPT_LOCK = ".scores.lock"
"""Whoever changes that file holds it: not the lock of the folder, which a run holds for as long as it trains."""


def evaluate(
    path: str | Path | Run,
    settings: EvaluationSettings,
    registry: Registry,
    cache: Path | None = None,
    data: str | Path | None = None,
) -> Report:
    """Judge the generator of a run against the training images that its recipe names, or that now lie at ``data``.

    Raises:
        CheckpointError: the folder is no finished run.
        DataError: images or weights of the extractor are missing, the images are not those that the run has seen, or no number
            can be had.
        UsageError: the settings are impossible, or a cache that cannot be written.

    """
    FeatureCache(cache).refuse_unwritable()
    run = path if isinstance(path, Run) else Run.open(path, registry)
    sampler = run.sampler(settings.device, settings.weights)
    recipe = run.recipe if data is None else with_data(run.recipe, Path(data))
    with run.naming_data("evaluate"):
        judge = _judge(recipe.data.dataset, settings, registry, cache)
        judge.settings = attrs.evolve(settings, other_data=_others(run, judge.images, settings))
    return judge.report(sampler, run.images_seen)


def _others(run: Run, images: Images, settings: EvaluationSettings) -> bool:
    """Whether the images are not those that a run has seen. Raises DataError where that was not asked for."""
    try:
        if settings.other_data:
            return not run.trained_on(images)
        run.refuse_other_images(images, "to score against these all the same, add --other-data")
    except CheckpointError as error:
        warnings.warn(f"{error}, nor whether these are the images that the run has seen", stacklevel=3)
    return False


@define(eq=False)
class Scoring:
    """Scores a run while it goes on, into its folder; the judge is opened when it is first needed.

    A run never stops because of a score: what goes wrong is a warning, and ``error`` once the run has ended.
    """

    dataset: Dataset
    settings: EvaluationSettings
    registry: Registry
    folder: Path
    cache: Path | None = None
    last: Report | None = None
    """Of the latest moment; None where it could not be scored."""
    error: Exception | None = None
    """Why it could not."""
    kept: bool = True
    """Whether the run folder holds it."""
    _opened: Evaluator | None = field(default=None, init=False)

    @property
    def judge(self) -> Evaluator:
        self._opened = self._opened or _judge(self.dataset, self.settings, self.registry, self.cache)
        return self._opened

    def prepare(self) -> None:
        """Raise before the first step what is known by then to be impossible; see :meth:`Evaluator.refuse_impossible`."""
        try:
            self.judge.refuse_impossible()
        except (DataError, UsageError) as error:
            kind = DataError if isinstance(error, DataError) else UsageError
            raise kind(f"{error}; to train without scores, add --no-score") from error

    def __call__(self, sampler: Sampler, images_seen: int) -> None:
        self.last = self.error = None
        try:
            self._score(sampler, images_seen)
        except Exception as error:  # of a disk, an image, an extractor or a metric: what was trained is worth more
            self.error = error
            warnings.warn(f"{images_seen:,} images: not scored: {in_words(error)}", stacklevel=2)

    def _score(self, sampler: Sampler, images_seen: int) -> None:
        self.last = self._known(images_seen)
        if self.last is None:
            self.last = self.judge.report(sampler, images_seen)
            self.kept = kept_or_said(self.folder, self.last)

    def _known(self, images_seen: int) -> Report | None:
        """The report of this moment, where a finished run is resumed."""
        try:
            reports = [report for report in kept(self.folder) if report.images == images_seen]
        except CheckpointError:  # said when the new report is to join them
            return None
        ids, names = self.judge.ids(), self.judge.names()
        return next((report for report in reports if report.ids() <= ids and names <= report.names()), None)

    def forget(self, images_seen: int) -> None:
        """Drop reports of later moments: the run comes to them again."""
        try:
            with FileLock(self.folder / KEPT_LOCK):
                reports = kept(self.folder)
                if any(report.images > images_seen for report in reports):
                    _write(self.folder, [report for report in reports if report.images <= images_seen])
        except (CheckpointError, OSError) as error:
            warnings.warn(f"scores of later moments stay: {in_words(error)}", stacklevel=2)


def keep(run: Path, report: Report) -> None:
    """Add a report to those of a run folder, to which another process may be adding one.

    Raises:
        CheckpointError: the folder cannot be written, or what it holds are no reports.

    """
    try:
        with FileLock(run / KEPT_LOCK):
            _write(run, [*kept(run), report])
    except OSError as error:
        raise CheckpointError(f"{run / KEPT}: cannot be written: {error.strerror or error}") from error


def kept_or_said(run: Path, report: Report) -> bool:
    """Keep a report, or warn that it was not kept; says which. It has been computed at a price, and is worth showing."""
    try:
        keep(run, report)
    except CheckpointError as error:
        warnings.warn(f"the scores are not kept: {error}", stacklevel=2)
        return False
    return True


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


def _judge(dataset: Dataset, settings: EvaluationSettings, registry: Registry, cache: Path | None) -> Evaluator:
    return Evaluator(dataset.open(), dataset.describe(), settings, registry, cache)
