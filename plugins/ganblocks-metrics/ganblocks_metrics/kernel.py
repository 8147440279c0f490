"""The kernel distance: an unbiased estimate of a squared maximum mean discrepancy."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen
from torch_fidelity.metric_kid import kid_features_to_metric

from ganblocks import ClassicNames, Sample, option
from ganblocks_metrics.checking import check_features


@frozen(kw_only=True)
class Kernel(ClassicNames):
    """The squared maximum mean discrepancy of the kernel (x·y/D + 1)³, as torch-fidelity computes it: KID.

    Unbiased at any number of images; it may fall below 0. Computed in float64, because far from 0 the kernel of features is
    large and its differences are small. ``kd_std`` is the standard deviation over subsets, not an error bar; if every subset
    would hold all images (n of ``subset`` at most), the distance is computed once and has none.

    Use it as the first number, above all below ten thousand images; add ``frechet`` for comparison with papers.

    Source: Bińkowski et al. (2018), "Demystifying MMD GANs", arXiv:1801.01401, section 3.

    Options:
        subsets: number of random subsets that the estimate averages over.
        subset: images in each; all of them where there are fewer.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"kd": "lower"}
    classic_names: ClassVar[dict[str, str]] = {"kd": "kid", "kd_std": "kid_std"}

    subsets: int = option(100, low=1)
    subset: int = option(1000, low=2)

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return ``kd`` of features [n, D], and ``kd_std`` where there are several subsets."""
        one, two = check_features(real.features, fake.features)
        size = min(self.subset, len(one), len(two))
        subsets = 1 if size == len(one) == len(two) else self.subsets  # all images, each time in another order
        numbers = kid_features_to_metric(
            two, one, kid_subsets=subsets, kid_subset_size=size, rng_seed=seed % 2**32, verbose=False
        )
        mean, spread = float(numbers["kernel_inception_distance_mean"]), float(numbers["kernel_inception_distance_std"])
        return {"kd": mean} | ({"kd_std": spread} if subsets > 1 else {})
