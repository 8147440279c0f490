"""``ganblocks sample``: images from a run folder, and nothing but the run folder."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
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
    out = out or run / f"sample-{'all' if label is None else label}-seed{seed}.png"
    if not out.parent.is_dir():
        raise UsageError(f"{out}: there is no folder {out.parent}")
    if out.is_dir():
        raise UsageError(f"{out}: is a folder; name the PNG to write, such as --out {out / 'sample.png'}")
    images = sampler.sample(n, label, seed, truncation, convention=convention)
    try:
        save_grid(images, out, columns=math.ceil(math.sqrt(n)))
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror}; name another file with --out") from error
    print(out)


def class_number(text: str, image: ImageSpec) -> int:
    """The class that a user means: by number, by its whole name, or by a part of it that no other has."""
    if not image.classes:
        raise UsageError(f"--class {text}: this generator has no classes; leave --class out")
    if re.fullmatch("-?[0-9]{1,18}", text):
        return int(text)
    found = _named(text, image.class_names)
    if len(found) != 1:
        known = ", ".join(f"{k} {name}" for k, name in enumerate(image.class_names)) or f"0 to {image.classes - 1}"
        raise UsageError(f"--class {text}: {'several classes have' if found else 'no class has'} that name; there are {known}")
    return found[0]


def _named(text: str, names: Sequence[str]) -> list[int]:
    """Those that are called so, or else those that are but for upper and lower case, or else those that have it in them."""
    exact = [k for k, name in enumerate(names) if name == text]
    alike = [k for k, name in enumerate(names) if name.lower() == text.lower()]
    return exact or alike or [k for k, name in enumerate(names) if text.lower() in name.lower()]
