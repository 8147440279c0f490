"""The inception score: confident classes, and all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge, instance_of
from torch_fidelity.metric_isc import isc_features_to_metric

from ganblocks import Checked, DataError, Facts, Sample


@frozen(kw_only=True)
class InceptionScore(Checked):
    """exp of the mean divergence of p(class | image) from p(class), as torch-fidelity computes it: from 1 to K classes.

    It never looks at the real images. Samples are shuffled, because splits of samples in order of class would hold few each.

    Use it for comparison with papers, on images of the classes that the extractor knows. It says nothing of variety within a
    class, and a generator of one perfect image per class has the best score.

    Source: Salimans et al. (2016), "Improved Techniques for Training GANs", arXiv:1606.03498, section 4.

    Options:
        splits: the score is a mean over so many parts, and ``is_std`` their spread; papers take 10. One part has no spread.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"logits"})
    better: ClassVar[dict[str, str]] = {"is": "higher"}

    splits: int = field(default=10, validator=[instance_of(int), ge(1)])

    def check(self, facts: Facts) -> Iterator[str]:
        yield from () if facts.fake is None else self._few(facts.fake)

    def _few(self, count: int) -> Iterator[str]:
        """What is wrong with so many samples."""
        if count < 2 * self.splits:
            fewer = f", or splits = {count // 2} at most" if count > 1 else ""
            least = 2 * self.splits
            yield f"{count} samples are fewer than 2 for each of {self.splits} splits: take n = {least} at least{fewer}"

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        logits = fake.logits
        assert logits is not None, "says that it reads logits"
        if logits.ndim != 2 or not logits.isfinite().all():
            raise DataError(f"the logits of samples, {list(logits.shape)}, are no finite numbers [n, K]")
        for complaint in self._few(len(logits)):
            raise DataError(complaint)
        found = isc_features_to_metric(logits, splits=self.splits, shuffle=True, rng_seed=seed % 2**32)
        mean, spread = float(found["inception_score_mean"]), float(found["inception_score_std"])
        return {"is": mean} | ({"is_std": spread} if self.splits > 1 else {})
