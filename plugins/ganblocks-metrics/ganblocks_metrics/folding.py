"""Batch norms of a trained network as part of the convolutions before them."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

N = TypeVar("N", bound=nn.Module)


def folded(network: N) -> N:
    """Return a copy in evaluation mode and channels_last without the batch norms that follow a convolution among its siblings.

    Their means, variances, gains and biases become weights and biases of the convolution: the outputs are equal up to rounding.
    """
    network = copy.deepcopy(network).eval()
    for parent in list(network.modules()):
        for (before, conv), (name, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, before, fuse_conv_bn_eval(conv, norm))
                setattr(parent, name, nn.Identity())
    return network.to(memory_format=torch.channels_last)
