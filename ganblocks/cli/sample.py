"""``ganblocks sample``: draw images from a run folder."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from ganblocks.cli.commands import SampleOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import printable
from ganblocks.errors import UsageError
from ganblocks.training.classes import also_meant, class_number
from ganblocks.training.pictures import save_grid, to_bytes
from ganblocks.training.run import Run
from ganblocks.training.sample_files import Drawn, folders_of, write_npz, write_pngs
from ganblocks.training.sampler import Sampler


def sample(context: Context, options: SampleOptions) -> None:
    """Draw a grid, or with ``to`` single images. Raise UsageError."""
    if options.out is not None and options.to is not None:
        raise UsageError(f"--out {options.out} is a grid, and --to {options.to} is single images: give one of them")
    sampler = Run.open(options.run, context.registry()).sampler(options.device)
    label = None if options.class_ is None else class_number(options.class_, sampler.image)
    if options.class_ is not None and label is not None and (note := also_meant(options.class_, label, sampler.image)):
        say(printable(note))
    drawn = sampler.stream(
        options.n, label, options.seed, options.truncation, convention=options.truncation_by, start=options.start
    )
    summary = _summary(options, sampler, label)
    if options.to is None:
        write_grid(drawn, summary, options.n, _grid_path(options, label, sampler))
    elif options.to.suffix.lower() == ".npz":
        write_one(drawn, summary, options, options.to, sampler)
    else:
        write_each(drawn, summary, options.start, options.to, sampler, label)


def _summary(options: SampleOptions, sampler: Sampler, label: int | None) -> str:
    """What was drawn; a class by number and name."""
    names, first = sampler.image.class_names, options.start
    of_class = "" if label is None else f" of class {names[label]} (number {label})" if names else f" of class {label}"
    return printable(f"{options.n:,} samples{of_class}, {first:,} to {first + options.n - 1:,} of seed {options.seed}")


def write_grid(drawn: Drawn, summary: str, n: int, path: Path) -> None:
    """Write all samples as one PNG. Raise UsageError."""
    images = torch.cat([to_bytes(image) for image, _ in drawn])
    note, columns = _replaced(path), math.ceil(math.sqrt(n))
    try:
        scale = save_grid(images, path, columns)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; name another file with --out") from error
    height, width = images.shape[2:]
    enlarged = f", enlarged {scale} times (--to FOLDER writes them in their own size)" if scale > 1 else ""
    say(f"{summary}, {height}×{width} pixels, {columns} per row{enlarged}{note}")
    print(path)


def write_one(drawn: Drawn, summary: str, options: SampleOptions, path: Path, sampler: Sampler) -> None:
    """Write all samples as one npz. Raise UsageError."""
    _refuse(path, "--to")
    note = _replaced(path)
    try:
        write_npz(path, drawn, options.n, options.seed, options.start, sampler.image.class_names)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}; name another file with --to") from error
    say(f"{summary}: images, labels, class_names, index and seed{note}")
    print(path)


def write_each(drawn: Drawn, summary: str, start: int, folder: Path, sampler: Sampler, label: int | None) -> None:
    """Write a PNG for each sample, in a folder per class. Raise UsageError."""
    if folder.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError(
            f"--to {folder}: takes a folder or an npz; for one picture of all give --out {folder.with_suffix('.png')}"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--to {folder}: is a file; name a folder, or a file that ends with .npz")
    image = sampler.image
    folders = folders_of(image.class_names, image.classes)
    write_pngs(folder, drawn, start, folders)
    for number, (name, subfolder) in enumerate(zip(image.class_names, folders, strict=False)):
        if name != subfolder and label in (None, number):
            say(printable(f"class {name} is in {folder / subfolder}"))
    files = "a PNG each, in a folder for each class" if folders and label is None else "a PNG each"
    say(f"{summary}, {files}")
    print(folder if label is None else folder / folders[label])


def _grid_path(options: SampleOptions, label: int | None, sampler: Sampler) -> Path:
    """Return the PNG to write. Raise UsageError."""
    if options.out is None:
        image, start = sampler.image, f"-from{options.start}" if options.start else ""
        name = "all" if label is None else folders_of(image.class_names, image.classes)[label]
        return options.run / f"sample-{name}-seed{options.seed}{start}.png"
    _refuse(options.out, "--out")
    if options.out.suffix.lower() != ".png":
        rule = f"is one PNG of all images: name it --out {options.out}.png; or --to {options.out} for a file of each"
        raise UsageError(f"--out {options.out}: {rule}")
    return options.out


def _refuse(path: Path, option: str) -> None:
    """Raise UsageError if the file cannot be written."""
    if path.is_dir():
        example = path / ("samples.npz" if option == "--to" else "sample.png")
        raise UsageError(f"{path}: is a folder; name the file to write, such as {option} {example}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; make it first")


def _replaced(path: Path) -> str:
    return "; it replaced an existing file" if path.exists() else ""
