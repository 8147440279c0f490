#!/usr/bin/env bash
# piq 0.8.0: FID of a feature set with itself is not 0, and a small FID comes out far too large, also in float64.
#
# Packages: piq 0.8.0, torch 2.14.1, torchvision 0.29.1, numpy 2.4.6.
# Why it surprises: piq converts the features to float64, so rounding is not the reason. Its matrix square root is a
#   Newton-Schulz iteration that stops once the relative Frobenius error is below 1e-5. FID needs the trace of the root, which
#   also counts the small eigenvalues, and they have not converged by then. Covariances of network features do have small
#   eigenvalues. The error is a bias of about the same size for every pair, so it hides differences between good generators.
#   The reference value uses the eigenvalues of the product of the two covariances, and gives 0 for X against X.
#
# Output (Linux x86_64, CPU; two sets of 5000 Gaussian features of the same distribution, 256 dimensions):
#   standard deviations from 1 to 1: FID(X, X) = 0.000132, FID(X, Y) = 6.712, reference 6.712
#   standard deviations from 1 to 0.1: FID(X, X) = 0.00182, FID(X, Y) = 0.8448, reference 0.8434
#   standard deviations from 1 to 0.01: FID(X, X) = 0.0839, FID(X, Y) = 0.3159, reference 0.2323
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check piq==0.8.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
from piq import FID


def reference(x, y):
    first, second = torch.cov(x.T), torch.cov(y.T)
    root_trace = torch.linalg.eigvals(first @ second).sqrt().real.sum()
    return ((x.mean(0) - y.mean(0)).square().sum() + first.trace() + second.trace() - 2 * root_trace).item()


generator = torch.Generator().manual_seed(0)
results = {}
for exponent in (0, -1, -2):
    scale = torch.logspace(0, exponent, 256, dtype=torch.float64)
    x, y = torch.randn(2, 5000, 256, generator=generator, dtype=torch.float64) * scale
    own, between, exact = FID()(x, x).item(), FID()(x, y).item(), reference(x, y)
    results[exponent] = own, between / exact
    print(f"standard deviations from 1 to {10.0**exponent:g}: FID(X, X) = {own:.3g}, FID(X, Y) = {between:.4g}, "
          f"reference {exact:.4g}")
    assert abs(reference(x, x)) < 1e-9
assert results[0][0] < 1e-3 and abs(results[0][1] - 1) < 1e-3, results
assert results[-2][0] > 0.05 and results[-2][1] > 1.2, results
print("behaviour unchanged")
PY
