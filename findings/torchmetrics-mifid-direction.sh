#!/usr/bin/env bash
# torchmetrics 1.9.0: MemorizationInformedFrechetInceptionDistance measures memorization in the wrong direction. It averages
# the distance to the nearest fake over the real images, so a generator that repeats a few training images is not penalized.
#
# Packages: torchmetrics 1.9.0, torch 2.14.1, numpy 2.4.6.
# Why it surprises: MiFID (Bai et al. 2021, arXiv:2106.03062, and its published scoring code) averages over the generated images
#   the distance to the nearest training image, and divides FID by it. In torchmetrics the roles are swapped: copies of 10 % of
#   the training set leave 90 % of the real images without a near copy, and the penalty is off. FID alone is the result.
#   Calling update() with real= inverted gives the published metric, because FID is symmetric.
#
# Output (Linux x86_64, CPU; 1000 real and 1000 fake Gaussian features, 64 dimensions):
#   independent fakes: MiFID 2.17 as documented, 2.17 with real and fake swapped
#   fakes are near copies of 100 real images: MiFID 11 as documented, 2.15e+05 with real and fake swapped
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import torch
from torchmetrics.image.mifid import MemorizationInformedFrechetInceptionDistance


class Features(torch.nn.Module):
    num_features = 64

    def forward(self, x):
        return x


def mifid(real, fake):
    metric = MemorizationInformedFrechetInceptionDistance(feature=Features(), normalize=True)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric.compute().item()


generator = torch.Generator().manual_seed(0)
real, new, noise = torch.randn(3, 1000, 64, generator=generator)
fakes = {
    "independent fakes": new,
    "fakes are near copies of 100 real images": real[:100].repeat(10, 1) + 0.01 * noise,
}
scores = {name: (mifid(real, fake), mifid(fake, real)) for name, fake in fakes.items()}
for name, (documented, swapped) in scores.items():
    print(f"{name}: MiFID {documented:.3g} as documented, {swapped:.3g} with real and fake swapped")
independent, copies = scores.values()
assert abs(independent[0] / independent[1] - 1) < 1e-3, scores
assert copies[0] < 100 and copies[1] > 1e4, scores
print("behaviour unchanged")
PY
