#!/usr/bin/env bash
# pytorch-pretrained-biggan 0.1.1: batch norm statistics are interpolated over the truncation with the two weights exchanged.
#
# Packages: pytorch-pretrained-biggan 0.1.1, torch 2.14.1, numpy 2.4.6, scipy 1.17.1, boto3 1.44.8, requests 2.34.2,
#   tqdm 4.70.1.
# Why it surprises: the model stores statistics for 51 truncation values, 0, 0.02, ..., 1, and interpolates between neighbours.
#   The lower neighbour gets the weight of the upper one. Between two stored values the statistics move backwards and they jump
#   at each stored value, so a truncation sweep is not smooth. Some stored values are hit as well, through float division:
#   0.58 / 0.02 is slightly below 29, and 0.58 uses the statistics of 0.56; 0.56 uses those of 0.58. Truncation 1, 0.5 and 0.4
#   are exact, so a quick check passes.
#
# Output (Linux x86_64, CPU; the running mean stored for truncation t is set to t):
#   truncation 0.4: statistics of truncation 0.400
#   truncation 0.401: statistics of truncation 0.419
#   truncation 0.41: statistics of truncation 0.410
#   truncation 0.419: statistics of truncation 0.401
#   truncation 0.42: statistics of truncation 0.420
#   truncation 0.5: statistics of truncation 0.500
#   truncation 0.56: statistics of truncation 0.580
#   truncation 0.58: statistics of truncation 0.560
#   truncation 1.0: statistics of truncation 1.000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pytorch-pretrained-biggan==0.1.1 torch==2.14.1 numpy==2.4.6 \
    scipy==1.17.1 boto3==1.44.8 requests==2.34.2 tqdm==4.70.1
"$folder/venv/bin/python" - <<'PY'
import torch
from pytorch_pretrained_biggan.model import BigGANBatchNorm

norm = BigGANBatchNorm(num_features=1, conditional=False, eps=0.0)
with torch.no_grad():
    norm.weight.fill_(1)
    norm.bias.zero_()
    norm.running_vars.fill_(1)
    norm.running_means.copy_(torch.linspace(0, 1, 51)[:, None])
    used = {t: -norm(torch.zeros(1, 1, 1, 1), t).item() for t in (0.4, 0.401, 0.41, 0.419, 0.42, 0.5, 0.56, 0.58, 1.0)}
for truncation, mean in used.items():
    print(f"truncation {truncation}: statistics of truncation {mean:.3f}")
expected = {0.4: 0.4, 0.401: 0.419, 0.41: 0.41, 0.419: 0.401, 0.42: 0.42, 0.5: 0.5, 0.56: 0.58, 0.58: 0.56, 1.0: 1.0}
assert all(abs(used[t] - expected[t]) < 1e-5 for t in used), used
print("behaviour unchanged")
PY
