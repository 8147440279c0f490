#!/usr/bin/env bash
# torch-mimicry 0.1.16: in the discriminator's residual blocks the shortcut receives relu(x), not x.
#
# Packages: torch-mimicry 0.1.16 (source distribution), torch 2.14.1, numpy 2.4.6.
# Why it surprises: the block is written as residual(x) + shortcut(x), and the residual branch starts with an in-place ReLU.
#   Python evaluates the residual branch first, so the ReLU overwrites x before the shortcut reads it. The SNGAN architecture
#   that the package follows sends the raw x through the shortcut. A port of the weights, or a rewrite of the same block
#   with an out-of-place ReLU, gives different logits. The caller's tensor is overwritten too.
#
# Output (Linux x86_64, CPU):
#   block with identity shortcut: max |output - (residual + x)| = 3.82, max |output - (residual + relu(x))| = 0
#   the caller's input has 4136 negative values before the call and 0 after it
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6 setuptools==84.2.1
"$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: \
    --dest "$folder" torch-mimicry==0.1.16
tar -xzf "$folder"/torch_mimicry-0.1.16.tar.gz -C "$folder"
cd "$folder"/torch_mimicry-0.1.16
"$folder/venv/bin/python" - <<'PY'
import sys
import types

import torch

# An empty stand-in for the top-level package: its own __init__ imports the trainer and the metrics, which are not needed here.
package = types.ModuleType("torch_mimicry")
package.__path__ = ["torch_mimicry"]
sys.modules["torch_mimicry"] = package
from torch_mimicry.modules.resblocks import DBlock

torch.manual_seed(0)
block = DBlock(16, 16, downsample=False, spectral_norm=False).eval()
x = torch.randn(8, 16, 8, 8)
with torch.no_grad():
    residual = block.c2(block.c1(x.relu()).relu())
    argument = x.clone()
    output = block(argument)
raw = (output - (residual + x)).abs().max().item()
activated = (output - (residual + x.relu())).abs().max().item()
print(f"block with identity shortcut: max |output - (residual + x)| = {raw:.3g}, "
      f"max |output - (residual + relu(x))| = {activated:.3g}")
before, after = (x < 0).sum().item(), (argument < 0).sum().item()
print(f"the caller's input has {before} negative values before the call and {after} after it")
assert raw > 1 and activated < 1e-5, (raw, activated)
assert before > 0 and after == 0, (before, after)
print("behaviour unchanged")
PY
