"""What a module can do beside its kind's contract: inherited on purpose, found in the class, never guessed from attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ganblocks.kinds.game import Turn
    from ganblocks.values import Facts


class AttentionMap:
    """A block whose attention can be looked at."""

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The map for x [B, C, H, W]: ([B, heads, N, M] with rows that sum to 1, (height, width) of the key grid)."""
        raise NotImplementedError


class Gated:
    """A block whose effect is scaled by one learned number that can be logged (γ in SAGAN)."""

    gamma: Tensor
    """0-dim parameter."""


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


class Observes:
    """A module that remembers something of each turn (LeCam's averages, ADA's probability), in its buffers."""

    def observe(self, turn: Turn) -> None:
        """Called once per optimizer step, under no_grad, with the whole batch; also when `every` skips a penalty."""
        raise NotImplementedError


class AddsTerm:
    """A module in the discriminator that adds a term to both players' objectives (an auxiliary classifier)."""

    def term(self, turn: Turn) -> Tensor:
        """0-dim, to be minimised by ``turn.player``."""
        raise NotImplementedError


class DifferentiatesTwice:
    """An update rule that takes gradients of gradients (consensus): every site is told ``twice_differentiable``."""


class Checked:
    """A component that knows combinations that cannot work."""

    def check(self, facts: Facts) -> Iterable[str]:
        """One sentence per complaint: what is wrong, and what to use instead."""
        raise NotImplementedError
