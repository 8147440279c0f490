#!/usr/bin/env bash
# torch-fidelity 0.4.0: KID is computed in the dtype of the features, so float32 features far from zero give a meaningless KID.
#
# Packages: torch-fidelity 0.4.0, torch 2.14.1, torchvision 0.29.1, numpy 2.4.6.
# Why it surprises: FID from the same package and the same float32 features is fine, because numpy.cov computes in float64.
#   KID is a small difference between averages of the cubic kernel (x.y/D + 1)^3. If every feature has mean m, the kernel is
#   about (m^2 + 1)^3, and float32 rounding exceeds the difference. Inception features (mean below 1) keep 3 or 4 digits.
#   Features of one's own extractor need not: at mean 100 the reported KID is exactly 0, the score of a perfect generator.
#
# Output (Linux x86_64, CPU; two sets of 500 Gaussian features, 64 dimensions):
#   mean 0: KID 0.000229735 in float64, 0.000229597 in float32
#   mean 1: KID 0.0040693 in float64, 0.00406837 in float32
#   mean 5: KID 1.16597 in float64, 1.16406 in float32
#   mean 30: KID 1434.04 in float64, 1408 in float32
#   mean 100: KID 176571 in float64, 0 in float32
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch-fidelity==0.4.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
from torch_fidelity.metric_kid import kid_features_to_metric


def kid(first, second):
    options = {"kid_subsets": 1, "kid_subset_size": 500, "rng_seed": 0, "verbose": False}
    return kid_features_to_metric(first, second, **options)["kernel_inception_distance_mean"]


generator = torch.Generator().manual_seed(0)
first, second = torch.randn(2, 500, 64, generator=generator, dtype=torch.float64)
errors = {}
for mean in (0, 1, 5, 30, 100):
    exact = kid(first + mean, second + mean)
    single = kid((first + mean).float(), (second + mean).float())
    errors[mean] = abs(single - exact) / abs(exact)
    print(f"mean {mean}: KID {exact:.6g} in float64, {single:.6g} in float32")
assert errors[0] < 0.01 < errors[30] < 0.5 < errors[100], errors
print("behaviour unchanged")
PY
