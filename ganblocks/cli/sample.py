"""``ganblocks sample``: draw images from a run folder."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from ganblocks.cli.commands import SampleOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import printable
from ganblocks.cli.sample_output import (
    chosen_class,
    enlarged,
    picture_path,
    refuse_folder,
    refuse_path,
    replaced,
    samples_in_words,
    written,
)
from ganblocks.cli.sweep import draw_sweep, truncations_of
from ganblocks.cli.walk import draw_walk, refuse_unclear_walk
from ganblocks.errors import UsageError
from ganblocks.training.pictures import save_grid, to_bytes
from ganblocks.training.run import Run
from ganblocks.training.sample_files import Drawn, folders_of, write_npz, write_pngs
from ganblocks.training.sampler import Sampler

SAMPLES = 64
"""Samples of a grid, of a folder or of an npz."""


def sample(context: Context, options: SampleOptions) -> None:
    """Draw a grid, or with ``to`` single images; or a walk, or a sweep. Raise UsageError."""
    _refuse_conflicts(options)
    sampler = Run.open(options.run, context.registry()).sampler(options.device)
    label = chosen_class(options.class_, sampler.image)
    if options.sweep is not None:
        draw_sweep(sampler, options, truncations_of(options.sweep), label)
    elif options.interpolate is not None:
        draw_walk(sampler, options, options.interpolate, label)
    else:
        _draw_samples(sampler, options, options.n or SAMPLES, label)


def _refuse_conflicts(options: SampleOptions) -> None:
    """Raise UsageError if two options exclude each other."""
    if options.out is not None and options.to is not None:
        one_picture = "several images in one picture" if options.sweep or options.interpolate else "a grid"
        raise UsageError(f"--out {options.out} is {one_picture}, and --to {options.to} is single images: give one of them")
    if options.sweep is not None:
        if options.interpolate is not None or options.to_class is not None:
            raise UsageError("a sweep goes through truncations, and a walk through samples: give --sweep or --interpolate")
        if options.truncation is not None:
            raise UsageError(f"--sweep {options.sweep} gives the truncations itself: leave --truncation out")
        if options.to is not None:
            hint = f"give --out FILE.png, or for single images --truncation T --to {options.to}"
            raise UsageError(f"--to {options.to}: a sweep is one picture; {hint}")
    refuse_unclear_walk(options)


def _draw_samples(sampler: Sampler, options: SampleOptions, n: int, label: int | None) -> None:
    """Draw a grid, single images, or an npz. Raise UsageError."""
    drawn = sampler.stream(n, label, options.seed, options.truncation, convention=options.truncation_by, start=options.start)
    summary = samples_in_words(n, options, label, sampler.image)
    if options.to is None:
        write_grid(drawn, summary, n, picture_path(options, "sample", [] if label is None else [label], sampler.image))
    elif options.to.suffix.lower() == ".npz":
        write_one(drawn, summary, n, options, options.to, sampler)
    else:
        write_each(drawn, summary, options.start, options.to, sampler, label)


def write_grid(drawn: Drawn, summary: str, n: int, path: Path) -> None:
    """Write all samples as one PNG. Raise UsageError."""
    images = torch.cat([to_bytes(image) for image, _ in drawn])
    note, columns = replaced(path), math.ceil(math.sqrt(n))
    with written(path, "--out"):
        scale = save_grid(images, path, columns)
    height, width = images.shape[2:]
    say(f"{summary}, {height}×{width} pixels, {columns} per row{enlarged(scale)}{note}")
    print(path)


def write_one(drawn: Drawn, summary: str, n: int, options: SampleOptions, path: Path, sampler: Sampler) -> None:
    """Write all samples as one npz. Raise UsageError."""
    refuse_path(path, "--to")
    note = replaced(path)
    with written(path, "--to"):
        write_npz(path, drawn, n, options.seed, options.start, sampler.image.class_names)
    say(f"{summary}: images, labels, class_names, index and seed{note}")
    print(path)


def write_each(drawn: Drawn, summary: str, start: int, folder: Path, sampler: Sampler, label: int | None) -> None:
    """Write a PNG for each sample, in a folder per class. Raise UsageError."""
    refuse_folder(folder)
    image = sampler.image
    folders = folders_of(image.class_names, image.classes)
    write_pngs(folder, drawn, start, folders)
    for number, (name, subfolder) in enumerate(zip(image.class_names, folders, strict=False)):
        if name != subfolder and label in (None, number):
            say(printable(f"class {name} is in {folder / subfolder}"))
    files = "a PNG each, in a folder for each class" if folders and label is None else "a PNG each"
    say(f"{summary}, {files}")
    print(folder if label is None else folder / folders[label])
