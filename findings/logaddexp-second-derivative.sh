#!/usr/bin/env bash
# torch 2.14.1: the second derivative of logaddexp(t, 0) is NaN where t is far below 0, though value and slope are right (both 0).
#
# log(1 + exp(t)) is the logistic loss. torch.nn.functional.softplus is linear above 20, so logaddexp suggests itself as the exact
# form. A gradient of its gradient (gradient penalties, consensus optimisation) is NaN from t = -90 in float32 on, where a
# discriminator that is sure of itself easily gets.
#
# Seen with torch 2.14.1 on Linux x86_64, processor, float32:
#   t = 100: value 100, slope 1, second derivative 3.78351e-44
#   t = -80: value 1.80485e-35, slope 1.80485e-35, second derivative 1.80485e-35
#   t = -100: value 3.78351e-44, slope 0, second derivative nan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy
"$folder/venv/bin/python" - <<'PY'
import torch

seen = {}
for at in (100.0, -80.0, -100.0):
    t = torch.tensor(at, requires_grad=True)
    value = torch.logaddexp(t, torch.zeros_like(t))
    (slope,) = torch.autograd.grad(value, t, create_graph=True)
    (second,) = torch.autograd.grad(slope, t)
    print(f"t = {at:g}: value {value.item():g}, slope {slope.item():g}, second derivative {second.item():g}")
    seen[at] = second.item()
assert 0 <= seen[100.0] < 1e-40, seen
assert 1e-35 < seen[-80.0] < 2e-35, seen
assert seen[-100.0] != seen[-100.0], seen
print(f"torch {torch.__version__}: as described")
PY
