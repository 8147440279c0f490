#!/usr/bin/env bash
# torch-mimicry 0.1.16: SNLinear is two different layers, and cGAN-PD at 32 pixels uses both kinds of spectral norm in one network.
#
# torch_mimicry.modules.layers defines SNConv2d, SNLinear and SNEmbedding as torch's own spectral norm around a layer;
# torch_mimicry.modules.spectral_norm defines classes of the same three names with buffers and a power iteration of their own.
# torch_mimicry.modules imports both with *, the second last, so which one a network gets depends on the path of its import. Networks of
# 48, 64 and 128 pixels import from modules.layers; cgan_pd_32 and ssgan_32 take their last linear layers from modules, while their convolutions come
# from modules.layers. The weights of one kind do not load into the other.
#
# Seen with torch-mimicry 0.1.16 and torch 2.14.1 on Linux x86_64 (its top-level import fails there, so that it is left out):
#   cGAN-PD at 32 pixels: 2 layers with mimicry's spectral norm ['l5.sn_u', 'l_y.sn_u'], 10 with torch's
#   cGAN-PD at 128 pixels: 0 layers with mimicry's spectral norm [], 19 with torch's
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy setuptools wheel
"$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: \
    --dest "$folder" torch-mimicry==0.1.16
tar -xzf "$folder"/torch*mimicry-0.1.16.tar.gz -C "$folder"
cd "$folder"/torch*mimicry-0.1.16
"$folder/venv/bin/python" - <<'PY'
import importlib
import sys
import types

package = types.ModuleType("torch_mimicry")
package.__path__ = ["torch_mimicry"]
sys.modules["torch_mimicry"] = package
kinds = {}
for size in (32, 128):
    module = importlib.import_module(f"torch_mimicry.nets.cgan_pd.cgan_pd_{size}")
    network = getattr(module, f"CGANPDDiscriminator{size}")(num_classes=10, ndf=64)
    names = list(network.state_dict())
    own = sorted(name for name in names if name.endswith("sn_u"))
    torchs = sorted(name for name in names if name.endswith("weight_u"))
    kinds[size] = (len(own), len(torchs))
    print(f"cGAN-PD at {size} pixels: {len(own)} layers with mimicry's spectral norm {own}, {len(torchs)} with torch's")
assert kinds[32][0] > 0 and kinds[32][1] > 0, kinds
assert kinds[128][0] == 0 and kinds[128][1] > 0, kinds
print("as described")
PY
