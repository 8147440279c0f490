"""torch-fidelity's Inception v3 of 2015. Importing it imports torchvision, which takes as long as importing torch."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3


class Network2015(FeatureExtractorInceptionV3):  # type: ignore[misc]  # torch-fidelity has no types
    """torch-fidelity's network. Its constructor would unpickle a file, and gets an empty one instead."""

    def __init__(self) -> None:
        empty = io.BytesIO()
        torch.save({}, empty)
        empty.seek(0)
        super().__init__("inception-2015", ["2048", "logits_unbiased"], feature_extractor_weights_path=empty)

    def load_state_dict(self, state_dict: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:
        return super().load_state_dict(state_dict, *args, **kwargs) if state_dict else None
