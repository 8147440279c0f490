#!/usr/bin/env bash
# torch 2.14.1: torch.logaddexp(t, 0) has a finite value and gradient everywhere, but its second derivative is NaN in float32
# once t is below about -90.
#
# Packages: torch 2.14.1, numpy 2.4.6.
# Why it surprises: log(1 + exp(t)) is the logistic GAN loss, and logaddexp is the usual stable way to write it. The loss and
#   its gradient stay finite, so nothing looks wrong until a gradient is differentiated again (gradient penalty, consensus
#   optimization, meta-learning). A confident discriminator reaches such logits early. softplus has no NaN here.
#
# Output (Linux x86_64, CPU, float32):
#   t = 100: value 100, gradient 1, second derivative 3.78351e-44 (softplus: 0)
#   t = -80: value 1.80485e-35, gradient 1.80485e-35, second derivative 0 (softplus: 1.80485e-35)
#   t = -90: value 8.19401e-40, gradient 0, second derivative nan (softplus: 0)
#   t = -100: value 3.78351e-44, gradient 0, second derivative nan (softplus: 0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import math

import torch
from torch.nn.functional import softplus


def derivatives(function, at):
    t = torch.tensor(at, requires_grad=True)
    value = function(t)
    (gradient,) = torch.autograd.grad(value, t, create_graph=True)
    (second,) = torch.autograd.grad(gradient, t)
    return value.item(), gradient.item(), second.item()


seconds = {}
for at in (100.0, -80.0, -90.0, -100.0):
    value, gradient, second = derivatives(lambda t: torch.logaddexp(t, torch.zeros_like(t)), at)
    reference = derivatives(softplus, at)[2]
    print(f"t = {at:g}: value {value:g}, gradient {gradient:g}, second derivative {second:g} (softplus: {reference:g})")
    assert math.isfinite(value) and math.isfinite(gradient) and math.isfinite(reference)
    seconds[at] = second
assert math.isfinite(seconds[100.0]) and math.isfinite(seconds[-80.0]), seconds
assert math.isnan(seconds[-90.0]) and math.isnan(seconds[-100.0]), seconds
print("behaviour unchanged")
PY
