#!/usr/bin/env bash
# torch 2.14.1: inside one autocast block, a network keeps using the weights it had at its first forward pass, even after
# optimizer.step() or an in-place copy of EMA weights.
#
# Packages: torch 2.14.1, numpy 2.4.6.
# Why it surprises: autocast caches the low-precision copy of each float32 weight until the outermost block ends, and an
#   in-place update of the weight does not invalidate the copy. A classifier has one forward pass per step and never notices.
#   A GAN step has two: if the discriminator and the generator step share one block, the generator is trained against the
#   discriminator from before its update. Samples "with EMA weights" in the same block are drawn with the old weights. There
#   is no warning, and the float32 parameters themselves are updated. cache_enabled=False avoids it.
#
# Output (Linux x86_64, CPU, bfloat16):
#   discriminator logit, one autocast block: -0.377 before its step, -0.377 after
#   discriminator logit, cache disabled: -0.377 before its step, -7.34 after
#   generator output change when EMA weights are copied in: 0 in one autocast block, 1.76 with the cache disabled
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch


def autocast(cache):
    return torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=cache)


def discriminator_step(cache):
    torch.manual_seed(0)
    discriminator, x = torch.nn.Linear(8, 1), torch.randn(4, 8)
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=1.0)
    with autocast(cache):
        before = discriminator(x)
        before.sum().backward()
        optimizer.step()
        after = discriminator(x)
    return before[0].item(), after[0].item()


@torch.no_grad()
def ema_swap(cache):
    torch.manual_seed(0)
    generator, ema, z = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8), torch.randn(4, 8)
    with autocast(cache):
        before = generator(z)
        generator.load_state_dict(ema.state_dict())
        return (generator(z) - before).abs().max().item()


cached, uncached = discriminator_step(True), discriminator_step(False)
print(f"discriminator logit, one autocast block: {cached[0]:.3g} before its step, {cached[1]:.3g} after")
print(f"discriminator logit, cache disabled: {uncached[0]:.3g} before its step, {uncached[1]:.3g} after")
swap = ema_swap(True), ema_swap(False)
print("generator output change when EMA weights are copied in: "
      f"{swap[0]:.3g} in one autocast block, {swap[1]:.3g} with the cache disabled")
assert cached[0] == cached[1] and uncached[0] - uncached[1] > 1, (cached, uncached)
assert swap[0] == 0 and swap[1] > 0.1, swap
print("behaviour unchanged")
PY
