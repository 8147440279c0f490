"""``ganblocks sample --interpolate``: images between samples, as a strip, an animation or single files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ganblocks.cli.commands import SampleOptions
from ganblocks.cli.context import say
from ganblocks.cli.output import printable
from ganblocks.cli.sample_output import (
    chosen_class,
    class_in_words,
    enlarged,
    picture_path,
    refuse_folder,
    replaced,
    samples_in_words,
    written,
)
from ganblocks.errors import UsageError
from ganblocks.training.pictures import ANIMATIONS, FRAME, save_animation, save_grid, to_bytes
from ganblocks.training.sample_files import write_pngs
from ganblocks.training.sampler import Sampler
from ganblocks.training.walks import Walk, between_classes, between_samples

ROWS = 4
"""Rows of a strip by default."""


def refuse_unclear_walk(options: SampleOptions) -> None:
    """Raise UsageError if it is not clear from where to where a walk goes, or into which files."""
    if options.to_class is not None and options.interpolate is None:
        raise UsageError(f"--to-class {options.to_class}: a walk leads from class to class; add --interpolate 9")
    if options.to_class is not None and options.class_ is None:
        raise UsageError(f"--to-class {options.to_class}: give the class to begin with, --class K")
    if options.interpolate is not None and options.to_class is None and options.n == 1:
        raise UsageError("--n 1: a walk goes from sample to sample; give --n 2 or more, or --class K --to-class L")
    if options.interpolate is not None and options.to is not None and options.to.suffix.lower() == ".npz":
        raise UsageError(
            f"--to {options.to}: an npz holds samples, and no walk; name a folder, --to {options.to.with_suffix('')}"
        )


def draw_walk(sampler: Sampler, options: SampleOptions, frames: int, label: int | None) -> None:
    """Write a walk from sample to sample, or of samples from class to class. Raise UsageError."""
    target = chosen_class(options.to_class, sampler.image)
    if target is not None and target == label:
        raise UsageError(f"--to-class {options.to_class}: is the class to begin with, {label}; name two classes")
    n = options.n or (ROWS + 1 if target is None else ROWS)
    labels = [number for number in (label, target) if number is not None]
    summary = samples_in_words(n, options, label, sampler.image)
    if target is not None:
        summary += printable(f", to {class_in_words(target, sampler.image)}")
    if options.to is not None:
        refuse_folder(options.to)
        return _write_each(_rows(sampler, options, n, frames, labels), options.to, summary, options, target is not None)
    path = picture_path(options, "walk", labels, sampler.image)
    if path.suffix.lower() in ANIMATIONS:
        rows = _rows(sampler, options, n, frames, labels, closed=n > 1)
        return _write_animation(_frames(list(map(to_bytes, rows)), target is not None), path, summary)
    return _write_strip(_rows(sampler, options, n, frames, labels), path, summary, frames)


def _rows(
    sampler: Sampler, options: SampleOptions, n: int, frames: int, labels: list[int], closed: bool = False
) -> Iterator[Tensor]:
    """Yield the images [frames, C, H, W] of each part of a walk."""
    walk = Walk(
        n=n,
        frames=frames,
        seed=options.seed,
        start=options.start,
        truncation=options.truncation,
        convention=options.truncation_by,
    )
    if len(labels) == 2:
        return between_classes(sampler, walk, *labels)
    return between_samples(sampler, walk, labels[0] if labels else None, closed)


def _write_strip(rows: Iterator[Tensor], path: Path, summary: str, frames: int) -> None:
    """Write a PNG with a row for each part of the walk. Raise UsageError."""
    images, note = list(map(to_bytes, rows)), replaced(path)
    with written(path, "--out"):
        scale = save_grid(torch.cat(images), path, columns=frames)
    height, width = images[0].shape[2:]
    size = f"{height}×{width} pixels{enlarged(scale)}"
    say(f"a walk through {summary}: {len(images)} rows of {frames} images, both ends included, {size}{note}")
    print(path)


def _write_animation(frames: list[Tensor], path: Path, summary: str) -> None:
    """Write a GIF or WebP that repeats forever. Raise UsageError."""
    note = replaced(path)
    with written(path, "--out"):
        scale = save_animation(frames, path, columns=math.ceil(math.sqrt(len(frames[0]))))
    say(f"a walk through {summary}: {len(frames)} frames of {FRAME} ms, repeated forever{enlarged(scale)}{note}")
    print(path)


def _frames(rows: list[Tensor], at_once: bool) -> list[Tensor]:
    """Return the frames of a closed animation, uint8 [tiles, C, H, W], of rows [frames, C, H, W].

    Rows from sample to sample follow each other: the last image of a row is the first of the next. With ``at_once`` all rows
    run side by side, there and back.
    """
    if not at_once:
        return [image[None] for row in rows for image in row[:-1]]
    there = list(torch.stack(rows, dim=1))
    return there + there[-2:0:-1]


def _write_each(rows: Iterator[Tensor], folder: Path, summary: str, options: SampleOptions, by_sample: bool) -> None:
    """Write a PNG of every image: numbered along the walk, or ``by_sample`` in a folder for each sample. Raise UsageError."""
    count = 0
    for number, row in enumerate(rows):
        if by_sample:
            write_pngs(folder / f"{options.start + number:06}", [(row, None)], 0, [])
            count += len(row)
        else:
            ahead = row if number == 0 else row[1:]  # it begins where the previous row ends
            write_pngs(folder, [(ahead, None)], count, [])
            count += len(ahead)
    order = "in a folder for each sample" if by_sample else "numbered along the walk"
    say(f"a walk through {summary}: {count} PNGs, {order}")
    print(folder)
