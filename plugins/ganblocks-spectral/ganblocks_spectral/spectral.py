"""Spectral normalisation: every weight is divided by its largest singular value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import DerivesWeight, HasEstimates, PlacementError, SingularValue, option
from ganblocks_spectral.call import call_of
from ganblocks_spectral.divide import Estimate, divide
from ganblocks_spectral.power import grouped, power_iterations

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


class SpectralNorm(nn.Module, HasEstimates, SingularValue, DerivesWeight):
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
        self._shared: _Shared | None = None
        rows = weight.shape[self._order[0]]
        precision = torch.promote_types(weight.dtype, torch.float32)
        self.register_buffer("u", _start(rows, precision, weight.device))
        self.register_buffer("v", torch.zeros(weight.numel() // rows, dtype=precision, device=weight.device))
        if not weight.is_meta:
            self.settle(WARM_UP)

    @property
    def weight(self) -> Tensor:
        """W̄, of the same shape as the layer's weight and twice differentiable; computed anew unless it is shared."""
        if (shared := self._fitting()) is not None:
            return shared
        return divide([self.parameter], [self.estimate])[0]

    @property
    def bias(self) -> Tensor | None:
        """The layer's bias [C], which is not normalised, or None."""
        bias: Tensor | None = getattr(self.layer, "bias", None)
        return bias

    @property
    def parameter(self) -> Tensor:
        """W, the layer's weight."""
        parameter: Tensor = self.layer.weight  # type: ignore[assignment]  # checked in _weight_of
        return parameter

    @property
    def estimate(self) -> Estimate:
        """The current singular vectors u [output channels] and v [all others]."""
        return Estimate(self.u, self.v, self._order)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the layer's output, of any shape, with W̄ as its weight."""
        return self._call(self.layer, self.weight, *args, **kwargs)

    def sigma(self) -> Tensor:
        """Return σ̂ = uᵀ M v, 0-dim, at most the largest singular value."""
        return self.estimate.sigma(self.parameter)

    def advance(self) -> None:
        """Run ``iterations`` power iterations."""
        self.settle(self.iterations)

    def settle(self, n: int = 20) -> None:
        """Run n power iterations: after initialising, averaging or loading foreign weights."""
        power_iterations([self.parameter], [self.estimate], n, self.eps)

    @classmethod
    def advance_all(cls, modules: Sequence[SpectralNorm]) -> None:
        """Run ``iterations`` power iterations of each module, together."""
        for (iterations, eps), alike in grouped(modules, lambda module: (module.iterations, module.eps)).items():
            power_iterations([module.parameter for module in alike], [module.estimate for module in alike], iterations, eps)

    @classmethod
    def settle_all(cls, modules: Sequence[SpectralNorm], n: int = 20) -> None:
        """Run n power iterations of each module, together."""
        for eps, alike in grouped(modules, lambda module: module.eps).items():
            power_iterations([module.parameter for module in alike], [module.estimate for module in alike], n, eps)

    @classmethod
    @contextmanager
    def weights_shared(cls, modules: Sequence[SpectralNorm]) -> Iterator[None]:
        """Within the block, use one W̄ in all forwards, as long as its parameter and its estimate stay as they are."""
        fresh = [module for module in modules if module._fitting() is None]  # a block around this one shares the others
        for learning in (False, True):  # frozen weights stay without a graph
            alike = [module for module in fresh if module.parameter.requires_grad == learning]
            shared = divide([module.parameter for module in alike], [module.estimate for module in alike]) if alike else ()
            for module, normalised in zip(alike, shared, strict=True):
                module._shared = _Shared.of(module.parameter, module.estimate, normalised)
        try:
            yield
        finally:
            for module in fresh:
                module._shared = None

    def _fitting(self) -> Tensor | None:
        """Return the shared W̄ if it is what parameter and estimate give now."""
        shared = self._shared
        return shared.normalised if shared is not None and shared.fits(self.parameter, self.estimate) else None


@frozen(eq=False)
class _Shared:
    """A W̄ and what it was computed from."""

    normalised: Tensor
    sources: tuple[Tensor, ...]
    """W, u and v."""
    versions: tuple[int, ...]
    """Of the sources: they count changes in place."""

    @classmethod
    def of(cls, weight: Tensor, estimate: Estimate, normalised: Tensor) -> _Shared:
        """Return a W̄ with its sources as they are now."""
        sources = (weight, estimate.u, estimate.v)
        return cls(normalised, sources, tuple(source._version for source in sources))

    def fits(self, weight: Tensor, estimate: Estimate) -> bool:
        """Return whether W̄ is what these sources give now, with the graph that they need."""
        sources = (weight, estimate.u, estimate.v)
        if any(one is not other for one, other in zip(sources, self.sources, strict=True)):
            return False
        if tuple(source._version for source in sources) != self.versions:
            return False
        return not torch.is_grad_enabled() or weight.requires_grad == self.normalised.requires_grad


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
