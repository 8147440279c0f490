"""How data sets are tried, and what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ganblocks.errors import DataError
from ganblocks.registry import Registry
from ganblocks.testing.cases import Case
from ganblocks.testing.promises import NotChecked, expect, expect_same, expect_shape, promise, tried_with
from ganblocks.testing.strategies import components, seeds
from ganblocks.values import Images, ImageSpec


@frozen(kw_only=True)
class DataCase(Case):
    """A data set."""

    kind: ClassVar[str] = "dataset"

    def spec(self) -> ImageSpec:
        found = self.component.describe()
        expect(isinstance(found, ImageSpec), f"describe returns a {type(found).__name__}, not a ganblocks.ImageSpec")
        image: ImageSpec = found
        return image

    def images(self) -> Images:
        """The opened data set; where there is no data here, nothing can be checked."""
        try:
            found = self.component.open()
        except DataError as error:
            raise NotChecked("needs data that is not here", str(error)) from error
        expect(isinstance(found, Images), f"open returns a {type(found).__name__}, not ganblocks.Images")
        opened: Images = found
        return opened


@tried_with("dataset")
def datasets(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[DataCase]:
    """Paths and switches stay as they are: where data lies, and whether to download it, is for people to say."""
    return st.builds(DataCase, component=components(cls, registry, given, still=(str, bool, Path)), seed=seeds)


@promise("dataset", examples=3)
def describes_itself_without_data(case: DataCase) -> None:
    """describe says channels, size and classes, also where the data is not; a name for each class, or none at all."""
    spec = case.spec()
    names = len(spec.class_names)
    expect(names in (0, spec.classes), f"{names} class names for {spec.classes} classes")


@promise("dataset", examples=3)
def opens_to_what_it_describes(case: DataCase) -> None:
    """Images are uint8 [B, C, H, W] as described; labels are int64 within the classes, one for each image, and so are names."""
    spec, images = case.spec(), case.images()
    image = images.read(torch.tensor([0, 0]))
    expect_shape(image, (2, *spec.shape), "images")
    expect(image.dtype == torch.uint8, f"images are {image.dtype}, not uint8")
    expect(
        images.labels.dtype == torch.int64 and images.labels.ndim == 1,
        f"labels are {images.labels.dtype}, {images.labels.ndim}-dim",
    )
    low, high = int(images.labels.min()), int(images.labels.max())
    names = len(images.class_names)
    expect(names in (0, spec.classes), f"{names} class names for {spec.classes} classes")
    expect(low >= 0 and high < max(spec.classes, 1), f"labels run from {low} to {high}, for {spec.classes} classes")


@promise("dataset", examples=3)
def reads_any_image_alike(case: DataCase) -> None:
    """An index means the same image each time, alone or beside others, in any order, also after opening again."""
    images, again = case.images(), case.images()
    index = torch.randint(len(images.labels), (3,), generator=case.rng("index"))
    together = images.read(index)
    expect_same(images.read(index.flip(0)).flip(0), together, "images read in reverse")
    expect_same(torch.cat([images.read(index[i : i + 1]) for i in range(3)]), together, "images read one by one")
    expect_same(again.read(index), together, "images after opening again")
    expect_same(again.labels, images.labels, "labels after opening again")
    expect(again.fingerprint == images.fingerprint and images.fingerprint, "the fingerprint changes, or is empty")


@promise("dataset", examples=3)
def holds_images_out(case: DataCase) -> None:
    """`train` and `held_out` are disjoint sets of indices that exist, and there is something to train on."""
    images = case.images()
    expect({"train", "held_out"} <= set(images.split), f"the splits are {sorted(images.split)}, without train or held_out")
    train, held_out = (set(images.split[name].tolist()) for name in ("train", "held_out"))
    expect(train, "there is nothing to train on")
    expect(not train & held_out, f"{len(train & held_out)} images stand in both splits")
    everything = range(len(images.labels))
    expect(all(index in everything for index in train | held_out), f"indices reach beyond the {len(images.labels)} images")
    repeated = sum(len(images.split[name]) for name in ("train", "held_out")) - len(train) - len(held_out)
    expect(not repeated, f"{repeated} indices are repeated within a split")


@promise("dataset", examples=3)
def trains_on_every_class(case: DataCase) -> None:
    """Every class that has images has some to train on: none is held out as a whole."""
    images = case.images()
    trained, held_out = (set(images.labels[images.split[name]].tolist()) for name in ("train", "held_out"))
    expect(held_out <= trained, f"all images of class {min(held_out - trained, default=0)} are held out")
