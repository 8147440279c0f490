"""Where ``ganblocks sample`` writes, and in which words it says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ganblocks.cli.commands import SampleOptions
from ganblocks.cli.context import say
from ganblocks.cli.output import printable
from ganblocks.errors import UsageError
from ganblocks.training.classes import also_meant, class_number
from ganblocks.training.pictures import ANIMATIONS
from ganblocks.training.sample_files import folders_of
from ganblocks.values import ImageSpec

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


def chosen_class(text: str | None, image: ImageSpec) -> int | None:
    """Return the number of the class that a user means, and say if another could be meant. Raise UsageError."""
    if text is None:
        return None
    label = class_number(text, image)
    if note := also_meant(text, label, image):
        say(printable(note))
    return label


def class_in_words(label: int, image: ImageSpec) -> str:
    """Return a class by number and name."""
    names = image.class_names
    return f"class {names[label]} (number {label})" if names else f"class {label}"


def samples_in_words(n: int, options: SampleOptions, label: int | None, image: ImageSpec) -> str:
    """Return what was drawn; a class by number and name."""
    first, of_class = options.start, "" if label is None else f" of {class_in_words(label, image)}"
    return printable(f"{n:,} samples{of_class}, {first:,} to {first + n - 1:,} of seed {options.seed}")


def picture_path(options: SampleOptions, what: str, labels: Sequence[int], image: ImageSpec) -> Path:
    """Return the picture to write: --out, or a PNG in the run folder named after what it is and its classes.

    Raises:
        UsageError: it cannot be written, or has no suffix of such a picture.

    """
    if options.out is None:
        folders, start = folders_of(image.class_names, image.classes), f"-from{options.start}" if options.start else ""
        name = "-to-".join(folders[label] for label in labels) or "all"
        return options.run / f"{what}-{name}-seed{options.seed}{start}.png"
    refuse_path(options.out, "--out")
    suffix = options.out.suffix.lower()
    if suffix != ".png" and not (what == "walk" and suffix in ANIMATIONS):
        raise UsageError(f"--out {options.out}: {_rule(options.out, what)}")
    return options.out


def _rule(out: Path, what: str) -> str:
    """Return which pictures there are."""
    if what == "walk":
        kinds = f"a strip, --out {out.with_suffix('.png')}, or an animation, --out {out.with_suffix('.webp')} (or .gif)"
        return f"a walk is {kinds}; or --to {out.with_suffix('')} for a PNG of each image"
    if out.suffix.lower() in ANIMATIONS:
        return f"an animation shows a walk: add --interpolate 24; or name a PNG of all images, --out {out.with_suffix('.png')}"
    single = f"; or --to {out} for a file of each" if what == "sample" else ""
    return f"is one PNG of all images: name it --out {out}.png{single}"


def refuse_path(path: Path, option: str) -> None:
    """Raise UsageError if the file cannot be written."""
    if path.is_dir():
        example = path / ("samples.npz" if option == "--to" else "sample.png")
        raise UsageError(f"{path}: is a folder; name the file to write, such as {option} {example}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")


def refuse_folder(folder: Path) -> None:
    """Raise UsageError if single images cannot be written to it."""
    if folder.suffix.lower() in PICTURES:
        picture = folder.with_suffix(".png")
        raise UsageError(f"--to {folder}: takes a folder or an npz; for one picture of all give --out {picture}")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--to {folder}: is a file; name a folder, or a file that ends with .npz")


@contextmanager
def written(path: Path, option: str) -> Iterator[None]:
    """Within the block, a file that cannot be written is a UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; name another file with {option}") from error


def replaced(path: Path) -> str:
    """Return a note if a file will be replaced; else empty."""
    return "; it replaced an existing file" if path.exists() else ""


def enlarged(scale: int, own_size: bool = True) -> str:
    """Return by how much images are enlarged, and how to have them in their own size; empty if they are not."""
    hint = " (--to FOLDER writes them in their own size)" if own_size else ""
    return f", enlarged {scale} times{hint}" if scale > 1 else ""
