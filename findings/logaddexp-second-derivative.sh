#!/usr/bin/env bash
# torch 2.14.1: the second derivative of logaddexp(t, 0) is NaN where t is large, though value and slope are exact.
#
# log(1 + exp(t)) is the logistic loss. torch.nn.functional.softplus is linear above 20, so logaddexp suggests itself as the exact
# form. Its gradient is right everywhere; a gradient of that gradient (gradient penalties, consensus optimisation) is not.
#
# Seen with torch 2.14.1 on Linux x86_64, processor:
#   t = 50: value 50, slope 1, second derivative 1.92875e-22
#   t = 800: value 800, slope 1, second derivative nan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy
"$folder/venv/bin/python" - <<'PY'
import torch

seen = []
for at in (50.0, 800.0):
    t = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    value = torch.logaddexp(t, torch.zeros_like(t))
    (slope,) = torch.autograd.grad(value, t, create_graph=True)
    (second,) = torch.autograd.grad(slope, t)
    print(f"t = {at:g}: value {value:g}, slope {slope:g}, second derivative {second:g}")
    seen.append((float(value), float(slope), float(second)))
(low, high) = seen
assert low[:2] == (50.0, 1.0) and 0 < low[2] < 1e-20, low
assert high[:2] == (800.0, 1.0) and high[2] != high[2], high
print(f"torch {torch.__version__}: as described")
PY
