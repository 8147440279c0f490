"""How weight norms are tested, and the properties that only they have."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks.errors import PlacementError
from ganblocks.kinds.module_capabilities import DerivesWeight, HasEstimates, SingularValue
from ganblocks.seeding import seeded
from ganblocks.testing import expect
from ganblocks.testing.cases import Arguments, ModuleCase, call, drawn, expect_state, state
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.checks.modules import PROPERTIES as MODULE_PROPERTIES
from ganblocks.testing.properties import properties
from ganblocks.testing.strategies import batches
from ganblocks.weights import advance_estimates, settle_estimates, shared_weights

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Linear(6, 5)": lambda: nn.Linear(6, 5),
    "Conv2d(3, 4, 3)": lambda: nn.Conv2d(3, 4, 3, padding=1),
    "Conv2d(3, 4, 1) without bias": lambda: nn.Conv2d(3, 4, 1, bias=False),
    "ConvTranspose2d(3, 5, 4)": lambda: nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1),
    "Embedding(3, 6)": lambda: nn.Embedding(3, 6),
}
"""The layers that GANs are made of: description -> layer."""


@frozen(kw_only=True)
class LayerCase(ModuleCase):
    """A weight norm, a layer and its input."""

    kind: ClassVar[str] = "weight_norm"

    layer: str

    def inner(self) -> nn.Module:
        """Return the layer, initialised."""
        with seeded(self.seed):
            return LAYERS[self.layer]()

    def make(self) -> nn.Module:
        """Return the wrapped layer."""
        layer = self.inner()
        with seeded(self.seed + 1):
            wrapped: nn.Module = self.component.wrap(layer)
            return wrapped

    def arguments(self) -> Arguments:
        """Return the layer's input."""
        if self.layer.startswith("Embedding"):
            return (self.labels(3, self.batch),)
        return (self.normal(self.batch, 6) if self.layer.startswith("Linear") else self.normal(self.batch, 3, 4, 4),)

    def shape(self) -> tuple[int, ...]:
        return tuple(call(self.inner(), self.arguments()).shape)


def wraps_every_layer_or_says_why_not(case: LayerCase) -> None:
    """Linear, convolution, transposed convolution and embedding are wrapped, or refused with a PlacementError."""
    try:
        case.make()
    except PlacementError as error:
        expect.that(error.rule, "refuses without a reason")


def shows_the_weight_that_it_uses(case: LayerCase) -> None:
    """`.weight` is the normalised weight and `.bias` the bias: the layer called with them gives what the wrapper gives."""
    module, inner, arguments = case.build().eval(), case.inner(), case.arguments()
    weight, bias = _weight_and_bias(module)
    expect.that(weight.shape == dict(inner.named_parameters())["weight"].shape, f"`.weight` has shape {list(weight.shape)}")
    own = {"weight": weight} | ({} if bias is None else {"bias": bias})
    wanted = torch.func.functional_call(inner, own, arguments)
    expect.close(call(module, arguments), wanted, "the wrapper's output, against its layer with .weight and .bias", 1e-5)


def leaves_the_bias_as_it_is(case: LayerCase) -> None:
    """The bias is the layer's own, bit for bit."""
    before = dict(case.inner().named_parameters()).get("bias")
    after = _weight_and_bias(case.fresh())[1]
    expect.that((before is None) == (after is None), f"`.bias` is {'absent' if after is None else 'there'}, unlike the layer's")
    if before is not None and after is not None:
        expect.same(after, before, ".bias")


def its_estimate_moves_only_by_advance_and_settle(case: LayerCase) -> None:
    """advance and settle change no parameter and leave everything finite; an estimate that has settled stays the same."""
    module = case.build()
    estimate = expect.require(module, HasEstimates)
    parameters = {name: value.detach().clone() for name, value in module.named_parameters()}
    estimate.advance()
    estimate.settle(200)
    for name, value in module.named_parameters():
        expect.same(value, parameters[name], f"{name} after advance and settle")
    settled = _weight_and_bias(module)[0].detach().clone()
    expect.finite(settled, "the weight after settle")
    estimate.advance()
    expect.close(_weight_and_bias(module)[0], settled, "the weight one step after 200 steps of settling", 1e-2)


def its_estimates_advance_together_as_each_alone(case: LayerCase) -> None:
    """advance_all and settle_all of two modules change each as advance and settle do, bit for bit."""
    modules = nn.ModuleList([case.build(), case.but(seed=case.seed + 7).build()])
    alone = [expect.require(module, HasEstimates) for module in copy.deepcopy(modules)]
    advance_estimates(modules)
    settle_estimates(modules, 3)
    for module in alone:
        module.advance()
        module.settle(3)
    expect_state(modules, state(nn.ModuleList(alone)), "after advance_all and settle_all")  # type: ignore[arg-type]


def a_shared_weight_is_the_weight(case: LayerCase) -> None:
    """Within a block that shares weights, output and gradient are those outside of it, also once the parameter has changed."""
    module, arguments = case.build(), case.arguments()
    expect.require(module, DerivesWeight)
    parameters = list(module.parameters())
    wanted = [call(module, arguments) for _ in range(2)]
    with shared_weights(module):
        shared = [call(module, arguments) for _ in range(2)]
        expect.close(torch.stack(shared), torch.stack(wanted), "the outputs within the block", 1e-5)
        gradients = zip(*(_gradients(outputs, parameters) for outputs in (shared, wanted)), strict=True)
        for gradient, other in gradients:
            expect.close(gradient, other, "a gradient of the outputs within the block", 1e-4)
        with torch.no_grad():
            for parameter in parameters:
                parameter.add_(torch.linspace(0, 1, parameter.numel()).view_as(parameter))
        changed = call(module, arguments)
    expect.close(changed, call(module, arguments), "the output within the block after its parameters have changed", 1e-5)


def its_singular_value_can_be_logged(case: LayerCase) -> None:
    """sigma() is a finite 0-dim number of at least 0; reading it changes nothing."""
    module = case.build()
    before, sigma = state(module), expect.require(module, SingularValue).sigma()
    expect.that(sigma.ndim == 0 and torch.isfinite(sigma) and sigma >= 0, f"sigma() is {sigma}")
    expect_state(module, before, "after sigma()")


CASES = drawn(LayerCase, batch=batches, layer=st.sampled_from(list(LAYERS)))
PROPERTIES = (
    *MODULE_PROPERTIES,
    *properties(
        wraps_every_layer_or_says_why_not,
        shows_the_weight_that_it_uses,
        leaves_the_bias_as_it_is,
        its_estimate_moves_only_by_advance_and_settle,
        its_estimates_advance_together_as_each_alone,
        a_shared_weight_is_the_weight,
        its_singular_value_can_be_logged,
    ),
    *LEARNING,
)


def _weight_and_bias(module: nn.Module) -> tuple[Tensor, Tensor | None]:
    """Return ``.weight`` and ``.bias`` of a wrapper."""
    weight = getattr(module, "weight", None)
    expect.that(isinstance(weight, Tensor), "has no tensor `.weight`, which networks fold resampling into")
    return weight, getattr(module, "bias", None)  # type: ignore[return-value]


def _gradients(outputs: Sequence[Tensor], parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return the gradients of the sum of squares of all outputs at the parameters."""
    return torch.autograd.grad(torch.stack(list(outputs)).square().sum(), parameters)
