#!/usr/bin/env bash
# torch 2.14.1: on a CPU, fused optimizers ignore strides. A channels_last weight is stepped with the wrong entries of a gradient,
# or of moments, that lie in memory in another order.
#
# Packages: torch 2.14.1, numpy 2.4.6.
# Why it surprises: the for-loop and foreach forms of the same optimizer give the right result for any strides, and torch
#   documents fused as a faster form of the same step. There is no error and no warning. Gradients from backward have the strides
#   of their weight, so that plain training works. It goes wrong where a gradient is assigned, for example an average over
#   workers, and after a resume where the optimizer's state comes from a file format that keeps no strides, such as safetensors:
#   load_state_dict accepts it, and every later Adam step divides by the moments of other weights. Whoever switches a
#   channels_last generator to fused=True loses exact resumption, and sees it only in the pictures.
#
# Output (Linux x86_64, CPU), largest difference from the for-loop form:
#   SGD, a gradient in the default format: foreach 0, fused 1.6
#   Adam, moments in the default format: foreach 0, fused 0.269
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch

LOOP = {"foreach": False, "fused": False}


def weight():
    torch.manual_seed(0)
    return torch.nn.Parameter(torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last))


def assigned_gradient(form):
    parameter = weight()
    optimizer = torch.optim.SGD([parameter], lr=0.1, **form)
    parameter.grad = torch.arange(parameter.numel()).view(parameter.shape).float()
    optimizer.step()
    return parameter.detach()


def moments_without_strides(form):
    parameter = weight()
    optimizer = torch.optim.Adam([parameter], lr=0.1, **form)
    for step in range(3):
        parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step)).to(
            memory_format=torch.channels_last
        )
        optimizer.step()
        state = optimizer.state_dict()
        state["state"] = {
            index: {name: value.contiguous() for name, value in kept.items()} for index, kept in state["state"].items()
        }
        optimizer.load_state_dict(state)
    return parameter.detach()


def difference(use, form):
    return (use({form: True}) - use(LOOP)).abs().max().item()


gradient = {form: difference(assigned_gradient, form) for form in ("foreach", "fused")}
moments = {form: difference(moments_without_strides, form) for form in ("foreach", "fused")}
print(f"SGD, a gradient in the default format: foreach {gradient['foreach']:.3g}, fused {gradient['fused']:.3g}")
print(f"Adam, moments in the default format: foreach {moments['foreach']:.3g}, fused {moments['fused']:.3g}")
assert gradient["foreach"] < 1e-5 and gradient["fused"] > 1, gradient
assert moments["foreach"] < 1e-5 and moments["fused"] > 0.01, moments
print("behaviour unchanged")
PY
