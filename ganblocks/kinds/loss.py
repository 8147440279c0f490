"""Loss: the adversarial objective, as functions of the discriminator's logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Loss(Protocol):
    """Both players' losses; each is minimised, and each is a mean over the batch."""

    generator_reads_real: ClassVar[bool]
    """True where the generator's form needs the real logits (relativistic losses)."""

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """logits [B], [B] -> 0-dim."""
        ...

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """logits [B] (None unless ``generator_reads_real``), [B] -> 0-dim."""
        ...
