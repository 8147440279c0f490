#!/usr/bin/env bash
# torch-mimicry 0.1.16: SNLinear, SNConv2d and SNEmbedding each name two different layers, and the 32-pixel cGAN-PD
# discriminator mixes both kinds of spectral normalization.
#
# Packages: torch-mimicry 0.1.16 (source distribution), torch 2.14.1, numpy 2.4.6.
# Why it surprises: torch_mimicry.modules.layers wraps torch.nn.utils.spectral_norm; torch_mimicry.modules.spectral_norm has
#   its own power iteration and buffers (sn_u, sn_sigma). torch_mimicry.modules re-exports both under the same names, so the
#   import path decides which layer is built. The 32-pixel network imports its convolutions from one and its output layers from
#   the other; the 128-pixel network uses only torch's. The state dict keys differ, so weights do not transfer between them.
#
# Output (Linux x86_64, CPU):
#   cGAN-PD discriminator, 32 pixels: 10 layers use torch's spectral norm, 2 use torch-mimicry's own: l5, l_y
#   cGAN-PD discriminator, 128 pixels: 19 layers use torch's spectral norm, 0 use torch-mimicry's own
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
import importlib
import sys
import types

# An empty stand-in for the top-level package: its own __init__ imports the trainer and the metrics, which are not needed here.
package = types.ModuleType("torch_mimicry")
package.__path__ = ["torch_mimicry"]
sys.modules["torch_mimicry"] = package
counts = {}
for size in (32, 128):
    module = importlib.import_module(f"torch_mimicry.nets.cgan_pd.cgan_pd_{size}")
    keys = list(getattr(module, f"CGANPDDiscriminator{size}")(num_classes=10, ndf=64).state_dict())
    own = sorted(key.removesuffix(".sn_u") for key in keys if key.endswith(".sn_u"))
    torchs = sum(key.endswith(".weight_u") for key in keys)
    counts[size] = (torchs, len(own))
    names = f": {', '.join(own)}" if own else ""
    print(f"cGAN-PD discriminator, {size} pixels: {torchs} layers use torch's spectral norm, "
          f"{len(own)} use torch-mimicry's own{names}")
assert counts[32][0] > 0 and counts[32][1] > 0, counts
assert counts[128][0] > 0 and counts[128][1] == 0, counts
print("behaviour unchanged")
PY
