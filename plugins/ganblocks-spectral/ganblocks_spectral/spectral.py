"""Spectral normalisation: every weight divided by its largest singular value."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import HasEstimates, PlacementError, SingularValue, option
from ganblocks_spectral.call import call_of
from ganblocks_spectral.divide import divide, full_precision, matrix_of, singular_value

WARM_UP = 15
"""Power iterations at construction, as in torch's parametrization: a random start is then within a few percent of σ."""


@frozen(kw_only=True)
class Spectral:
    """Divide each weight by an estimate of its largest singular value, kept up to date by power iteration.

    W̄ = W / σ̂ with σ̂ = uᵀ M v, where M is the weight as a matrix of (output channels, all the rest). One iteration is
    v = Mᵀu / |Mᵀu|, u = M v / |M v|. The gradient takes u and v as constants, and passes through W in both places:
    dL/dW = (G - <G, W̄> u vᵀ) / σ̂ with G = dL/dW̄. σ̂ never exceeds the true value, so the largest singular value of W̄ comes
    down to 1 from above. What is bounded is M, not the convolution: for a k×k kernel the operator's norm may reach k.

    Use it in the discriminator with ``hinge``, at hardly any cost; in the generator too if training is unsteady, as SAGAN does.
    Not with ``wasserstein``, and not beside a gradient penalty, which bounds the slope already.

    Source: Miyato et al. (2018), "Spectral Normalization for GANs", arXiv:1802.05957, equations 7 to 9 and Appendix A;
    SAGAN, arXiv:1805.08318, section 4.1, uses it in both networks.

    Options:
        iterations: power iterations per turn of the network that holds the layer.
        eps: lower bound of the norms that u and v are divided by. A large one would shrink u and v, and σ̂ with them, to 0.
    """

    iterations: int = option(1, low=1)
    eps: float = option(1e-12, above=0, high=1e-6)

    def wrap(self, layer: nn.Module) -> SpectralNorm:
        """Own ``layer``, and start u from torch's global random numbers.

        Raises ``PlacementError`` where the layer is wrapped already, owns no weight of two or more dimensions, or a weight of zeros.
        """
        return SpectralNorm(layer, self.iterations, self.eps)


class SpectralNorm(nn.Module, HasEstimates, SingularValue):
    """Calls ``layer`` with W̄ in place of its weight; same arguments, same output.

    The buffers u [output channels] and v [the rest] have unit norm, and are float32 also where the weight is of lower
    precision. Forward reads them and never writes them, in training or evaluation: only ``advance`` and ``settle`` do.
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
        start = torch.randn(rows, dtype=precision, device="meta" if weight.is_meta else "cpu")  # the same wherever it lives
        self.register_buffer("u", functional.normalize(start, dim=0).to(weight.device))
        self.register_buffer("v", torch.zeros(columns, dtype=precision, device=weight.device))
        if not weight.is_meta:
            self.settle(WARM_UP)

    @property
    def weight(self) -> Tensor:
        """W̄, shaped as the layer's weight and differentiable (twice). Each reading computes it afresh."""
        return divide(self._parameter, self.u, self.v, self._order)

    @property
    def bias(self) -> Tensor | None:
        """The layer's own bias, which is never normalised; None where it has none."""
        bias: Tensor | None = getattr(self.layer, "bias", None)
        return bias

    @property
    def _parameter(self) -> Tensor:
        parameter: Tensor = self.layer.weight  # type: ignore[assignment]  # checked in _weight_of
        return parameter

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Whatever the layer computes, with W̄ for W."""
        return self._call(self.layer, self.weight, *args, **kwargs)

    def sigma(self) -> Tensor:
        """σ̂ = uᵀ M v, 0-dim: never more than the largest singular value."""
        return singular_value(self._parameter, self.u, self.v, self._order)

    def advance(self) -> None:
        """``iterations`` power iterations."""
        self.settle(self.iterations)

    @torch.no_grad()
    def settle(self, n: int = 20) -> None:
        """n power iterations: after initialising, averaging or loading foreign weights."""
        matrix = matrix_of(self._parameter, self._order).to(self.u.dtype)
        with full_precision(matrix):
            for _ in range(n):
                functional.normalize(torch.mv(matrix.mT, self.u), dim=0, eps=self.eps, out=self.v)
                functional.normalize(torch.mv(matrix, self.v), dim=0, eps=self.eps, out=self.u)


def _weight_of(layer: nn.Module) -> nn.Parameter:
    """The weight to normalise, if it can be."""
    name = type(layer).__name__
    if isinstance(layer, SpectralNorm):
        raise PlacementError(name, "the layer is spectrally normalised already", "wrap it once")
    weight = dict(layer.named_parameters(recurse=False)).get("weight")
    if weight is None or weight.ndim < 2:
        raise PlacementError(name, "spectral norm needs a layer with a weight of its own, of two or more dimensions")
    if not weight.is_meta and not weight.any():
        raise PlacementError(
            name, "spectral norm cannot divide a weight of zeros by its norm", "initialise it, or leave it unwrapped"
        )
    return weight


def _order_of(layer: nn.Module, weight: Tensor) -> tuple[int, ...]:
    """The order of dimensions, output channels first, in which the weight becomes a matrix.

    It is the order of memory in channels_last, where the matrix is then a view; elsewhere it is a copy. The order of columns
    does not matter to singular values, but it must not change under u and v, so it does not follow the memory.
    Transposed convolutions store (in, out, kernel), so that dimension 1 comes first.
    """
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return (1, 0, *range(2, weight.ndim))
    return (0, *range(2, weight.ndim), 1)
