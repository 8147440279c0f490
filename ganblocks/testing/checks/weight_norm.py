"""How weight norms are tried, and what only they promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.errors import PlacementError
from ganblocks.kinds.module_capabilities import HasEstimates, SingularValue
from ganblocks.registry import Registry
from ganblocks.seeding import seeded
from ganblocks.testing.cases import Arguments, ModuleCase, call, state
from ganblocks.testing.promises import expect, expect_close, expect_finite, expect_same, only_if, promise, tried_with
from ganblocks.testing.strategies import batches, components, seeds

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Linear(6, 5)": lambda: nn.Linear(6, 5),
    "Conv2d(3, 4, 3)": lambda: nn.Conv2d(3, 4, 3, padding=1),
    "Conv2d(3, 4, 1) without bias": lambda: nn.Conv2d(3, 4, 1, bias=False),
    "ConvTranspose2d(3, 5, 4)": lambda: nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1),
    "Embedding(3, 6)": lambda: nn.Embedding(3, 6),
}
"""The layers that GANs are made of, in words and in torch."""


@frozen(kw_only=True)
class LayerCase(ModuleCase):
    """A weight norm, a layer and its input."""

    kind: ClassVar[str] = "weight_norm"

    layer: str

    def facts(self) -> dict[str, Any]:
        return {"around": self.layer, "batch": self.batch}

    def inner(self) -> nn.Module:
        """The layer, initialised."""
        with seeded(self.seed):
            return LAYERS[self.layer]()

    def make(self) -> nn.Module:
        layer = self.inner()
        with seeded(self.seed + 1):
            wrapped: nn.Module = self.component.wrap(layer)
            return wrapped

    def arguments(self) -> Arguments:
        if self.layer.startswith("Embedding"):
            return (self.labels(3, self.batch),)
        return (self.normal(self.batch, 6) if self.layer.startswith("Linear") else self.normal(self.batch, 3, 4, 4),)

    def shape(self) -> tuple[int, ...]:
        return tuple(call(self.inner(), self.arguments()).shape)


@tried_with("weight_norm")
def layers(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[LayerCase]:
    drawn = components(cls, registry, given)
    return st.builds(LayerCase, component=drawn, seed=seeds, batch=batches, layer=st.sampled_from(list(LAYERS)))


@promise("weight_norm")
def wraps_every_layer_or_says_why_not(case: LayerCase) -> None:
    """Linear, convolution, transposed convolution and embedding are wrapped, or refused with a PlacementError."""
    try:
        case.make()
    except PlacementError as error:
        expect(error.rule, "refuses without saying why")


@promise("weight_norm")
def shows_the_weight_that_it_uses(case: LayerCase) -> None:
    """`.weight` is the normalised weight and `.bias` the bias: the layer called with them gives what the wrapper gives."""
    module, arguments = case.build().eval(), case.arguments()
    weight, bias = _shown(module)
    inner = case.inner()
    expect(weight.shape == dict(inner.named_parameters())["weight"].shape, f"`.weight` has shape {list(weight.shape)}")
    own = {"weight": weight} | ({} if bias is None else {"bias": bias})
    wanted = torch.func.functional_call(inner, own, arguments)
    expect_close(call(module, arguments), wanted, "the wrapper's output, against its layer with .weight and .bias", 1e-5)


@promise("weight_norm")
def leaves_the_bias_as_it_is(case: LayerCase) -> None:
    """The bias is the layer's own, bit for bit."""
    before = dict(case.inner().named_parameters()).get("bias")
    after = _shown(case.fresh())[1]
    expect((before is None) == (after is None), f"`.bias` is {'absent' if after is None else 'there'}, unlike the layer's")
    if before is not None and after is not None:
        expect_same(after, before, ".bias")


@promise("weight_norm")
def its_estimate_moves_when_told_and_moves_nothing_else(case: LayerCase) -> None:
    """advance and settle change no parameter; they leave everything finite, and an estimate that was settled stays put."""
    module = case.build()
    only_if(isinstance(module, HasEstimates), "does not inherit HasEstimates")
    assert isinstance(module, HasEstimates)
    parameters = {name: value.detach().clone() for name, value in module.named_parameters()}
    module.advance()
    module.settle(200)
    for name, value in module.named_parameters():
        expect_same(value, parameters[name], f"{name} after advance and settle")
    settled = _shown(module)[0].detach().clone()
    expect_finite(settled, "the weight after settle")
    module.advance()
    expect_close(_shown(module)[0], settled, "the weight one step after 200 steps of settling", 1e-2)


@promise("weight_norm")
def its_singular_value_can_be_logged(case: LayerCase) -> None:
    """sigma() is a finite 0-dim number of at least 0; reading it changes nothing."""
    module = case.build()
    only_if(isinstance(module, SingularValue), "does not inherit SingularValue")
    assert isinstance(module, SingularValue)
    before = state(module)
    sigma = module.sigma()
    expect(sigma.ndim == 0 and torch.isfinite(sigma) and sigma >= 0, f"sigma() is {sigma}")
    for name, value in state(module).items():
        expect_same(value, before[name], f"{name} after sigma()")


def _shown(module: nn.Module) -> tuple[Tensor, Tensor | None]:
    """``.weight`` and ``.bias`` of a wrapper."""
    weight = getattr(module, "weight", None)
    expect(isinstance(weight, Tensor), "has no tensor `.weight`, which networks fold resampling into")
    return weight, getattr(module, "bias", None)  # type: ignore[return-value]
