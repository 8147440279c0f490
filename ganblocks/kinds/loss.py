"""Loss: the adversarial objective, as functions of the discriminator's logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Protocol):
    """Both players' losses, each a mean over the batch and minimised."""

    generator_reads_real: ClassVar[bool]
    """True if the generator's loss needs the real logits (relativistic losses)."""

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's loss: logits [B], [B] -> 0-dim."""
        ...

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return the generator's loss: logits [B] (None unless ``generator_reads_real``), [B] -> 0-dim."""
        ...
