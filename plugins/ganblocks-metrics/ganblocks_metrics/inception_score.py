"""The inception score: confident classes, and all of them."""

from __future__ import annotations

from typing import ClassVar

from attrs import field, frozen
from attrs.validators import ge, instance_of
from torch_fidelity.metric_isc import isc_features_to_metric

from ganblocks import DataError, Sample


@frozen(kw_only=True)
class InceptionScore:
    """exp of the mean divergence of p(class | image) from p(class), as torch-fidelity computes it: from 1 to K classes.

    It never looks at the real images. Samples are shuffled, because splits of samples in order of class would hold few each.

    Use it for comparison with papers, on images of the classes that the extractor knows. It says nothing of variety within a
    class, and a generator of one perfect image per class has the best score.

    Source: Salimans et al. (2016), "Improved Techniques for Training GANs", arXiv:1606.03498, section 4.

    Options:
        splits: the score is a mean over so many parts; papers take 10.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"logits"})
    better: ClassVar[dict[str, str]] = {"is": "higher"}

    splits: int = field(default=10, validator=[instance_of(int), ge(1)])

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        logits = fake.logits
        assert logits is not None, "says that it reads logits"
        if logits.ndim != 2 or len(logits) < 2 * self.splits or not logits.isfinite().all():
            raise DataError(f"{len(logits)} rows of finite logits [n, K] would be at least 2 for each of {self.splits} splits")
        found = isc_features_to_metric(logits, splits=self.splits, shuffle=True, rng_seed=seed % 2**32)
        return {"is": float(found["inception_score_mean"]), "is_std": float(found["inception_score_std"])}
