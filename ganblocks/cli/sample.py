"""``ganblocks sample``: images from a run folder, and nothing but the run folder."""

from __future__ import annotations

import math
from pathlib import Path

from ganblocks.cli.context import Context
from ganblocks.errors import UsageError
from ganblocks.training.pictures import save_grid
from ganblocks.training.runs import load
from ganblocks.values import ImageSpec


def sample(
    context: Context,
    run: Path,
    n: int,
    class_: str | None,
    seed: int,
    truncation: float | None,
    convention: str,
    out: Path | None,
    device: str,
) -> None:
    sampler = load(run, device, context.registry())
    label = None if class_ is None else class_number(class_, sampler.image)
    images = sampler.sample(n, label, seed, truncation, convention=convention)
    out = out or run / f"sample-{'all' if label is None else label}-seed{seed}.png"
    if not out.parent.is_dir():
        raise UsageError(f"{out}: there is no folder {out.parent}")
    save_grid(images, out, columns=math.ceil(math.sqrt(n)))
    print(out)


def class_number(text: str, image: ImageSpec) -> int:
    """The class that a user means, by number or by name."""
    if text.lstrip("-").isdigit():
        return int(text)
    matches = [k for k, name in enumerate(image.class_names) if text.lower() in name.lower()]
    if len(matches) != 1:
        known = ", ".join(f"{k} {name}" for k, name in enumerate(image.class_names)) or f"0 to {image.classes - 1}"
        raise UsageError(
            f"--class {text}: {'several classes have' if matches else 'no class has'} that name; there are {known}"
        )
    return matches[0]
