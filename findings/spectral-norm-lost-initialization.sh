#!/usr/bin/env bash
# torch 2.14.1: initializing layer.weight has no effect under parametrizations.spectral_norm. Under the older
# torch.nn.utils.spectral_norm it works, but only until the first forward pass.
#
# Packages: torch 2.14.1, numpy 2.4.6.
# Why it surprises: DCGAN and BigGAN code initializes a finished network with `net.apply(init)`, where init writes to
#   module.weight. With the parametrization, module.weight is a new tensor computed on each access, so the write is lost without
#   an error. With the older function, module.weight shares memory with the real parameter until the first forward pass replaces
#   it. Moving from the older function to the newer one, as its documentation asks, silently switches the initialization off.
#   Each access to module.weight in training mode also runs a power iteration, so logging a weight norm changes the buffers.
#
# Output (Linux x86_64, CPU):
#   torch.nn.utils.spectral_norm, new layer: initialization applied
#   torch.nn.utils.spectral_norm, after a forward pass: initialization lost
#   parametrizations.spectral_norm, new layer: initialization lost
#   parametrizations.spectral_norm, after a forward pass: initialization lost
#   parametrizations.spectral_norm: reading layer.weight changed the buffer _u
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
from torch import nn

WRAPPERS = {
    "torch.nn.utils.spectral_norm": (nn.utils.spectral_norm, "weight_orig"),
    "parametrizations.spectral_norm": (nn.utils.parametrizations.spectral_norm, "parametrizations.weight.original"),
}
applied = []
for name, (wrap, key) in WRAPPERS.items():
    for forward in (False, True):
        torch.manual_seed(0)
        layer = wrap(nn.Linear(64, 64))
        if forward:
            layer(torch.randn(2, 64))
        before = layer.state_dict()[key].clone()
        nn.init.orthogonal_(layer.weight.data)
        applied.append(not torch.equal(before, layer.state_dict()[key]))
        print(f"{name}, {'after a forward pass' if forward else 'new layer'}: "
              f"initialization {'applied' if applied[-1] else 'lost'}")
u = layer.parametrizations.weight[0]._u
before = u.clone()
layer.weight
changed = not torch.equal(before, u)
print(f"parametrizations.spectral_norm: reading layer.weight {'changed' if changed else 'kept'} the buffer _u")
assert applied == [True, False, False, False], applied
assert changed
print("behaviour unchanged")
PY
