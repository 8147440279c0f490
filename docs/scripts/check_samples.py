"""Check the samples of a finished run: do they show the class that was asked for, and do they differ from each other?

    python docs/scripts/check_samples.py runs/sagan

A small classifier is trained on the run's own training images (shifted by up to an eighth, and mirrored if the run's data are)
and then predicts the class of samples drawn evenly from all classes. Its accuracy on held-out real images is an upper bound for
samples. Diversity is the mean Euclidean distance between pairs of samples in pixels, divided by that between pairs of training
images of the same classes. Exit code 0: at least three times chance, and at least half the diversity of real images.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

import ganblocks
from ganblocks.batches import from_bytes

CPU = torch.device("cpu")


def classifier(channels: int, classes: int, width: int = 32) -> nn.Module:
    """Return a classifier of four convolutions and global average pooling: about 0.2 million parameters."""

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]

    widths = [channels, width, 2 * width, 3 * width, 4 * width]
    layers = [layer for pair in pairwise(widths) for layer in block(*pair)]
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * width, classes))


def shifted(image: Tensor, rng: torch.Generator) -> Tensor:
    """Return images [B, C, H, W] shifted by up to an eighth of their side, the same for the whole batch."""
    reach = image.shape[-1] // 8
    dx, dy = (int(torch.randint(-reach, reach + 1, (), generator=rng)) for _ in range(2))
    return torch.roll(image, (dy, dx), (2, 3))


def train(network: nn.Module, image: Tensor, label: Tensor, epochs: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
    steps = epochs * (len(image) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        index = torch.randint(len(image), (64,), generator=rng)
        loss = functional.cross_entropy(network(shifted(image[index], rng)), label[index], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


@torch.no_grad()
def accuracy(network: nn.Module, image: Tensor, label: Tensor) -> tuple[float, list[float]]:
    """Return the accuracy over all images and per class."""
    right = (network.eval()(image).argmax(1) == label).float()
    classes = int(label.max()) + 1
    return float(right.mean()), [float(right[label == k].mean()) for k in range(classes)]


def spread(image: Tensor) -> float:
    """Return the mean Euclidean distance between pairs of images [B, C, H, W]."""
    return float(functional.pdist(image.flatten(1)).mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--per-class", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)

    recipe = ganblocks.read_recipe(f"{options.run}/recipe.toml")
    data, spec = recipe.data.dataset.open(), recipe.data.dataset.describe()
    image, label = {}, {}
    for split, index in data.split.items():
        image[split], label[split] = from_bytes(data.read(index), CPU), data.labels[index]
    wanted = torch.arange(spec.classes).repeat_interleave(options.per_class)
    samples = ganblocks.load(options.run).sample(len(wanted), classes=wanted.tolist(), seed=options.seed)

    network = classifier(spec.channels, spec.classes)
    train(network, image["train"], label["train"], options.epochs, options.seed)
    real, _ = accuracy(network, image["held_out"], label["held_out"])
    fake, per_class = accuracy(network, samples, wanted)
    rng = torch.Generator().manual_seed(options.seed)
    pools = [torch.nonzero(label["train"] == k).flatten() for k in range(spec.classes)]
    same_classes = torch.cat([pool[torch.randint(len(pool), (options.per_class,), generator=rng)] for pool in pools])
    ratio = spread(samples) / spread(image["train"][same_classes])

    chance = 1 / spec.classes
    print(f"class of samples recovered: {fake:.1%} = {fake / chance:.2f} x chance (held-out real images: {real:.1%})")
    for name, share in zip(data.class_names or spec.class_names or map(str, range(spec.classes)), per_class, strict=True):
        print(f"  {name:24s} {share:.0%}")
    print(f"mean pairwise distance: {ratio:.2f} of real images'")
    return 0 if fake >= 3 * chance and ratio >= 0.5 else 1


if __name__ == "__main__":
    sys.exit(main())
