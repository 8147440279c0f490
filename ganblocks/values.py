"""Small frozen facts that the core hands to components.

Shape letters, here and everywhere: B batch, C channels, H W height and width, K classes, Z latent, N = H·W positions, M key
positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
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
        return Player.DISCRIMINATOR if self is Player.GENERATOR else Player.GENERATOR


@frozen
class ImageSpec:
    """What the images of a data set are: known without touching the disk."""

    channels: int = field(validator=[instance_of(int), gt(0)])
    size: Size = field(converter=as_size)
    """Height and width in pixels: one number for squares, else (height, width)."""
    classes: int = field(default=0, validator=[instance_of(int), ge(0)])
    """Number of classes; 0 for images without labels."""
    class_names: tuple[str, ...] = ()
    """One name per class, where the data set has names."""

    @property
    def height(self) -> int:
        return sides(self.size)[0]

    @property
    def width(self) -> int:
        return sides(self.size)[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return (self.channels, *sides(self.size))


@frozen(eq=False)
class Images:
    """An opened data set."""

    read: Callable[[Tensor], Tensor]
    """int64 [B] indices -> uint8 [B, C, H, W] images, on the processor. Equal indices give equal images; called in any
    order."""
    labels: Tensor
    """int64 [n]: the class of every image, below ``ImageSpec.classes``; zeros where the images have no labels."""
    fingerprint: str
    """A hash of the images and labels, such as a sha256 in hexadecimal: two runs with equal fingerprints saw the same data. A
    run is resumed only where it is as it was, and features of real images are kept under it. One of a part of every file only
    says so: it begins with ``sampled:``."""
    split: Mapping[str, Tensor]
    """``"train"`` and ``"held_out"`` -> int64 indices into ``labels``; disjoint. Held-out images are never trained on, and
    are the control of every score; an empty tensor holds none out. Every class that has images has some to train on."""
    class_names: tuple[str, ...] = ()
    """One name per class, where only the files tell (folders of images); else ``describe`` has them, if anybody."""
    former: tuple[str, ...] = ()
    """What earlier versions called the same images: runs that they began go on."""


@frozen
class ClassCount:
    """A class of a data set: its number is its place among the others."""

    name: str
    """Empty where the data set has no names."""
    count: int | None
    """Training images; None where nobody has counted them."""


@frozen
class Finding:
    """Something that an inspection of a data set has found."""

    place: str
    """The file or folder."""
    sort: str
    """What it is, in words that are equal for equal things, so that they can be counted."""
    words: str = ""
    """What is special about this one."""
    fatal: bool = False
    """True where the data set does not open because of it; otherwise it is changed on the way, or merely doubtful."""


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
    """What a discriminator says of a batch, in float32."""

    logits: Tensor
    """[B]: high for real."""
    classes: Tensor | None = None
    """[B, K] class logits, where the conditioning classifies."""
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
    """What a feature extractor sees in images."""

    vector: Tensor
    """[B, D], float32."""
    logits: Tensor | None = None
    """[B, K], where it classifies."""


@frozen(eq=False)
class Sample:
    """What metrics know of a set of images."""

    features: Tensor
    """[n, D], float32 or float64, of the recipe's extractor."""
    logits: Tensor | None = None
    """[n, K], where the extractor classifies."""
    labels: Tensor | None = None
    """int64 [n], where the images have classes."""

    def __len__(self) -> int:
        return len(self.features)


@frozen(eq=False)
class Batch:
    """All that one evaluation of an objective draws from outside: evaluating it twice gives the same value."""

    image: Tensor
    """[B, C, H, W] real images in [-1, 1]."""
    label: Tensor | None
    """int64 [B]: classes of the real images; None without classes."""
    latent: Tensor
    """[B, Z] latents of the fakes, standard normal."""
    fake_label: Tensor | None
    """int64 [B]: classes of the fakes."""
    seed: int
    """Seeds augmentation, and whatever else a turn draws."""

    def __len__(self) -> int:
        return len(self.latent)

    def split(self, size: int) -> Iterator[Batch]:
        """Microbatches of at most ``size`` samples, each with a seed of its own."""
        if size >= len(self):
            yield self
            return
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            label = None if self.label is None else self.label[part]
            fake_label = None if self.fake_label is None else self.fake_label[part]
            yield Batch(self.image[part], label, self.latent[part], fake_label, seed_of(self.seed, "part", start))


class Objective(NamedTuple):
    """What one player minimises, and the numbers worth recording."""

    total: Tensor
    """0-dim, float32."""
    metrics: dict[str, Tensor]
    """Name -> 0-dim tensor, detached, on the device: the host reads them once per step."""


Metrics = dict[str, "Tensor"]


@frozen
class Use:
    """One component that a recipe names: where it stands, and what it is."""

    path: str
    kind: str
    name: str
    component: Any


@frozen
class Facts:
    """What a component may ask about the rest of the recipe when it checks itself."""

    image: ImageSpec
    uses: tuple[Use, ...]
    batch: int | None = None
    """Samples of one turn; None where nothing is trained."""
    microbatch: int | None = None
    """Samples of one forward, where they are fewer than a batch."""
    real: int | None = None
    """Real images that metrics compare samples with, at most; None: not known before the data is opened."""
    fake: int | None = None
    """Samples that metrics see; None: likewise."""

    @property
    def together(self) -> int | None:
        """Samples that meet in one forward; None where nothing is trained."""
        return self.microbatch or self.batch

    def too_few(self, least: int) -> str:
        """Where fewer samples than ``least`` meet in one forward: how many there are, and what to set; empty otherwise."""
        if self.together is None or self.batch is None or self.together >= least:
            return ""
        parts = [size for size in range(least, self.batch) if self.batch % size == 0]
        fix = f"training.microbatch = {parts[0]}" if parts else "training.microbatch = training.batch"
        fix = fix if self.batch >= least else f"training.batch = {least} or more"
        fix += " and training.microbatch with it" if self.microbatch is not None and self.batch < least else ""
        return f"{self.together} at once {'is' if self.together == 1 else 'are'} too few, and {least} are needed: set {fix}"

    def find(self, kind: str, under: str = "") -> tuple[Use, ...]:
        """The components of ``kind`` whose path begins with ``under``."""
        return tuple(use for use in self.uses if use.kind == kind and use.path.startswith(under))
