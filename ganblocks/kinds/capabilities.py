"""What a module can do beside its kind's contract: inherited on purpose, found in the class, never guessed from attributes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ganblocks.kinds.game import Turn
    from ganblocks.values import Facts


class AttentionMap:
    """A block whose attention can be looked at."""

    @abstractmethod
    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The map for a feature map x [B, C, H, W]: ([B, heads, N, M] with rows that sum to 1, (height, width) of the key grid)."""


class Gated:
    """A block whose effect is scaled by one learned number that can be logged (γ in SAGAN)."""

    gamma: Tensor
    """0-dim parameter."""


class Maintained:
    """A module with an estimate that is kept up to date between forwards (spectral norm's u and v). Forward never advances it."""

    @abstractmethod
    def advance(self) -> None:
        """One step of the estimate; called once before each turn of the network that holds the module."""

    @abstractmethod
    def settle(self, n: int = 20) -> None:
        """n steps at once; called after initialisation, averaging or loading foreign weights."""


class SingularValue:
    """A module that normalises a weight by its largest singular value, which can be logged."""

    @abstractmethod
    def sigma(self) -> Tensor:
        """The current estimate, 0-dim."""


class MixesSamples:
    """A module whose output for one sample depends on the others in the batch (batch norm in training).

    A discriminator that holds one sees real and fake images in two passes, as the papers do, instead of one.
    """


class Observes:
    """A module that remembers something of each turn (LeCam's averages, ADA's probability), in its buffers."""

    @abstractmethod
    def observe(self, turn: Turn) -> None:
        """Called once per optimizer step, under no_grad, with the views of the whole batch; also when `every` skips a penalty."""


class AddsTerm:
    """A module inside the discriminator that adds a term to both players' objectives (an auxiliary classifier's cross-entropy)."""

    @abstractmethod
    def term(self, turn: Turn) -> Tensor:
        """0-dim, to be minimised by ``turn.player``."""


class Checked:
    """A component that knows combinations that cannot work."""

    @abstractmethod
    def check(self, facts: Facts) -> Iterable[str]:
        """One sentence per complaint: what is wrong, and what to use instead."""
