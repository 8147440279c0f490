"""The kernel distance: an unbiased estimate of a squared maximum mean discrepancy."""

from __future__ import annotations

from typing import Any, ClassVar

from attrs import field, frozen
from attrs.validators import ge, instance_of
from torch_fidelity.metric_kid import kid_features_to_metric

from ganblocks import Sample
from ganblocks_metrics.checking import checked


def _count(default: int, low: int) -> Any:
    return field(default=default, validator=[instance_of(int), ge(low)])


@frozen(kw_only=True)
class Kernel:
    """The squared maximum mean discrepancy of the kernel (x·y/D + 1)³, as torch-fidelity computes it: KID.

    Unbiased at any number of images, so that it leads where there are few; it may fall below 0. Computed in float64, whatever
    the features are: far from 0 their kernel is large, and its differences are small. ``kd_std`` is the spread over subsets,
    not an error bar; where every subset would be all the images (n of ``subset`` at most), it is computed once and has none.

    Use it as the first number, above all below ten thousand images; take ``frechet`` beside it for comparison with papers.

    Source: Bińkowski et al. (2018), "Demystifying MMD GANs", arXiv:1801.01401, section 3.

    Options:
        subsets: how many random subsets the estimate is averaged over.
        subset: images in each; where there are fewer images, all of them.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"kd": "lower"}

    subsets: int = _count(100, 1)
    subset: int = _count(1000, 2)

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        one, two = checked(real.features, fake.features)
        size = min(self.subset, len(one), len(two))
        subsets = 1 if size == len(one) == len(two) else self.subsets  # all images, each time in another order
        found = kid_features_to_metric(
            two, one, kid_subsets=subsets, kid_subset_size=size, rng_seed=seed % 2**32, verbose=False
        )
        mean, spread = float(found["kernel_inception_distance_mean"]), float(found["kernel_inception_distance_std"])
        return {"kd": mean} | ({"kd_std": spread} if subsets > 1 else {})
