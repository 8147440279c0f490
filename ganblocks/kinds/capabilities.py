"""What a module can do beside its kind's contract: inherited on purpose, found in the class, never guessed from attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganblocks.kinds.game import Turn
    from ganblocks.values import ClassCount, Facts, Finding, Sample

    Generate = Callable[[Tensor, Tensor | None], Tensor]


class AttentionMap:
    """A block whose attention can be looked at."""

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The map for x [B, C, H, W]: ([B, heads, N, M] with rows that sum to 1, (height, width) of the key grid).

        It is the map that forward uses, with N = H·W rows in reading order. A key is a place of x: where the grid has fewer
        keys than x has positions, a key stands for the cell of x that lies there.
        """
        raise NotImplementedError


class Gated:
    """A block whose effect is scaled by one learned number that can be logged (γ in SAGAN)."""

    gamma: Tensor
    """0-dim parameter, ``nn.Parameter(torch.zeros(()))``: one of shape [1] is refused. The output is x + γ · effect(x)."""


class Maintained:
    """A module with an estimate that follows its weights (spectral norm's u and v). Forward never advances it."""

    def advance(self) -> None:
        """One step of the estimate; called once before each turn of the network that holds the module."""
        raise NotImplementedError

    def settle(self, n: int = 20) -> None:
        """n steps at once; called after initialisation, averaging or loading foreign weights."""
        raise NotImplementedError


class SingularValue:
    """A module that normalises a weight by its largest singular value, which can be logged."""

    def sigma(self) -> Tensor:
        """The current estimate, 0-dim."""
        raise NotImplementedError


class MixesSamples:
    """A module whose output for one sample depends on the others in the batch (batch norm in training).

    A discriminator that holds one sees real and fake images in two passes, as the papers do, instead of one.
    """


class CouplesSamples:
    """A component whose value for a batch is not the mean of those for its parts, because it compares samples with each other.

    Smaller microbatches make another objective of it, and not only another order of the same sum. (A module whose forward mixes
    samples inherits ``MixesSamples``.)
    """


class Observes:
    """A module that remembers something of each turn (LeCam's averages, ADA's probability), in its buffers."""

    def observe(self, turn: Turn) -> None:
        """Called once per optimizer step, under no_grad, with the whole batch; also when `every` skips a penalty.

        ``turn`` is that of whoever has moved: ask ``turn.player``. ``turn.real`` is None in a generator's turn whose loss
        does not read real images. What is remembered stands in buffers, and is changed in place.
        """
        raise NotImplementedError


class AddsTerm:
    """A module in the discriminator that adds a term to both players' objectives (an auxiliary classifier)."""

    def term(self, turn: Turn) -> Tensor:
        """0-dim, to be minimised by ``turn.player``."""
        raise NotImplementedError


class AppendsClasses:
    """A module that appends a one-hot class to what a layer of its own gets: there the classes come last in the weight.

    Weights that go from one run to another are matched by the classes' names. Tables with a row per class are known without
    this: theirs is the dimension that has as many entries as there are classes, and one more where there is one class more.
    """


class DifferentiatesTwice:
    """An update rule that takes gradients of gradients (consensus): every site is told ``twice_differentiable``."""


class ReadsForeign:
    """A network's component that knows how other frameworks name the weights of the same network."""

    layouts: ClassVar[tuple[str, ...]]
    """Names of the layouts that it knows."""

    def from_foreign(self, layout: str, network: nn.Module, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The whole state of ``network``, which this component built, from theirs. Raises KeyError, naming what is missing."""
        raise NotImplementedError


class JudgesAlone:
    """A metric that reads something off made images without comparing them to real ones (whether two halves agree)."""


class ExaminesGenerator:
    """A metric that looks into the generator instead of at its samples (how much images turn with the latent)."""

    reads: ClassVar[frozenset[str]] = frozenset()
    better: ClassVar[Mapping[str, str]]

    def examine(self, generate: Generate, latent: Tensor, label: Tensor | None, seed: int) -> dict[str, float]:
        """Short name -> number; called instead of ``score``.

        Args:
            generate: (z [B, Z], label int64 [B] | None) -> image [B, C, H, W], in evaluation, differentiable in z by both modes
                of automatic differentiation as far as the network is; a sample's image does not depend on the others.
            latent: [n, Z], on the processor: what the samples of the same evaluation are made from.
            label: int64 [n], where the images have classes.
            seed: of whatever else is drawn. Equal seeds give equal numbers.

        Raises ``DataError`` for images that are not finite. The generator stays as it is.
        """
        raise NotImplementedError

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Not for samples."""
        raise NotImplementedError(f"{type(self).__name__} examines a generator, not samples: call examine")


class Inspects:
    """A data set whose files are somebody's own, and may be broken: it can look at all of them before a run does."""

    def inspect(self) -> Iterable[Finding]:
        """All that is wrong or doubtful, at once, whatever the data is. What ``open`` refuses is fatal."""
        raise NotImplementedError

    def count(self) -> Sequence[ClassCount]:
        """The classes in the order of their numbers, with their training images, as far as names of files tell."""
        return ()

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The data set that files at ``path`` suggest, for a look without a recipe; None where they suggest none."""
        return None


class Checked:
    """A component that knows combinations that cannot work."""

    def check(self, facts: Facts) -> Iterable[str]:
        """One sentence per complaint: what is wrong, and what to use instead."""
        raise NotImplementedError
