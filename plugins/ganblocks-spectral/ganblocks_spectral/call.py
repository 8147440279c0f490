"""Calling a layer with another weight, cheaply for the common types of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Call = Callable[..., Tensor]
"""(layer, weight, *args, **kwargs) -> what layer(*args, **kwargs) would return with that weight."""


def call_of(layer: nn.Module) -> Call:
    """Return the call for exactly this type; a subclass may override forward, and gets the general call."""
    return _CALLS.get(type(layer), _any)


def _conv(layer: Any, weight: Tensor, input: Tensor) -> Tensor:
    output: Tensor = layer._conv_forward(input, weight, layer.bias)  # knows the padding modes
    return output


def _linear(layer: Any, weight: Tensor, input: Tensor) -> Tensor:
    return functional.linear(input, weight, layer.bias)


def _embedding(layer: Any, weight: Tensor, input: Tensor) -> Tensor:
    options = (layer.padding_idx, layer.max_norm, layer.norm_type, layer.scale_grad_by_freq, layer.sparse)
    return functional.embedding(input, weight, *options)


def _conv_transpose2d(layer: Any, weight: Tensor, input: Tensor, output_size: list[int] | None = None) -> Tensor:
    if output_size is not None:
        return _any(layer, weight, input, output_size)
    options = (layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation)
    return functional.conv_transpose2d(input, weight, layer.bias, *options)


def _any(layer: nn.Module, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    output: Tensor = torch.func.functional_call(layer, {"weight": weight}, args, kwargs)
    return output


_CALLS: dict[type[nn.Module], Call] = {
    nn.Conv1d: _conv,
    nn.Conv2d: _conv,
    nn.Conv3d: _conv,
    nn.ConvTranspose2d: _conv_transpose2d,
    nn.Linear: _linear,
    nn.Embedding: _embedding,
}
