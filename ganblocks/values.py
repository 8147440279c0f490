"""Small frozen values that the core passes to components.

Shape letters, here and everywhere: B batch, C channels, H W height and width, K classes, Z latent, N = H·W positions, M key
positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import field, frozen
from attrs.validators import ge, gt, instance_of

from ganblocks.seeding import seed_of
from ganblocks.sizes import Size, as_size, sides

if TYPE_CHECKING:  # values are cheap to import; torch is only needed once something is built
    from torch import Tensor


class Player(StrEnum):
    """One of the two networks of a game."""

    GENERATOR = "generator"
    DISCRIMINATOR = "discriminator"

    @property
    def other(self) -> Player:
        """The opponent."""
        return Player.DISCRIMINATOR if self is Player.GENERATOR else Player.GENERATOR


@frozen
class ImageSpec:
    """Channels, size and classes of a data set's images, known without reading the disk."""

    channels: int = field(validator=[instance_of(int), gt(0)])
    size: Size = field(converter=as_size)
    """Height and width in pixels: one number for squares, else (height, width)."""
    classes: int = field(default=0, validator=[instance_of(int), ge(0)])
    """Number of classes; 0 for images without labels."""
    class_names: tuple[str, ...] = ()
    """One name per class, if the data set has names."""

    @property
    def height(self) -> int:
        """Height in pixels."""
        return sides(self.size)[0]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return sides(self.size)[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return (self.channels, *sides(self.size))


@frozen(eq=False)
class Images:
    """An opened data set."""

    read: Callable[[Tensor], Tensor]
    """int64 [B] indices -> uint8 [B, C, H, W] images on the CPU. Equal indices give equal images; called in any order."""
    labels: Tensor
    """int64 [n]: the class of every image, below ``ImageSpec.classes``; zeros where the images have no labels."""
    fingerprint: str
    """A hash of the images and labels, such as a sha256 in hexadecimal: runs with equal fingerprints used the same data. A run
    is resumed only with an equal one, and it is the key of cached features. One that covers a part of every file begins with
    ``sampled:``."""
    split: Mapping[str, Tensor]
    """``"train"`` and ``"held_out"`` -> int64 indices into ``labels``; disjoint. Held-out images are never trained on and are
    the control of every score; the tensor may be empty. Every class that has images has some to train on."""
    class_names: tuple[str, ...] = ()
    """One name per class, if they follow from the files (folders of images); otherwise ``describe`` may have them."""
    former: tuple[str, ...] = ()
    """Fingerprints of the same images in earlier versions, whose runs can be resumed."""
    begin: Callable[[Tensor], Callable[[], Tensor]] | None = None
    """int64 [B] indices -> a function that returns what ``read`` would: the next batch is read while a step computes.

    ``begin`` starts to read in threads of the data set's own and returns at once. The function waits for them, and raises and
    warns where it is called; it may never be called. None where reading costs nothing."""


@frozen
class ClassCount:
    """A class of a data set; its number is its index in the list of classes."""

    name: str
    """Empty if the data set has no names."""
    count: int | None
    """Training images; None if they are not counted."""


@frozen
class Finding:
    """One finding of an inspection of a data set."""

    path: str
    """The file or folder."""
    sort: str
    """The kind of finding, equal for equal findings so that they can be counted."""
    words: str = ""
    """Details of this one."""
    fatal: bool = False
    """True if the data set does not open because of it; otherwise the image is changed on reading, or doubtful."""


@frozen
class Classes:
    """A condition that is a class label: int64 [B] with values below ``count``."""

    count: int


@frozen
class Vector:
    """A condition that is a vector: float [B, width]."""

    width: int


Condition = Classes | Vector | None


class Score(NamedTuple):
    """The output of a discriminator for a batch, in float32."""

    logits: Tensor
    """[B]: high for real."""
    classes: Tensor | None = None
    """[B, K] class logits, if the conditioning classifies."""
    features: Tensor | None = None
    """[B, C] pooled features, the input of the head."""


def full_precision(x: Tensor) -> Tensor:
    """Return ``x`` of any shape in float32, or in float64 if it is float64: under autocast layers return half precision."""
    import torch

    return x.to(torch.promote_types(x.dtype, torch.float32))


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Return a context without autocast on the device of ``x``, of any shape: no half precision in matrix products."""
    import torch

    kind = x.device.type
    active = kind != "meta" and torch.is_autocast_enabled(kind)
    return torch.autocast(kind, enabled=False) if active else nullcontext()


class View(NamedTuple):
    """One side of a turn."""

    image: Tensor
    """[B, C, H, W] in [-1, 1], before augmentation."""
    label: Tensor | None
    """int64 [B]."""
    score: Score


class Features(NamedTuple):
    """The output of a feature extractor."""

    vector: Tensor
    """[B, D], float32."""
    logits: Tensor | None = None
    """[B, K], if it classifies."""


@frozen(eq=False)
class Sample:
    """A set of images as metrics get it."""

    features: Tensor
    """[n, D], float32 or float64, of the recipe's extractor."""
    logits: Tensor | None = None
    """[n, K], if the extractor classifies."""
    labels: Tensor | None = None
    """int64 [n], if the images have classes."""

    def __len__(self) -> int:
        return len(self.features)


@frozen
class LoggedRun:
    """What a logger knows of the run that it shows."""

    name: str
    """The name of the run folder."""
    title: str
    """The title of the recipe."""
    folder: Path
    """A folder of the logger's own inside the run folder, which exists; files of earlier sessions of the run are in it."""
    recipe: Mapping[str, Any]
    """The recipe as plain values: tables, lists, texts, numbers and truth values."""
    seed: int


@frozen(eq=False)
class Batch:
    """All random inputs of one evaluation of an objective: evaluating it twice gives the same value."""

    _image: Tensor | Callable[[], Tensor]
    """The real images, or a function that reads them."""
    label: Tensor | None
    """int64 [B]: classes of the real images; None without classes."""
    latent: Tensor
    """[B, Z] latents of the fakes, standard normal."""
    fake_label: Tensor | None
    """int64 [B]: classes of the fakes."""
    seed: int
    """Seed of augmentation and of all other random numbers in the turn."""

    @cached_property
    def image(self) -> Tensor:
        """[B, C, H, W] real images in [-1, 1]; they may be read from the disk only now, which can raise DataError."""
        return self._image() if callable(self._image) else self._image

    def __len__(self) -> int:
        return len(self.latent)

    def split(self, size: int) -> Iterator[Batch]:
        """Iterate over microbatches of at most ``size`` samples, each with its own seed."""
        if size >= len(self):
            yield self
            return
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            label = None if self.label is None else self.label[part]
            fake_label = None if self.fake_label is None else self.fake_label[part]
            yield Batch(partial(self._part, part), label, self.latent[part], fake_label, seed_of(self.seed, "part", start))

    def _part(self, part: slice) -> Tensor:
        return self.image[part]


class Objective(NamedTuple):
    """The objective of one player, and its metrics."""

    total: Tensor
    """0-dim, float32."""
    metrics: dict[str, Tensor]
    """Name -> 0-dim tensor, detached, on the device; the loop reads them once per step."""


Metrics = dict[str, "Tensor"]


@frozen
class Use:
    """One component of a recipe and its path."""

    path: str
    kind: str
    name: str
    component: Any


@frozen
class Facts:
    """The facts about a recipe that a component can use to check itself."""

    image: ImageSpec
    uses: tuple[Use, ...]
    batch: int | None = None
    """Samples per turn; None if nothing is trained."""
    microbatch: int | None = None
    """Samples per forward pass, if fewer than a batch."""
    real: int | None = None
    """Maximum number of real images for metrics; None: unknown until the data is opened."""
    fake: int | None = None
    """Number of samples for metrics; None: unknown until the data is opened."""

    @property
    def together(self) -> int | None:
        """Samples per forward pass; None if nothing is trained."""
        return self.microbatch or self.batch

    def too_few(self, least: int) -> str:
        """Return the mistake and what to set if a forward pass has fewer samples than ``least``; empty otherwise."""
        if self.together is None or self.batch is None or self.together >= least:
            return ""
        parts = [size for size in range(least, self.batch) if self.batch % size == 0]
        fix = f"training.microbatch = {parts[0]}" if parts else "training.microbatch = training.batch"
        fix = fix if self.batch >= least else f"training.batch = {least} or more"
        fix += " and training.microbatch with it" if self.microbatch is not None and self.batch < least else ""
        return f"{self.together} at once {'is' if self.together == 1 else 'are'} too few, and {least} are needed: set {fix}"

    def find(self, kind: str, under: str = "") -> tuple[Use, ...]:
        """Return the components of ``kind`` whose path begins with ``under``."""
        return tuple(use for use in self.uses if use.kind == kind and use.path.startswith(under))
