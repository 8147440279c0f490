"""What a module can do beside the contract of its kind: inherited explicitly, never guessed from attributes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

    from ganblocks.kinds.game import Turn


class AttentionMap:
    """A block whose attention map can be shown."""

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return the map for x [B, C, H, W]: ([B, heads, N, M] with rows that sum to 1, (height, width) of the key grid).

        It is the map that forward uses, with N = H·W rows in row-major order. If the grid has fewer keys than x has
        positions, a key covers the cell of x at its position.
        """
        raise NotImplementedError

    def keys_seen(self) -> int | None:
        """Return how many keys each query can see, such as those of its window; None, the default, if it sees all of them."""
        return None


class AppliesMap(AttentionMap):
    """A block with a map in whose place another can be put, to measure what the map is worth."""

    def with_map(self, x: Tensor, attention: Tensor) -> Tensor:
        """Return what forward(x), x [B, C, H, W], would return if its map were ``attention`` [B, heads, N, M].

        With the map of :meth:`attention_map` it is forward(x) itself.
        """
        raise NotImplementedError


class Gated:
    """A block whose effect is scaled by one learned number that can be logged (γ in SAGAN)."""

    gamma: Tensor
    """0-dim parameter, ``nn.Parameter(torch.zeros(()))``: one of shape [1] is refused. The output is x + γ · effect(x)."""


class HasEstimates:
    """A module with an estimate that follows its weights (spectral norm's u and v). Forward never advances it."""

    def advance(self) -> None:
        """Advance the estimate by one step; called once before each turn of the network that holds the module."""
        raise NotImplementedError

    def settle(self, n: int = 20) -> None:
        """Advance the estimate by n steps; called after initialisation, averaging or loading foreign weights."""
        raise NotImplementedError

    @classmethod
    def advance_all(cls, modules: Sequence[Self]) -> None:
        """Advance modules of exactly this class; override it where they are faster together."""
        for module in modules:
            module.advance()

    @classmethod
    def settle_all(cls, modules: Sequence[Self], n: int = 20) -> None:
        """Settle modules of exactly this class; override it where they are faster together."""
        for module in modules:
            module.settle(n)


class DerivesWeight:
    """A module that computes the weight of a layer from its parameters, equal for all forwards of a turn (spectral norm)."""

    @classmethod
    def weights_shared(cls, modules: Sequence[Self]) -> AbstractContextManager[None]:
        """Return a context in which modules of exactly this class may compute their weights once, and all together.

        Outputs and gradients must be the same as without it, also if a parameter changes or is replaced within the block.
        (Changes through ``.data`` are not seen, because torch does not count them.) All forwards in the block share the graph
        of the weight: who takes gradients at parameters twice within a turn needs ``retain_graph`` or ``create_graph``.
        """
        return nullcontext()


class SingularValue:
    """A module that normalises a weight by its largest singular value, which can be logged."""

    def sigma(self) -> Tensor:
        """Return the current estimate, 0-dim."""
        raise NotImplementedError


class MixesSamples:
    """A module whose output for one sample depends on the others in the batch (batch norm in training).

    A discriminator that holds one gets real and fake images in two passes, as in the papers, instead of one.
    """


class MixesClasses:
    """A module that reads the class, and also takes a mixture of classes: weights float [B, K] in place of labels int64 [B].

    Weights sum to 1, and a weight of 1 gives what the class itself gives. Walks between classes need it of every module that
    reads the label; a module that only passes the label on does not. ``ganblocks.class_rows`` reads a table with a row per
    class, and ``ganblocks.class_weights`` gives one-hot vectors, for labels of both forms. Training uses integers alone.
    """


class Observes:
    """A module with buffers that it updates at each turn (LeCam's averages, ADA's probability)."""

    def observe(self, turn: Turn) -> None:
        """Update the buffers in place; called once per optimizer step of either player, under no_grad, with the whole batch.

        It is called also when ``every`` skips a penalty. ``turn.player`` is the player that has moved; ``turn.real`` is None
        in a generator's turn whose loss does not read real images.
        """
        raise NotImplementedError


class AddsTerm:
    """A module in the discriminator that adds a term to both players' objectives (an auxiliary classifier)."""

    def term(self, turn: Turn) -> Tensor:
        """Return the term, 0-dim, that ``turn.player`` minimises."""
        raise NotImplementedError


class AppendsClasses:
    """A module that appends a one-hot class to the input of a layer, so that the classes come last in its weight.

    Weights copied from one run to another are matched by class name. Tables with a row per class are found without this: the
    class dimension has as many entries as there are classes.
    """
