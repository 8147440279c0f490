"""Spectral normalisation: every weight is divided by its largest singular value."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import HasEstimates, PlacementError, SingularValue, option, without_autocast
from ganblocks_spectral.call import call_of
from ganblocks_spectral.divide import divide, matrix_of, singular_value

WARM_UP = 15
"""Power iterations at construction, as in torch's parametrization: they bring a random start within a few percent of σ."""


@frozen(kw_only=True)
class Spectral:
    """Divide each weight by an estimate of its largest singular value, updated by power iteration.

    W̄ = W / σ̂ with σ̂ = uᵀ M v, where M is the weight as a matrix (output channels, all other dimensions). One iteration is
    v = Mᵀu / |Mᵀu|, u = M v / |M v|. The gradient treats u and v as constants, and σ̂ as a function of W:
    dL/dW = (G - <G, W̄> u vᵀ) / σ̂ with G = dL/dW̄. σ̂ never exceeds the true value, so the largest singular value of W̄
    approaches 1 from above. This bounds M, not the convolution: for a k×k kernel the operator norm may reach k.

    Use it in the discriminator with ``hinge``, at hardly any cost; in the generator too if training is unstable, as in SAGAN.
    Do not use it with ``wasserstein``, or with a gradient penalty, which already bounds the slope.

    Source: Miyato et al. (2018), "Spectral Normalization for GANs", arXiv:1802.05957, equations 7 to 9 and Appendix A;
    SAGAN, arXiv:1805.08318, section 4.1, uses it in both networks.

    Options:
        iterations: power iterations per turn of the network that holds the layer.
        eps: lower bound of the norms that u and v are divided by; a large one would shrink u, v and σ̂.
    """

    iterations: int = option(1, low=1)
    eps: float = option(1e-12, above=0, high=1e-6)

    def wrap(self, layer: nn.Module) -> SpectralNorm:
        """Return ``layer`` wrapped, with a start for u from torch's global random numbers.

        Raise PlacementError if the layer is wrapped already, has no weight of two or more dimensions, or a weight of zeros.
        """
        return SpectralNorm(layer, self.iterations, self.eps)


class SpectralNorm(nn.Module, HasEstimates, SingularValue):
    """Calls ``layer`` with W̄ in place of its weight; arguments and output are the layer's.

    The buffers u [output channels] and v [all others] have unit norm, and are float32 even if the weight has lower precision.
    Forward never writes them, in training or evaluation: only ``advance`` and ``settle`` do.
    """

    u: Tensor
    v: Tensor

    def __init__(self, layer: nn.Module, iterations: int, eps: float) -> None:
        super().__init__()
        weight = _weight_of(layer)
        self.layer = layer
        self.iterations, self.eps = iterations, eps
        self._call = call_of(layer)
        self._order = _order_of(layer, weight)
        rows, columns = matrix_of(weight, self._order).shape
        precision = torch.promote_types(weight.dtype, torch.float32)
        self.register_buffer("u", _start(rows, precision, weight.device))
        self.register_buffer("v", torch.zeros(columns, dtype=precision, device=weight.device))
        if not weight.is_meta:
            self.settle(WARM_UP)

    @property
    def weight(self) -> Tensor:
        """W̄, of the same shape as the layer's weight and twice differentiable; computed anew at each access."""
        return divide(self._parameter, self.u, self.v, self._order)

    @property
    def bias(self) -> Tensor | None:
        """The layer's bias [C], which is not normalised, or None."""
        bias: Tensor | None = getattr(self.layer, "bias", None)
        return bias

    @property
    def _parameter(self) -> Tensor:
        parameter: Tensor = self.layer.weight  # type: ignore[assignment]  # checked in _weight_of
        return parameter

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the layer's output, of any shape, with W̄ as its weight."""
        return self._call(self.layer, self.weight, *args, **kwargs)

    def sigma(self) -> Tensor:
        """Return σ̂ = uᵀ M v, 0-dim, at most the largest singular value."""
        return singular_value(self._parameter, self.u, self.v, self._order)

    def advance(self) -> None:
        """Run ``iterations`` power iterations."""
        self.settle(self.iterations)

    @torch.no_grad()
    def settle(self, n: int = 20) -> None:
        """Run n power iterations: after initialising, averaging or loading foreign weights."""
        matrix = matrix_of(self._parameter, self._order).to(self.u.dtype)
        with without_autocast(matrix):
            for _ in range(n):
                functional.normalize(torch.mv(matrix.mT, self.u), dim=0, eps=self.eps, out=self.v)
                functional.normalize(torch.mv(matrix, self.v), dim=0, eps=self.eps, out=self.u)


def _start(rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a random unit vector [rows], equal on every device but meta, where random numbers would import sympy."""
    if device.type == "meta":
        return torch.empty(rows, dtype=dtype, device=device)
    return functional.normalize(torch.randn(rows, dtype=dtype, device="cpu"), dim=0).to(device)


def _weight_of(layer: nn.Module) -> nn.Parameter:
    """Return the weight to normalise. Raise PlacementError if there is none."""
    name = type(layer).__name__
    if isinstance(layer, SpectralNorm):
        raise PlacementError(name, "the layer is already spectrally normalised", "wrap it once")
    weight = dict(layer.named_parameters(recurse=False)).get("weight")
    if weight is None or weight.ndim < 2:
        raise PlacementError(name, "spectral norm needs a layer with a weight of its own, of two or more dimensions")
    if not weight.is_meta and not weight.any():
        raise PlacementError(
            name, "spectral norm cannot divide a weight of zeros by its norm", "initialise it, or leave it unwrapped"
        )
    return weight


def _order_of(layer: nn.Module, weight: Tensor) -> tuple[int, ...]:
    """Return the order of dimensions, output channels first, in which the weight becomes a matrix.

    It is the memory order of channels_last, where the matrix is a view; otherwise it is a copy. Singular values do not depend
    on the order of columns, but u and v do, so it must not change with the memory format. Transposed convolutions store (in,
    out, kernel): dimension 1 comes first.
    """
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return (1, 0, *range(2, weight.ndim))
    return (0, *range(2, weight.ndim), 1)
