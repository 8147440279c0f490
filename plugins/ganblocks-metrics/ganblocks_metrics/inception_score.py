"""The inception score."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from ganblocks import Checked, ClassicNames, DataError, Facts, Sample, option


@frozen(kw_only=True)
class InceptionScore(Checked, ClassicNames):
    """exp of the mean divergence of p(class | image) from p(class): from 1 to K classes.

    It does not use the real images. Samples are shuffled, as in torch-fidelity, because they come in order of class and each
    split should hold all.

    Use it for comparison with papers, on images of the classes that the extractor knows. It ignores variety within a class: a
    generator of one perfect image per class has the best score.

    Source: Salimans et al. (2016), "Improved Techniques for Training GANs", arXiv:1606.03498, section 4.

    Options:
        splits: number of parts; the score is their mean, ``is_std`` their standard deviation. Papers use 10; one has no spread.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"logits"})
    better: ClassVar[dict[str, str]] = {"is": "higher"}
    classic_names: ClassVar[dict[str, str]] = {"is": "is", "is_std": "is_std"}

    splits: int = option(10, low=1)

    def check(self, facts: Facts) -> Iterator[str]:
        """Yield a sentence if there are too few samples."""
        yield from () if facts.fake is None else self._too_few(facts.fake)

    def _too_few(self, count: int) -> Iterator[str]:
        if count < 2 * self.splits:
            fewer = f", or splits = {count // 2} at most" if count > 1 else ""
            least = 2 * self.splits
            yield f"{count} samples are fewer than 2 for each of {self.splits} splits: take n = {least} at least{fewer}"

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return ``is`` of the logits [n, K] of the fakes, and ``is_std`` where there are several splits."""
        logits = fake.logits
        assert logits is not None, "the class states that it reads logits"
        if logits.ndim != 2 or not logits.isfinite().all():
            raise DataError(f"the logits of samples, {list(logits.shape)}, are no finite numbers [n, K]")
        for rule in self._too_few(len(logits)):
            raise DataError(rule)
        order = torch.from_numpy(np.random.RandomState(seed % 2**32).permutation(len(logits)))  # that of torch-fidelity
        bounds = [split * len(logits) // self.splits for split in range(self.splits + 1)]
        log_p = logits[order].double().log_softmax(1)
        scores = torch.stack([_score(log_p[start:end]) for start, end in pairwise(bounds)])
        return {"is": float(scores.mean())} | ({"is_std": float(scores.std(correction=0))} if self.splits > 1 else {})


def _score(log_p: Tensor) -> Tensor:
    """Return exp of the mean divergence of rows [n, K] of log probabilities from their mean, 0-dim."""
    p = log_p.exp()
    return (p * (log_p - p.mean(0).log())).sum(1).mean().exp()
