"""What a module can do beside the contract of its kind: inherited explicitly, never guessed from attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ganblocks.kinds.game import Turn


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


class HasEstimates:
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

    A discriminator that holds one sees real and fake images in two passes, as the metadata do, instead of one.
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
