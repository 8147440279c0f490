"""``ganblocks sample``: images from a run folder, and nothing but the run folder."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from attrs import frozen

from ganblocks.cli.context import Context, say
from ganblocks.cli.output import printable
from ganblocks.errors import UsageError
from ganblocks.training.classes import also_meant, class_number
from ganblocks.training.pictures import save_grid, to_bytes
from ganblocks.training.runs import load
from ganblocks.training.sample_files import Drawn, folders_of, write_npz, write_pngs
from ganblocks.training.sampler import Sampler


@frozen(kw_only=True)
class EvaluationSettings:
    """Which samples a user wants."""

    n: int
    class_: str | None
    seed: int
    start: int
    truncation: float | None
    convention: str

    def words(self, sampler: Sampler, label: int | None) -> str:
        """What was drawn; a class by number and name."""
        names = sampler.image.class_names
        which = "" if label is None else f" of class {names[label]} (number {label})" if names else f" of class {label}"
        return printable(f"{self.n:,} samples{which}, {self.start:,} to {self.start + self.n - 1:,} of seed {self.seed}")


def sample(context: Context, run: Path, settings: EvaluationSettings, out: Path | None, to: Path | None, device: str) -> None:
    """Draw a grid, or with ``to`` images of their own size. Raises UsageError."""
    if out is not None and to is not None:
        raise UsageError(f"--out {out} is a grid, and --to {to} is every image by itself: give one of them")
    sampler = load(run, device, context.registry())
    label = None if settings.class_ is None else class_number(settings.class_, sampler.image)
    if settings.class_ is not None and label is not None and (words := also_meant(settings.class_, label, sampler.image)):
        say(printable(words))
    drawn = sampler.stream(
        settings.n, label, settings.seed, settings.truncation, convention=settings.convention, start=settings.start
    )
    words = settings.words(sampler, label)
    if to is None:
        write_grid(drawn, words, settings.n, _grid_place(run, out, settings, label, sampler))
    elif to.suffix.lower() == ".npz":
        write_one(drawn, words, settings, to, sampler)
    else:
        write_each(drawn, words, settings.start, to, sampler, label)


def write_grid(drawn: Drawn, words: str, n: int, path: Path) -> None:
    images = torch.cat([to_bytes(image) for image, _ in drawn])
    there, columns = path.exists(), math.ceil(math.sqrt(n))
    try:
        scale = save_grid(images, path, columns)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; name another file with --out") from error
    height, width = images.shape[2:]
    larger = f", enlarged {scale} times to be seen (--to FOLDER writes them as they are)" if scale > 1 else ""
    say(f"{words}, {height}×{width} pixels, {columns} to a row{larger}{_replaced(there)}")
    print(path)


def write_one(drawn: Drawn, words: str, settings: EvaluationSettings, path: Path, sampler: Sampler) -> None:
    _refuse(path, "--to")
    there = path.exists()
    try:
        write_npz(path, drawn, settings.n, settings.seed, settings.start, sampler.image.class_names)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; name another file with --to") from error
    say(f"{words}: images, labels, class_names, index and seed{_replaced(there)}")
    print(path)


def write_each(drawn: Drawn, words: str, start: int, folder: Path, sampler: Sampler, label: int | None) -> None:
    if folder.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError(f"--to {folder}: names a folder, or an npz; one picture of all is --out {folder.with_suffix('.png')}")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--to {folder}: is a file; name a folder, or a file that ends with .npz")
    image = sampler.image
    folders = folders_of(image.class_names, image.classes)
    write_pngs(folder, drawn, start, folders)
    for number, (name, place) in enumerate(zip(image.class_names, folders, strict=False)):
        if name != place and label in (None, number):
            say(printable(f"class {name} is in {folder / place}"))
    where = "a PNG each, in a folder for each class" if folders and label is None else "a PNG each"
    say(f"{words}, {where}")
    print(folder if label is None else folder / folders[label])


def _grid_place(run: Path, out: Path | None, settings: EvaluationSettings, label: int | None, sampler: Sampler) -> Path:
    """The PNG to write. Raises UsageError."""
    if out is None:
        image = sampler.image
        which = "all" if label is None else folders_of(image.class_names, image.classes)[label]
        return run / f"sample-{which}-seed{settings.seed}{f'-from{settings.start}' if settings.start else ''}.png"
    _refuse(out, "--out")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: is one PNG of all images: name it --out {out}.png; or --to {out} for a file of each")
    return out


def _refuse(path: Path, option: str) -> None:
    """Raises UsageError where no file can be written."""
    if path.is_dir():
        example = path / ("samples.npz" if option == "--to" else "sample.png")
        raise UsageError(f"{path}: is a folder; name the file to write, such as {option} {example}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")


def _replaced(there: bool) -> str:
    return "; it took the place of what was there" if there else ""
