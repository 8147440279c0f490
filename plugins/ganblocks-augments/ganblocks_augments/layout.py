"""Images keep the memory format in which they came."""

from __future__ import annotations

import torch
from torch import Tensor


def laid_out(changed: Tensor, image: Tensor) -> Tensor:
    """``changed`` in the type and memory format of ``image``."""
    last = image.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return changed.to(image.dtype).contiguous(memory_format=layout)
