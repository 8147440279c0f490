#!/usr/bin/env bash
# torchgan 0.1.0: the WGAN-GP gradient penalty uses one norm over the whole batch instead of one norm per image.
#
# Packages: torchgan 0.1.0, torch 2.14.1, torchvision 0.29.1, numpy 2.4.6.
# Why it surprises: the penalty is meant to be 0 for a critic whose gradient has norm 1 at every image. Here a batch of N such
#   images has the joint norm sqrt(N), so the penalty is (sqrt(N) - 1)^2 and training pushes the gradient norm per image towards
#   1/sqrt(N): the Lipschitz constant that is enforced depends on the batch size. DraganGradientPenalty has the same norm.
#   A batch of one image gives the right value, so a test with one image passes.
#
# Output (Linux x86_64, CPU; a linear critic with gradient norm exactly 1):
#   batch of 1: torchgan 0, one norm per image 0
#   batch of 4: torchgan 1, one norm per image 0
#   batch of 16: torchgan 9, one norm per image 0
#   batch of 64: torchgan 49, one norm per image 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torchgan==0.1.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
from torchgan.losses import WassersteinGradientPenalty

torch.manual_seed(0)
weight = torch.nn.functional.normalize(torch.randn(3 * 8 * 8, dtype=torch.float64), dim=0)
penalties = {}
for batch in (1, 4, 16, 64):
    images = torch.randn(batch, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    logits = images.flatten(1) @ weight
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    per_image = (gradient.flatten(1).norm(dim=1) - 1).square().mean().item()
    penalties[batch] = WassersteinGradientPenalty()(images, logits).item()
    print(f"batch of {batch}: torchgan {round(penalties[batch], 6):g}, one norm per image {round(per_image, 6):g}")
    assert per_image < 1e-12
    assert abs(penalties[batch] - (batch**0.5 - 1) ** 2) < 1e-9, penalties
print("behaviour unchanged")
PY
