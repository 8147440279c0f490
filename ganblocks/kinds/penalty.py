"""Penalty: a regularisation term on one player or both."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import nn

    from ganblocks.values import Player


class Penalty(Protocol):
    """A term added to a player's objective. The recipe adds ``weight`` (a schedule) and ``every`` (in that player's steps)."""

    players: ClassVar[frozenset[Player]]
    """The players whose objective it joins."""
    reads_image_gradient: ClassVar[bool]
    """True if it differentiates the discriminator with respect to its input: then ``turn.real.image`` and
    ``turn.fake.image`` require grad before they are scored, and every site of the discriminator has
    ``twice_differentiable`` set."""

    def build(self) -> nn.Module:
        """Return a module with forward(turn) -> 0-dim, not yet weighted. Its state is in its buffers (``Observes``)."""
        ...
