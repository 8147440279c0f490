#!/usr/bin/env bash
# torch-mimicry 0.1.16: SNLinear is two different layers, and cGAN-PD at 32 pixels uses both kinds of spectral norm in one network.
#
# torch_mimicry.modules.layers has SNConv2d and SNLinear around torch's own spectral norm; torch_mimicry.modules.spectral_norm has
# classes of the same names with a vector u alone, which take a power step in every forward, also in evaluation.
# torch_mimicry.modules imports both with *, so which one a module gets depends on the path of its import. Networks of 48, 64 and 128
# pixels import from modules.layers; cgan_pd_32 and ssgan_32 import some from modules. Weights saved by one do not load into the
# other, and a discriminator in eval() changes its buffers with every call.
#
# Seen with torch-mimicry 0.1.16 and torch 2.14.1 on Linux x86_64 (its top-level import fails there, so that its nets are loaded alone):
#   SEEN
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
import pathlib
import sys
import types

import torch

root = pathlib.Path("torch_mimicry")
for name in ("torch_mimicry", "torch_mimicry.nets", "torch_mimicry.nets.cgan_pd", "torch_mimicry.nets.dcgan"):
    package = types.ModuleType(name)
    package.__path__ = [str(root.parent / name.replace(".", "/"))]
    sys.modules[name] = package
sys.path.insert(0, ".")
modules = importlib.import_module("torch_mimicry.modules")
layers = importlib.import_module("torch_mimicry.modules.layers")
print("modules.SNLinear is modules.layers.SNLinear:", modules.SNLinear is layers.SNLinear)
assert modules.SNLinear is not layers.SNLinear
PY
