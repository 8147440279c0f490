"""Evaluate a run: a finished one, or one that is training."""

from __future__ import annotations

import warnings
from pathlib import Path

import attrs
from attrs import define, field

from ganblocks.errors import CheckpointError, DataError, UsageError
from ganblocks.evaluation.block_scores import block_scores
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.evaluation.feature_cache import FeatureCache, as_cache
from ganblocks.evaluation.measurement import error_message
from ganblocks.evaluation.report import Report
from ganblocks.evaluation.scores_file import drop_reports_after, read_reports, try_add_report
from ganblocks.evaluation.settings import EvaluationSettings
from ganblocks.kinds.dataset import Dataset
from ganblocks.recipe import with_data
from ganblocks.registry import Registry
from ganblocks.training.run import Run
from ganblocks.training.sampler import Sampler
from ganblocks.values import Images


def evaluate(
    path: str | Path | Run,
    settings: EvaluationSettings,
    registry: Registry,
    cache: FeatureCache | Path | None = None,
    data: str | Path | None = None,
    attention: bool = False,
) -> Report:
    """Evaluate the generator of a run against the training images of its recipe, or against those at ``data``.

    With ``attention`` also with each of its attention blocks in other forms: ``blocks`` of the report.

    Raises:
        CheckpointError: the folder is no finished run.
        DataError: images or weights of the extractor are missing, the run was trained on other images, or there is no number.
        UsageError: impossible settings, a cache that cannot be written, or with ``attention`` no attention block.

    """
    cache = as_cache(cache)
    cache.refuse_unwritable()
    run = path if isinstance(path, Run) else Run.open(path, registry)
    sampler = run.sampler(settings.device, settings.weights)
    dataset = (run.recipe if data is None else with_data(run.recipe, Path(data))).data.dataset
    with run.naming_data("evaluate"):
        images = dataset.open()
        settings = attrs.evolve(settings, other_data=_other_data(run, images, settings))
        evaluator = Evaluator(images, dataset.describe(), settings, registry, cache)
    blocks = tuple(block_scores(evaluator, sampler)) if attention else ()
    return attrs.evolve(evaluator.report(sampler, run.images_seen), blocks=blocks)


def _other_data(run: Run, images: Images, settings: EvaluationSettings) -> bool:
    """Return whether the run was trained on other images. Raises DataError where it was and the settings do not allow it."""
    try:
        if settings.other_data:
            return not run.trained_on(images)
        run.refuse_other_images(images, "to score against these all the same, add --other-data")
    except CheckpointError as error:
        warnings.warn(f"{error}, nor whether these are the images that the run has seen", stacklevel=3)
    return False


@define(eq=False)
class Scoring:
    """Scores a run while it trains, and adds the reports to its folder. The data set is opened when it is first needed.

    No failed score stops the run: it is a warning, and ``error`` at the end of the run.
    """

    dataset: Dataset
    settings: EvaluationSettings
    registry: Registry
    folder: Path
    cache: FeatureCache | Path | None = None
    last: Report | None = None
    """The latest report; None where that evaluation failed."""
    error: Exception | None = None
    """The error of the latest evaluation."""
    kept: bool = True
    """Whether the run folder holds the latest report."""
    _evaluator: Evaluator | None = field(default=None, init=False)

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator, opened at the first use."""
        if self._evaluator is None:
            dataset = self.dataset
            self._evaluator = Evaluator(dataset.open(), dataset.describe(), self.settings, self.registry, self.cache)
        return self._evaluator

    def prepare(self) -> None:
        """Raise, before the first step, as :meth:`Evaluator.refuse_impossible` does."""
        try:
            self.evaluator.refuse_impossible()
        except (DataError, UsageError) as error:
            kind = DataError if isinstance(error, DataError) else UsageError
            raise kind(f"{error}; to train without scores, add --no-score") from error

    def __call__(self, sampler: Sampler, images_seen: int) -> dict[str, float]:
        """Score a generator, and return its numbers by name; a failure is a warning."""
        self.last = self.error = None
        try:
            self.last = self._known(images_seen)
            if self.last is None:
                self.last = self.evaluator.report(sampler, images_seen)
                self.kept = try_add_report(self.folder, self.last)
        except Exception as error:  # of a disk, an image, an extractor or a metric: the training is worth more
            self.error = error
            warnings.warn(f"{images_seen:,} images: not scored: {error_message(error)}", stacklevel=2)
        return {} if self.last is None else {score.name: score.value for score in self.last.scores}

    def _known(self, images_seen: int) -> Report | None:
        """Return the report of this point of the run, if the folder has it: a finished run was resumed."""
        try:
            reports = [report for report in read_reports(self.folder) if report.images == images_seen]
        except CheckpointError:  # reported when the new report is added
            return None
        ids, names = self.evaluator.protocol_ids(), self.evaluator.names()
        return next((report for report in reports if report.protocol_ids() <= ids and names <= report.names()), None)

    def forget(self, images_seen: int) -> None:
        """Drop reports of later points, because the run goes back."""
        try:
            drop_reports_after(self.folder, images_seen)
        except CheckpointError as error:
            warnings.warn(f"scores of later moments stay: {error_message(error)}", stacklevel=2)
