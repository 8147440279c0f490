#!/usr/bin/env bash
# torch-fidelity 0.4.0: KID is computed in the precision of the features that it is given; its own extractors give float32.
#
# The kernel (x·y/D + 1)³ is near (mean² + 1)³ where features have a mean, and the unbiased estimate is a small difference of sums of
# a hundred thousand such numbers. Features of mean 0 to 1, such as those of Inception, keep most digits; features of mean 100 lose all.
# With one subset of all images the default of 100 subsets also repeats one number a hundred times, and reports a spread of rounding.
#
# Seen with torch-fidelity 0.4.0 and torch 2.14.1 on Linux x86_64, processor (two sets of 500 features in 64 dimensions):
#   mean 0: float64 0.000229735, float32 0.000229597
#   mean 1: float64 0.0040693, float32 0.00406837
#   mean 5: float64 1.16597, float32 1.16406
#   mean 30: float64 1434.04, float32 1408
#   mean 100: float64 176571, float32 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 torchvision==0.29.1 torch-fidelity==0.4.0 numpy
"$folder/venv/bin/python" - <<'PY'
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

KEY = "kernel_inception_distance_mean"
rng = torch.Generator().manual_seed(0)
one, two = torch.randn(2, 500, 64, generator=rng, dtype=torch.float64)
options = {"kid_subsets": 1, "kid_subset_size": 500, "rng_seed": 0, "verbose": False}
errors = {}
for mean in (0.0, 1.0, 5.0, 30.0, 100.0):
    exact = kid_features_to_metric(one + mean, two + mean, **options)[KEY]
    single = kid_features_to_metric((one + mean).float(), (two + mean).float(), **options)[KEY]
    errors[mean] = abs(single - exact) / abs(exact)
    print(f"mean {mean:g}: float64 {exact:.6g}, float32 {single:.6g}")
assert errors[0.0] < 0.01 < errors[30.0] < 0.5 < errors[100.0], errors
spread = kid_features_to_metric(one, two, **(options | {"kid_subsets": 100}))["kernel_inception_distance_std"]
print(f"spread of 100 subsets of all 500 images: {spread:.2g}")
assert spread < 1e-12, spread
print("as described")
PY
