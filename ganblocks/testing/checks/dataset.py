"""How data sets are tested, and their properties."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from attrs import frozen

from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn, opened
from ganblocks.testing.properties import properties
from ganblocks.values import Images, ImageSpec


@frozen(kw_only=True)
class DataCase(Case):
    """A data set."""

    kind: ClassVar[str] = "dataset"

    def spec(self) -> ImageSpec:
        """Return the data set's description."""
        return expect.instance(self.component.describe(), ImageSpec, "describe")

    def images(self) -> Images:
        """Return the opened data set. Raise expect.NotChecked where its files are missing."""
        return expect.instance(opened(self.component, "its files"), Images, "open")


def describes_itself_without_data(case: DataCase) -> None:
    """describe gives channels, size and classes, even without the data; and a name for each class, or none at all."""
    spec = case.spec()
    names = len(spec.class_names)
    expect.that(names in (0, spec.classes), f"{names} class names for {spec.classes} classes")


def opens_to_what_it_describes(case: DataCase) -> None:
    """Images are uint8 [B, C, H, W] as described; labels are int64 within the classes, one for each image, and so are names."""
    spec, images = case.spec(), case.images()
    image, labels = images.read(torch.tensor([0, 0])), images.labels
    expect.shape(image, (2, *spec.shape), "images")
    expect.that(image.dtype == torch.uint8, f"images are {image.dtype}, not uint8")
    expect.that(labels.dtype == torch.int64 and labels.ndim == 1, f"labels are {labels.dtype}, {labels.ndim}-dim")
    low, high, names = int(labels.min()), int(labels.max()), len(images.class_names)
    expect.that(names in (0, spec.classes), f"{names} class names for {spec.classes} classes")
    expect.that(low >= 0 and high < max(spec.classes, 1), f"labels run from {low} to {high}, for {spec.classes} classes")


def reads_any_image_alike(case: DataCase) -> None:
    """An index means the same image each time, alone or beside others, in any order, also after opening again."""
    images, again = case.images(), case.images()
    index = torch.randint(len(images.labels), (3,), generator=case.rng("index"))
    together = images.read(index)
    expect.same(images.read(index.flip(0)).flip(0), together, "images read in reverse")
    expect.same(torch.cat([images.read(index[i : i + 1]) for i in range(3)]), together, "images read one by one")
    expect.same(again.read(index), together, "images after opening again")
    expect.same(again.labels, images.labels, "labels after opening again")
    expect.that(again.fingerprint == images.fingerprint and images.fingerprint, "the fingerprint changes, or is empty")


def reads_ahead_what_it_reads(case: DataCase) -> None:
    """What `begin` reads in the background is what `read` returns, in any order of begin and wait; some of it is never used."""
    images = case.images()
    if images.begin is None:
        raise expect.NotChecked("reads no files while it is trained on")
    rng = case.rng("ahead")
    indices = [torch.randint(len(images.labels), (size,), generator=rng) for size in (3, 1, 4)]
    finish = [images.begin(index) for index in indices]
    for i in (1, 0):
        expect.same(finish[i](), images.read(indices[i]), f"images begun as number {i + 1}, waited for in another order")


def holds_images_out(case: DataCase) -> None:
    """`train` and `held_out` are disjoint sets of valid indices, and `train` is not empty."""
    images = case.images()
    expect.that({"train", "held_out"} <= set(images.split), f"the splits are {sorted(images.split)}, without train or held_out")
    train, held_out = (images.split[name].tolist() for name in ("train", "held_out"))
    expect.that(train, "there is nothing to train on")
    expect.that(set(train).isdisjoint(held_out), f"{len(set(train) & set(held_out))} images are in both splits")
    count, indices = len(images.labels), train + held_out
    expect.that(all(index in range(count) for index in indices), f"some indices are outside the {count} images")
    repeated = len(indices) - len(set(indices))
    expect.that(not repeated, f"{repeated} indices are repeated within a split")


def trains_on_every_class(case: DataCase) -> None:
    """Every class that has images has some in `train`."""
    images = case.images()
    trained, held_out = (set(images.labels[images.split[name]].tolist()) for name in ("train", "held_out"))
    expect.that(held_out <= trained, f"all images of class {min(held_out - trained, default=0)} are held out")


CASES = drawn(DataCase, still=(str, bool, Path))
"""Paths and switches keep their defaults: they say where the data is, and whether to download it."""
PROPERTIES = properties(
    describes_itself_without_data,
    opens_to_what_it_describes,
    reads_any_image_alike,
    reads_ahead_what_it_reads,
    holds_images_out,
    trains_on_every_class,
    examples=3,
)
