"""Torch's optimizers: each component names its algorithm, and its options are torch's keywords.

Those that have one use torch's ``fused`` form, one kernel for all parameters, and the others its ``foreach`` form. On a CPU the
fused form ignores strides, and silently pairs a channels_last weight with the wrong entries of a gradient in another memory
format, so gradients and moments take their parameter's format before each step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import attrs
import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Moving, OptionError, moving, option
from ganblocks_update_rules.weights import laid_out

MOVING = ("rate", "beta2")
"""Options that ``settings`` returns for each step."""


@frozen(kw_only=True)
class TorchOptimizer:
    """The base of torch's optimizers: a rate that may be a schedule, and options passed on by name."""

    algorithm: ClassVar[type[torch.optim.Optimizer]]
    form: ClassVar[str] = "foreach"
    """Torch's keyword of the form of the steps: ``"fused"``, where the algorithm has it, or ``"foreach"``."""

    rate: Moving = moving(2e-4, low=0)  # 0 is allowed, because decays end there

    def start(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return torch's optimizer of ``parameters`` with these options."""
        options: dict[str, Any] = attrs.asdict(self, recurse=False, filter=lambda option, _: option.name not in MOVING)
        optimizer = self.algorithm(list(parameters), **options | {self.form: True})
        if self.form == "fused":
            optimizer.register_step_pre_hook(_lay_out)
        return optimizer

    def settings(self, images_seen: int) -> dict[str, Any]:
        """Return the values of this step's moving options, by torch's names."""
        return {"lr": self.rate.at(images_seen)}


@frozen(kw_only=True)
class _WithMoments(TorchOptimizer):
    """The options of Adam and its variants."""

    betas: tuple[float, float] = option((0.0, 0.9), low=0, below=1)
    beta2: Moving | None = moving(None, low=0, high=0.999999)
    eps: float = option(1e-8, above=0)
    weight_decay: float = option(0.0, low=0)

    def settings(self, images_seen: int) -> dict[str, Any]:
        """Return the values of this step's moving options, by torch's names."""
        betas = {} if self.beta2 is None else {"betas": (self.betas[0], self.beta2.at(images_seen))}
        return super().settings(images_seen) | betas


@frozen(kw_only=True)
class Adam(_WithMoments):
    """Adam: step by the running mean of gradients, divided by the root of the running mean of their squares.

    m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − rate · m̂ / (√v̂ + eps), with m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ).

    Use it as the default. In GANs β₁ is small, 0 or 0.5, because momentum amplifies the rotation of two players; β₂ = 0.9 gives
    noisy moments, so short runs do better with a larger one.

    Source: Kingma and Ba (2015), "Adam: A Method for Stochastic Optimization", arXiv:1412.6980, algorithm 1. The default
    β = (0, 0.9) is SAGAN's (arXiv:1805.08318, section 5), and the default rate 2e-4 that of Miyato et al. 2018
    (arXiv:1802.05957).

    Options:
        rate: step size; a number or a schedule.
        betas: decay of the two running means.
        beta2: a schedule that replaces the second of ``betas``; default: none.
        eps: added to the root to avoid division by zero.
        weight_decay: λ of an L2 term, added to the gradient as λθ.
    """

    algorithm = torch.optim.Adam
    form = "fused"


@frozen(kw_only=True)
class AdamW(_WithMoments):
    """Adam with decoupled weight decay: θ ← θ − rate · (m̂ / (√v̂ + eps) + weight_decay · θ).

    Use it instead of "adam" for weight decay: in "adam" the decay of a weight depends on the size of its gradients. Under a
    weight norm, decay only changes a scale that the norm removes; use "adam".

    Source: Loshchilov and Hutter (2019), "Decoupled Weight Decay Regularization", arXiv:1711.05101, algorithm 2.

    Options:
        rate: step size; a number or a schedule.
        betas: decay of the two running means.
        beta2: a schedule that replaces the second of ``betas``; default: none.
        eps: added to the root to avoid division by zero.
        weight_decay: share of each weight that a step of rate 1 removes.
    """

    algorithm = torch.optim.AdamW
    form = "fused"

    weight_decay: float = option(0.01, low=0)


@frozen(kw_only=True)
class NAdam(_WithMoments):
    """Adam with Nesterov momentum: the step uses the running mean as it will be after the next gradient.

    With β₁ = 0 this would be Adam: the default is torch's (0.9, 0.999).

    Use it where one player alone is hard to optimise. Its momentum amplifies the rotation of two players: in a GAN prefer
    "adam" with a small β₁.

    Source: Dozat (2016), "Incorporating Nesterov Momentum into Adam", ICLR workshop,
    https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, algorithm 2 (no arXiv version).

    Options:
        rate: step size; a number or a schedule.
        betas: decay of the two running means.
        beta2: a schedule that replaces the second of ``betas``; default: none.
        eps: added to the root to avoid division by zero.
        weight_decay: λ of an L2 term, added to the gradient as λθ.
    """

    algorithm = torch.optim.NAdam

    betas: tuple[float, float] = option((0.9, 0.999), low=0, below=1)


@frozen(kw_only=True)
class RAdam(_WithMoments):
    """Adam with a rectified, less noisy start: a warm-up of the adaptive rate, in closed form.

    While the variance of v̂ is not finite, steps are those of momentum; afterwards Adam's, times the rectification r_t.

    Use it instead of a warm-up of the rate, with β₂ of 0.99 or more: with the default of 0.9 the warm-up lasts only about ten
    steps.

    Source: Liu et al. (2020), "On the Variance of the Adaptive Learning Rate and Beyond", arXiv:1908.03265, algorithm 2.

    Options:
        rate: step size; a number or a schedule.
        betas: decay of the two running means.
        beta2: a schedule that replaces the second of ``betas``; default: none.
        eps: added to the root to avoid division by zero.
        weight_decay: λ of an L2 term, added to the gradient as λθ.
    """

    algorithm = torch.optim.RAdam


@frozen(kw_only=True)
class RMSprop(TorchOptimizer):
    """Divide gradients by the root of the running mean of their squares: v ← αv + (1−α)g²,  θ ← θ − rate · g / (√v + eps).

    Use it for a Wasserstein critic with clipped weights, whose loss is so unstable that momentum hurts, and with "consensus" as
    in its paper. Otherwise "adam" with β₁ = 0 is the same with a bias correction.

    Source: Tieleman and Hinton (2012), Coursera "Neural networks for machine learning", lecture 6.5; in GANs: Arjovsky et al.
    (2017), "Wasserstein GAN", arXiv:1701.07875, algorithm 1 (rate 5e-5).

    Options:
        rate: step size; a number or a schedule.
        alpha: decay of the running mean.
        eps: added to the root to avoid division by zero.
        weight_decay: λ of an L2 term, added to the gradient as λθ.
        momentum: factor of the last step in the next one.
        centered: divide by an estimate of the standard deviation instead of the root mean square.
    """

    algorithm = torch.optim.RMSprop

    rate: Moving = moving(5e-5, low=0)
    alpha: float = option(0.99, low=0, below=1)
    eps: float = option(1e-8, above=0)
    weight_decay: float = option(0.0, low=0)
    momentum: float = option(0.0, low=0, below=1)
    centered: bool = option(False)


@frozen(kw_only=True)
class SGD(TorchOptimizer):
    """Gradient descent, optionally with momentum: b ← momentum · b + g,  θ ← θ − rate · b.

    Use it for theory, which is mostly about plain descent, and as a control. For networks whose gradients differ in scale from
    layer to layer use "adam".

    Source: Robbins and Monro (1951), "A Stochastic Approximation Method", doi:10.1214/aoms/1177729586; momentum as in Sutskever
    et al. (2013), "On the importance of initialization and momentum in deep learning", ICML, section 2.

    Options:
        rate: step size; a number or a schedule.
        momentum: factor of the last step in the next one.
        nesterov: whether to use Nesterov momentum; needs momentum above 0.
        weight_decay: λ of an L2 term, added to the gradient as λθ.
    """

    algorithm = torch.optim.SGD
    form = "fused"

    rate: Moving = moving(1e-2, low=0)
    momentum: float = option(0.0, low=0, below=1)
    nesterov: bool = option(False)
    weight_decay: float = option(0.0, low=0)

    @nesterov.validator
    def _needs_momentum(self, attribute: attrs.Attribute[bool], value: bool) -> None:
        if value and self.momentum == 0:
            raise OptionError("must be false where momentum is 0", "give momentum a number above 0", attribute.name)


def _lay_out(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """Give every gradient, and what the optimizer keeps of it (a checkpoint has no strides), the strides of its parameter."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and parameter.grad.stride() != parameter.stride():
                parameter.grad = laid_out(parameter.grad, parameter)
            kept = optimizer.state.get(parameter, {})
            for name, value in kept.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                    kept[name] = laid_out(value, parameter)
