#!/usr/bin/env bash
# torchgan 0.1.0: SelfAttention2d normalizes its attention map over the wrong axis.
#
# Packages: torchgan 0.1.0, torch 2.14.1, torchvision 0.29.1, numpy 2.4.6.
# Why it surprises: in SAGAN every output pixel is a weighted average of the values, with weights that sum to 1. Here the
#   softmax runs over the querying pixels and the sum over the attended ones. Each attended pixel hands out a total weight of
#   1, and an output pixel can receive almost none or many times that. With all values equal to 1, the attention output should
#   be 1 everywhere. Its mean over the image is 1, its shape is right, and gamma starts at 0, so nothing points at the layer.
#
# Output (Linux x86_64, CPU; 8 x 8 feature map, all values equal to 1):
#   attention output per pixel: min 0.117, max 30.8, mean 1
#   weights received by a query sum to 0.117 to 30.8, weights given by a key to 1 to 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    torchgan==0.1.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
from torchgan.layers import SelfAttention2d

torch.manual_seed(0)
layer = SelfAttention2d(8, return_attn=True)
with torch.no_grad():
    layer.gamma.fill_(1)
    layer.query.weight.mul_(5)
    layer.key.weight.mul_(5)
    layer.value.weight.zero_()
    layer.value.bias.fill_(1)
    x = torch.randn(1, 8, 8, 8)
    output, attention = layer(x)
attended = (output - x).flatten()
print(f"attention output per pixel: min {attended.min():.3g}, max {attended.max():.3g}, mean {attended.mean():.3g}")
keys, queries = attention.sum(1), attention.sum(2)
print(f"weights received by a query sum to {keys.min():.3g} to {keys.max():.3g}, "
      f"weights given by a key to {queries.min():.3g} to {queries.max():.3g}")
assert attended.min() < 0.5 and attended.max() > 5 and abs(attended.mean() - 1) < 1e-4, attended
assert (queries - 1).abs().max() < 1e-4
print("behaviour unchanged")
PY
