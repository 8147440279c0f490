"""Components that each lack one property, with the property that must fail and a part of its message."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from attrs import asdict, define, evolve, field, frozen
from attrs.validators import ge, instance_of
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ganblocks import (
    AddsTerm,
    AppliesMap,
    AttentionMap,
    Classes,
    CouplesSamples,
    DataError,
    DerivesWeight,
    Features,
    Game,
    Gated,
    HasEstimates,
    Images,
    ImageSpec,
    LoggedRun,
    Moving,
    Player,
    Sample,
    Score,
    SingularValue,
    Site,
    Turn,
    guarded_step,
    moving,
)
from ganblocks.testing.toys import Logistic, ToyDiscriminator, ToyGenerator, ToyImages

BROKEN: list[tuple[str, type, str, str]] = []
"""(kind, component class, the property that it lacks, part of what is observed)."""


def broken(kind: str, name: str, observed: str) -> Callable[[type], type]:
    """List a component class as one that lacks the property ``name``."""

    def register(cls: type) -> type:
        BROKEN.append((kind, cls, name, observed))
        return cls

    return register


def broken_block(lacks: str, observed: str, name: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """List a module class as an attention block that lacks a property."""

    def register(module: type[nn.Module]) -> type[nn.Module]:
        def build(self: Any, site: Site) -> nn.Module:
            return module(site)

        made = frozen(type(name, (), {"__doc__": module.__doc__, "build": build, "__module__": __name__}))
        BROKEN.append(("attention", made, lacks, observed))
        return module

    return register


class Honest(nn.Module):
    """x plus the tanh of a 3×3 convolution of x: lacks no property."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.conv = site.layer(nn.Conv2d(site.channels, site.channels, 3, padding=1), "conv")

    def change(self, x: Tensor) -> Tensor:
        return self.conv(x).tanh()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


@frozen
class HonestBlock:
    """The control: has every property."""

    def build(self, site: Site) -> nn.Module:
        return Honest(site)


@frozen
class Incomplete:
    """Has no method."""


# options


@broken("attention", "its_options_go_through_toml", "reads back as")
@frozen
class Drifting(HonestBlock):
    """Its option `squeeze` grows by one whenever it is read."""

    squeeze: int = field(default=1, converter=lambda value: value + 1)


@broken("attention", "is_described", "squeeze")
@frozen
class Undescribed(HonestBlock):
    """Says nothing of its option."""

    squeeze: int = 1


@broken("attention", "reads_all_its_options", "nothing reads the option unheeded")
@frozen
class Unheeding(HonestBlock):
    """Has an option `unheeded` beside one `channels`, which it reads, and validates it only."""

    channels: int = 3
    unheeded: int = field(default=1, validator=[instance_of(int), ge(0)])

    def build(self, site: Site) -> nn.Module:
        assert self.channels is not None
        return super().build(site)


@broken("optimizer", "reads_all_its_options", "nothing reads the option unsaid")
@frozen
class Oblivious:
    """Has an option `unsaid`, and a `rate`, which it reads."""

    rate: Moving = moving(1e-3)
    unsaid: Moving = moving(0.5)

    def start(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, 1.0)

    def settings(self, images_seen: int) -> dict[str, Any]:
        return {"lr": self.rate.at(images_seen)}


@frozen(kw_only=True)
class Rarely(HonestBlock):
    """Reads `rare` only where `often` is above 2, through attrs.asdict: an option may act in some settings only."""

    often: int = field(default=1, validator=[instance_of(int), ge(0)])
    rare: int = field(default=1, validator=[instance_of(int), ge(0)])

    def build(self, site: Site) -> nn.Module:
        if self.often > 2:
            asdict(self)
        return super().build(site)


# modules, as attention blocks


@broken_block("has_the_shape_and_type_of_its_kind", "shape", "Cropping")
class Cropping(Honest):
    """Loses a row in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y if self.training else y[:, :, 1:]


@broken_block("has_the_shape_and_type_of_its_kind", "float64", "Widening")
class Widening(Honest):
    """Returns double precision for single."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).double()


@broken_block("takes_a_batch_of_one", "shape", "Squeezing")
class Squeezing(Honest):
    """Squeezes the batch dimension away when it is 1."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(0)


@broken_block("values_and_gradients_are_finite", "not finite", "Dividing")
class Dividing(Honest):
    """Divides by a standard deviation that may be 0."""

    def change(self, x: Tensor) -> Tensor:
        return super().change(x / x.std((1, 2, 3), keepdim=True))


@broken_block("values_and_gradients_are_finite", "gradient", "Rooting")
class Rooting(Honest):
    """Takes a root whose slope at 0 is infinite."""

    def change(self, x: Tensor) -> Tensor:
        return super().change(x.square().sum(1, keepdim=True).sqrt().expand_as(x))


@broken_block("gradients_are_those_of_the_output", "finite differences", "Detaching")
class Detaching(Honest):
    """Keeps half of its input out of the graph."""

    def change(self, x: Tensor) -> Tensor:
        return super().change(x.detach())


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * ctx.saved_tensors[0].cos()


@broken_block("is_twice_differentiable_where_required", "finite differences", "Once")
class Once(Honest):
    """Has a first derivative only."""

    def change(self, x: Tensor) -> Tensor:
        return _Once.apply(super().change(x))


@broken_block("leaves_its_input_alone", "input after forward", "Overwriting")
class Overwriting(Honest):
    """Works in place on what it was given."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mul_(0.5)) if not x.requires_grad else super().forward(x * 0.5)


@broken_block("evaluation_changes_nothing", "after a forward in evaluation", "Counting")
class Counting(Honest):
    """Counts its forwards in evaluation too."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return super().forward(x)


@broken_block("remembers_only_in_buffers", "after forwards on others", "Remembering")
class Remembering(Honest):
    """Remembers how often it was called, in an attribute."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * self.calls


@broken_block("is_the_same_for_the_same_seed", "second module", "Dicing")
class Dicing(Honest):
    """Draws its start from Python's own random numbers."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.tilt = nn.Parameter(torch.tensor(random.random()))

    def change(self, x: Tensor) -> Tensor:
        return super().change(x) * self.tilt


_shared: dict[int, nn.Parameter] = {}


@broken_block("is_the_same_for_the_same_seed", "share a tensor", "Sharing")
class Sharing(Honest):
    """All blocks of one width share a parameter."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.tilt = _shared.setdefault(site.channels, nn.Parameter(torch.ones(site.channels, 1, 1)))

    def change(self, x: Tensor) -> Tensor:
        return super().change(x) * self.tilt


@broken_block("can_be_copied", "holds on to the original", "Clinging")
class Clinging(Honest):
    """Calls its layer through a closure, which a copy takes along."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        conv = self.conv
        self.call = lambda x: conv(x)

    def change(self, x: Tensor) -> Tensor:
        return self.call(x).tanh()


@broken_block("its_state_goes_through_a_file", "loaded module's output", "Forgetting")
class Forgetting(Honest):
    """Keeps a running mean that is not saved."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.register_buffer("mean", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.5 * self.mean + 0.5 * x.detach().mean() + 1
        return super().forward(x) + (0 if self.training else self.mean)


@broken_block("runs_in_bfloat16", "raises", "Mixing")
class Mixing(Honest):
    """Hands tensors of two types to one operation under autocast."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.conv(x), 0.5)


@broken_block("takes_channels_last", "raises", "Viewing")
class Viewing(Honest):
    """Takes memory to be contiguous."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(len(x), -1).view(x.shape))


@broken_block("samples_do_not_meet_unless_it_says_so", "MixesSamples", "Centring")
class Centring(Honest):
    """Subtracts the batch's mean, and does not say so."""

    def change(self, x: Tensor) -> Tensor:
        return super().change(x - x.mean(0) if self.training else x)


@broken_block("can_be_planned", "raises", "Reading")
class Reading(Honest):
    """Reads a weight while it is built."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.start = float(self.conv.weight.detach().sum())

    def change(self, x: Tensor) -> Tensor:
        return super().change(x) + self.start


@broken_block("stands_anywhere_or_says_why_not", "raises", "Halving")
class Halving(Honest):
    """Fails in forward at odd sizes, instead of refusing when it is built."""

    def change(self, x: Tensor) -> Tensor:
        halves = x.view(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3]) if x.is_contiguous() else x
        return super().change(halves.reshape(x.shape))


@broken_block("its_layers_take_the_weight_norm", "site.layer", "Bare")
class Bare(Honest):
    """Makes a layer by itself."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.more = nn.Conv2d(site.channels, site.channels, 1)

    def change(self, x: Tensor) -> Tensor:
        return super().change(self.more(x))


@broken_block("gamma_scales_its_effect", "γ = 0", "AlwaysOpen")
class AlwaysOpen(Honest, Gated):
    """Has an effect also at γ = 0."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.gamma + 0.1) * self.change(x)


@broken_block("gamma_scales_its_effect", "does nothing", "NeverOpen")
class NeverOpen(AlwaysOpen):
    """Has no effect at any γ: a test at γ = 0 would never see it."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gamma * 0 * self.change(x)


@broken_block("its_map_is_a_distribution_over_keys", "sums", "WrongAxis")
class WrongAxis(Honest, AttentionMap):
    """Normalises over queries."""

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        tokens = self.conv(x).flatten(2)
        return torch.softmax(tokens.mT @ x.flatten(2), dim=1)[:, None], (x.shape[2], x.shape[3])


@broken_block("its_map_is_a_distribution_over_keys", "not finite", "Unknown")
class Unknown(Honest, AttentionMap):
    """Has a map of NaN."""

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        count = x.shape[2] * x.shape[3]
        return x.new_full((len(x), 1, count, count), torch.nan), (x.shape[2], x.shape[3])


class Attending(nn.Module, AttentionMap):
    """Attention as it should be: x and what its queries choose."""

    chosen: ClassVar[int] = -1
    """The axis over which weights sum to 1."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        layers = (site.layer(nn.Conv2d(site.channels, site.channels, 1), name) for name in ("query", "key", "value"))
        self.query, self.key, self.value = layers

    def scores(self, x: Tensor) -> Tensor:
        query, key = (layer(x).flatten(2) for layer in (self.query, self.key))
        return query.mT @ key

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.scores(x), self.chosen)
        return x + (weights @ self.value(x).flatten(2).mT).mT.view_as(x)

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        return torch.softmax(self.scores(x), -1)[:, None], (x.shape[2], x.shape[3])


@broken_block("what_its_map_attends_to_matters", "is this the map that forward uses", "Sideways")
class Sideways(Attending):
    """Normalises over queries, and shows a map that is normalised over keys."""

    chosen: ClassVar[int] = 1


@broken_block("what_its_map_attends_to_matters", "is this the map that forward uses", "Decorated")
class Decorated(Attending):
    """A convolution with the map of a block that attends."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.value(x) + 0.1 * self.query(x) + 0.1 * self.key(x)


@broken_block("what_its_map_attends_to_matters", "is this the map that forward uses", "Crossed")
class Crossed(Attending):
    """Its map is that of the keys' questions to the queries."""

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        return torch.softmax(self.scores(x).mT, -1)[:, None], (x.shape[2], x.shape[3])


@broken_block("its_map_is_a_distribution_over_keys", "where keys_seen says 2", "ShortSighted")
class ShortSighted(Attending):
    """Says that a query sees two keys, and attends to all of them."""

    def keys_seen(self) -> int:
        return 2


class Applying(Attending, AppliesMap):
    """Honest, and takes other maps too."""

    def with_map(self, x: Tensor, attention: Tensor) -> Tensor:
        return x + (attention[:, 0] @ self.value(x).flatten(2).mT).mT.view_as(x)


@broken_block("its_map_is_the_one_that_forward_uses", "against forward", "Halved")
class Halved(Applying):
    """Adds half of what it attends to, with the map that it is given."""

    def with_map(self, x: Tensor, attention: Tensor) -> Tensor:
        return (x + super().with_map(x, attention)) / 2


@broken_block("its_map_is_the_one_that_forward_uses", "another map", "Obstinate")
class Obstinate(Applying):
    """Uses its own map whichever it is given."""

    def with_map(self, x: Tensor, attention: Tensor) -> Tensor:
        return self.forward(x)


class Transformer(Attending):
    """Honest, and with all that surrounds attention elsewhere: norms over all places, 3×3 layers, heads, a gate, an MLP."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.norm = nn.GroupNorm(1, site.channels)
        self.near = site.layer(nn.Conv2d(site.channels, site.channels, 3, padding=1), "near")
        self.wide = site.layer(nn.Conv2d(site.channels, site.channels, 1), "wide")

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        near, normal, heads = self.near(x), self.near(self.norm(x)), 2 - x.shape[1] % 2
        parts = (self.query(near), self.key(near), self.value(normal))
        query, key, value = (part.unflatten(1, (heads, -1)).flatten(3).mT for part in parts)
        return torch.softmax(query @ key.mT, -1), value

    def forward(self, x: Tensor) -> Tensor:
        weights, value = self.heads(x)
        attended = (weights @ value).mT.flatten(1, 2).view_as(x)
        y = x + torch.sigmoid(self.norm(x)) * self.near(attended)
        return y + self.wide(functional.relu(self.near(self.norm(y))))

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        return self.heads(x)[0], (x.shape[2], x.shape[3])


@frozen
class AttendingBlock:
    """The control of maps."""

    def build(self, site: Site) -> nn.Module:
        return Attending(site)


@frozen
class ApplyingBlock:
    """A control of maps that can be replaced."""

    def build(self, site: Site) -> nn.Module:
        return Applying(site)


@frozen
class TransformerBlock:
    """The other control of maps."""

    def build(self, site: Site) -> nn.Module:
        return Transformer(site)


@broken_block("lets_a_toy_game_learn", "no gradient has reached", "Idle")
class Idle(Honest):
    """Owns a layer that it never uses."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.idle = site.layer(nn.Conv2d(site.channels, 2, 1), "idle")


# norms


class _Scale(nn.Module):
    def __init__(self, site: Site) -> None:
        super().__init__()
        count = site.condition.count if isinstance(site.condition, Classes) else 1
        self.gain = nn.Parameter(torch.ones(count, site.channels))

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        gain = self.gain[condition] if len(self.gain) > 1 else self.gain
        return x * self.pooled(gain)[:, :, None, None]

    def pooled(self, gain: Tensor) -> Tensor:
        return gain


class _PooledScale(_Scale):
    def pooled(self, gain: Tensor) -> Tensor:
        return gain.mean(0, keepdim=True)


@broken("norm", "a_sample_s_condition_moves_that_sample_only", "other samples")
@frozen
class Averaging:
    """Gives every sample the mean of all samples' gains."""

    def build(self, site: Site) -> nn.Module:
        return _PooledScale(site)


class _Crash(_Scale):
    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is None or condition.dtype == torch.int64
        return super().forward(x, condition)


@broken("norm", "stands_anywhere_or_says_why_not", "AssertionError")
@frozen
class Surprised:
    """Falls over in forward when the condition is a vector."""

    def build(self, site: Site) -> nn.Module:
        return _Crash(site)


# weight norms


class _Wrapper(nn.Module):
    """Divides the weight by its Frobenius norm: lacks no property."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    @property
    def weight(self) -> Tensor:
        return self.layer.weight / self.layer.weight.norm()

    @property
    def bias(self) -> Tensor | None:
        return getattr(self.layer, "bias", None)

    def used(self) -> Tensor:
        return self.weight

    def forward(self, *args: Tensor) -> Tensor:
        return torch.func.functional_call(self.layer, {"weight": self.used()}, args)


@frozen
class Frobenius:
    """The control: an honest weight norm."""

    wrapper: ClassVar[type[nn.Module]] = _Wrapper

    def wrap(self, layer: nn.Module) -> nn.Module:
        return self.wrapper(layer)


@broken("weight_norm", "wraps_every_layer_or_says_why_not", "AttributeError")
@frozen
class Picky(Frobenius):
    """Falls over at an embedding, instead of refusing it."""

    def wrap(self, layer: nn.Module) -> nn.Module:
        layer.bias  # noqa: B018
        return self.wrapper(layer)


@broken("weight_norm", "shows_the_weight_that_it_uses", "against its layer")
@frozen
class TwoFaced(Frobenius):
    """Uses another weight than it shows."""

    class wrapper(_Wrapper):  # noqa: N801
        def used(self) -> Tensor:
            return 2 * self.weight


@broken("weight_norm", "leaves_the_bias_as_it_is", ".bias")
@frozen
class Unbiased(Frobenius):
    """Sets the bias to zero."""

    def wrap(self, layer: nn.Module) -> nn.Module:
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.bias)
        return self.wrapper(layer)


class _Estimate(_Wrapper, HasEstimates, SingularValue):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__(layer)
        self.register_buffer("scale", torch.ones(()))

    @property
    def weight(self) -> Tensor:
        return self.layer.weight / self.scale

    def advance(self) -> None:
        self.settle(1)

    @torch.no_grad()
    def settle(self, n: int = 20) -> None:
        self.scale.copy_(self.layer.weight.norm())

    def sigma(self) -> Tensor:
        return self.scale


@broken("weight_norm", "forward_never_advances_an_estimate", "after forwards")
@frozen
class Restless(Frobenius):
    """Advances its estimate in forward."""

    class wrapper(_Estimate):  # noqa: N801
        def forward(self, *args: Tensor) -> Tensor:
            self.scale = self.scale * 1.5
            return super().forward(*args)


@broken("weight_norm", "its_estimate_moves_only_by_advance_and_settle", "after advance and settle")
@frozen
class Shrinking(Frobenius):
    """Advancing rescales the parameter itself."""

    class wrapper(_Estimate):  # noqa: N801
        @torch.no_grad()
        def settle(self, n: int = 20) -> None:
            self.layer.weight.mul_(0.9)


@broken("weight_norm", "its_estimates_advance_together_as_each_alone", "after advance_all and settle_all")
@frozen
class Lagging(Frobenius):
    """Advances only the first of several modules."""

    class wrapper(_Estimate):  # noqa: N801
        @classmethod
        def advance_all(cls, modules: Sequence[Any]) -> None:
            modules[0].advance()

        @classmethod
        def settle_all(cls, modules: Sequence[Any], n: int = 20) -> None:
            modules[0].settle(n)


class _Shared(_Estimate, DerivesWeight):
    """Derives its weight once, and does not see that the parameter changes."""

    kept: Tensor | None = None

    @property
    def weight(self) -> Tensor:
        return super().weight if self.kept is None else self.kept

    @classmethod
    @contextmanager
    def weights_shared(cls, modules: Sequence[Any]) -> Iterator[None]:
        for module in modules:
            module.__dict__["kept"] = module.weight
        yield
        for module in modules:
            module.__dict__["kept"] = None


@broken("weight_norm", "a_shared_weight_is_the_weight", "after its parameters have changed")
@frozen
class Stale(Frobenius):
    """Shares a weight whatever its parameter becomes."""

    wrapper = _Shared


@broken("weight_norm", "a_shared_weight_is_the_weight", "gradient")
@frozen
class Graphless(Frobenius):
    """Shares a weight without a graph."""

    class wrapper(_Shared):  # noqa: N801
        @property
        def weight(self) -> Tensor:
            weight = super().weight
            return weight if self.kept is None else weight.detach() + 0 * self.layer.weight


@broken("weight_norm", "its_singular_value_can_be_logged", "sigma()")
@frozen
class Negative(Frobenius):
    """Reports a singular value below 0."""

    class wrapper(_Estimate):  # noqa: N801
        def sigma(self) -> Tensor:
            return -self.scale


# heads


class _Head(nn.Module):
    def __init__(self, site: Site) -> None:
        super().__init__()
        self.linear = site.layer(nn.Linear(site.channels, 1), "linear")

    def forward(self, features: Tensor, label: Tensor | None) -> Score:
        return Score(self.linear(features)[:, 0], features=features)


@broken("conditioning", "returns_a_whole_score", "bfloat16")
@frozen
class Rounding:
    """Leaves logits in half precision under autocast."""

    def build(self, site: Site) -> nn.Module:
        return _Head(site)


class _Late(_Head):
    def forward(self, features: Tensor, label: Tensor | None) -> Score:
        if label is None:
            raise ValueError("labels, please")
        return super().forward(features, label)


@broken("conditioning", "stands_anywhere_or_says_why_not", "labels, please")
@frozen
class Demanding:
    """Finds out in forward that there are no classes."""

    def build(self, site: Site) -> nn.Module:
        return _Late(site)


class _BareHead(_Head):
    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.linear = nn.Linear(site.channels, 1)


@broken("conditioning", "its_layers_take_the_weight_norm", "site.layer")
@frozen
class Unwrapped:
    """Makes its layer by itself."""

    def build(self, site: Site) -> nn.Module:
        return _BareHead(site)


class _Gathering(_Head, AddsTerm):
    def term(self, turn: Turn) -> Tensor:
        features = turn.fake.score.features
        assert features is not None
        return (features - features.mean(0)).square().mean()


@broken("conditioning", "samples_meet_only_if_it_says_so", "CouplesSamples if samples are meant to interact")
@frozen
class Gathering:
    """Draws the features of a batch to their mean, and says nothing of it."""

    def build(self, site: Site) -> nn.Module:
        return _Gathering(site)


# networks

Change = Callable[[Any], Any]


class _Fixed(nn.Module):
    """A network behind a change of its output or input."""

    def __init__(
        self, inner: nn.Module, before: Callable[..., Any] | None = None, after: Callable[..., Any] | None = None
    ) -> None:
        super().__init__()
        self.inner, self.before, self.after = inner, before, after

    def forward(self, x: Tensor, label: Tensor | None) -> Any:
        output = self.inner(x if self.before is None else self.before(x), label)
        return output if self.after is None else self.after(output)


@broken("generator", "its_images_are_within_range", "outside [-1, 1]")
@frozen(kw_only=True)
class Bright(ToyGenerator):
    """Makes images twice too bright. Options: latent, width, attention, norm."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        return _Fixed(super().build(image, site), after=lambda image: 2 * image)


@broken("generator", "the_latent_matters", "same images")
@frozen(kw_only=True)
class Deaf(ToyGenerator):
    """Ignores its latent. Options: latent, width, attention, norm."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        return _Fixed(super().build(image, site), before=lambda z: 0 * z)


@broken("generator", "stands_anywhere_or_says_why_not", "shape")
@frozen(kw_only=True)
class Inflexible(ToyGenerator):
    """Makes 8-pixel images whatever is asked. Options: latent, width, attention, norm."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        return super().build(evolve(image, size=8), site)


class _IdleNetwork(_Fixed):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__(inner)
        self.idle = nn.Parameter(torch.ones(3))


@broken("generator", "learns_in_a_game", "generator.idle")
@frozen(kw_only=True)
class HalfAsleep(ToyGenerator):
    """Owns a parameter that it never uses. Options: latent, width, attention, norm."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        return _IdleNetwork(super().build(image, site))


@broken("discriminator", "the_image_matters", "same logits")
@frozen(kw_only=True)
class Blind(ToyDiscriminator):
    """Ignores its image. Options: width, attention, conditioning."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        return _Fixed(super().build(image, site), before=lambda x: 0 * x)


@broken("discriminator", "stands_anywhere_or_says_why_not", "raises")
@frozen(kw_only=True)
class Colourful(ToyDiscriminator):
    """Fails in forward for images of one channel. Options: width, attention, conditioning."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        return super().build(evolve(image, channels=3), site)


@broken("discriminator", "returns_a_whole_score", "not a ganblocks.Score")
@frozen(kw_only=True)
class Naked(ToyDiscriminator):
    """Returns logits instead of a score. Options: width, attention, conditioning."""

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        return _Fixed(super().build(image, site), after=lambda score: score.logits)


# initializations


@frozen
class _Uniform:
    """Fills everything, from the generator that it is given."""

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1, generator=rng)


@broken("initialization", "fills_weight_and_bias", "full of NaN")
@frozen
class Halfway(_Uniform):
    """Leaves the bias as it was."""

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        nn.init.uniform_(layer.weight, -0.1, 0.1, generator=rng)


@broken("initialization", "draws_from_its_generator_only", "global random numbers")
@frozen
class Global(_Uniform):
    """Draws from torch's global numbers."""

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)


@broken("initialization", "other_generators_give_other_weights", "same weights")
@frozen
class Constantly(_Uniform):
    """Draws nothing."""

    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        for parameter in layer.parameters():
            nn.init.constant_(parameter, 0.1)


# losses


@broken("loss", "is_one_number_of_the_logits_type", "0-dim")
@frozen
class Unreduced(Logistic):
    """Forgets the mean."""

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return functional.softplus(-fake)


@broken("loss", "stays_finite_for_extreme_logits", "±10,000")
@frozen
class Naive(Logistic):
    """Takes the logarithm of a sigmoid."""

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -torch.log(torch.sigmoid(fake)).mean()


@broken("loss", "pulls_in_the_right_direction", "swapped")
@frozen
class Swapped(Logistic):
    """Takes fakes for real."""

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().for_discriminator(fake, real)


@broken("loss", "gradients_are_those_of_the_value", "gradient")
@frozen
class Severed(Logistic):
    """Loses the gradient of the real side."""

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().for_discriminator(0.5 * real + 0.5 * real.detach(), fake)


@broken("loss", "is_a_mean_over_the_batch", "twice over")
@frozen
class Summing(Logistic):
    """Sums over the batch."""

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().for_discriminator(real, fake) * len(real)


_memory = itertools.count(1)


@broken("loss", "has_no_memory", "same logits again")
@frozen
class Growing(Logistic):
    """Grows with every call."""

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().for_discriminator(real, fake) * (1 + 0.01 * next(_memory))


@broken("loss", "samples_meet_only_if_it_says_so", "CouplesSamples if samples are meant to interact")
@frozen
class Levelling(Logistic):
    """Compares fakes with the mean of real images, and says nothing of it."""

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return functional.softplus(-real).mean() + functional.softplus(fake - real.mean()).mean()


@broken("loss", "samples_meet_only_if_it_says_so", "is that of the whole")
@frozen
class Sociable(CouplesSamples, Logistic):
    """Says that samples meet in it, and they do not."""


@broken("loss", "reads_real_in_the_generator_s_turn_only_if_it_says_so", "generator_reads_real is True")
@frozen
class Pretending(Logistic):
    """Says that it reads real logits in the generator's turn, and does not."""

    generator_reads_real: ClassVar[bool] = True


@broken("loss", "reads_real_in_the_generator_s_turn_only_if_it_says_so", "where it is given real logits")
@frozen
class Denying(Logistic):
    """Says that it reads no real logits in the generator's turn, and does where it gets some."""

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return super().for_generator(None, fake if real is None else fake - real.mean())


@broken("loss", "reads_real_in_the_generator_s_turn_only_if_it_says_so", "raises TypeError")
@frozen
class Forgetful(Logistic):
    """Needs real logits in the generator's turn, and does not say so."""

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return super().for_generator(None, fake - real)  # type: ignore[operator]  # the fault


# augmentations


class _Shift(nn.Module):
    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        return self.change(image, torch.rand(len(image), 1, 1, 1, generator=rng).to(image))

    def change(self, image: Tensor, amount: Tensor) -> Tensor:
        return image + amount


@frozen
class Shift:
    """The control: adds a random brightness."""

    differentiable: ClassVar[bool] = True
    module: ClassVar[type[nn.Module]] = _Shift

    def build(self) -> nn.Module:
        return self.module()


@broken("augment", "keeps_shape_and_type", "shape")
@frozen
class Cutting(Shift):
    """Cuts off a column."""

    class module(_Shift):  # noqa: N801
        def change(self, image: Tensor, amount: Tensor) -> Tensor:
            return (image + amount)[..., : max(image.shape[-1] - 1, 1)]


@broken("augment", "draws_from_its_generator_only", "global random numbers")
@frozen
class Stealing(Shift):
    """Draws from torch's global numbers."""

    class module(_Shift):  # noqa: N801
        def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
            return image + torch.rand(1).to(image)


@broken("augment", "leaves_its_input_alone", "came in")
@frozen
class Painting(Shift):
    """Paints over the images that it is given."""

    class module(_Shift):  # noqa: N801
        def change(self, image: Tensor, amount: Tensor) -> Tensor:
            return image.add_(amount) if not image.requires_grad else image + amount


@broken("augment", "samples_do_not_meet", "beside others")
@frozen
class Blending(Shift):
    """Blends each image with its neighbour."""

    class module(_Shift):  # noqa: N801
        def change(self, image: Tensor, amount: Tensor) -> Tensor:
            return image + amount * image.roll(1, 0)


@broken("augment", "takes_channels_last", "channels_last")
@frozen
class Strided(Shift):
    """Reads memory in one order only."""

    class module(_Shift):  # noqa: N801
        def change(self, image: Tensor, amount: Tensor) -> Tensor:
            return image.as_strided(image.shape, torch.empty(image.shape).stride()) + amount


@broken("augment", "its_state_goes_through_a_file", "after a forward")
@frozen
class Drifted(Shift):
    """Its strength grows with every forward."""

    class module(_Shift):  # noqa: N801
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("strength", torch.ones(()))

        def change(self, image: Tensor, amount: Tensor) -> Tensor:
            self.strength += 1
            return image + amount * self.strength


@broken("augment", "gradients_pass_where_it_says_so", "gradient")
@frozen
class Blocking(Shift):
    """Says that gradients pass, and cuts them off."""

    class module(_Shift):  # noqa: N801
        def change(self, image: Tensor, amount: Tensor) -> Tensor:
            return image.detach() + amount


# penalties


class _Flat(nn.Module):
    """The mean square of the logits."""

    def forward(self, turn: Turn) -> Tensor:
        return turn.fake.score.logits.square().mean()


@frozen
class Flat:
    """The control: small logits for fakes."""

    players: ClassVar[Any] = frozenset({Player.DISCRIMINATOR})
    reads_image_gradient: ClassVar[bool] = False
    module: ClassVar[type[nn.Module]] = _Flat

    def build(self) -> nn.Module:
        return self.module()


@broken("penalty", "says_whose_objective_it_joins", "frozenset of Player")
@frozen
class Anyone(Flat):
    """Names its players by strings in a list."""

    players: ClassVar[Any] = ["discriminator"]


@broken("penalty", "is_one_finite_number", "0-dim")
@frozen
class PerSample(Flat):
    """Gives a value per sample."""

    class module(nn.Module):  # noqa: N801
        def forward(self, turn: Turn) -> Tensor:
            return turn.fake.score.logits.square()


@broken("penalty", "its_gradients_are_finite_and_for_its_player_only", "not finite")
@frozen
class Steep(Flat):
    """Takes the root of the logits' distance to themselves."""

    class module(nn.Module):  # noqa: N801
        def forward(self, turn: Turn) -> Tensor:
            logits = turn.fake.score.logits
            return (logits - logits.detach()).abs().sqrt().mean()


@broken("penalty", "is_one_finite_number", "raises")
@frozen
class Secretive(Flat):
    """Differentiates by the images without saying so."""

    class module(nn.Module):  # noqa: N801
        def forward(self, turn: Turn) -> Tensor:
            return torch.autograd.grad(turn.real.score.logits.sum(), turn.real.image, create_graph=True)[0].square().mean()


@broken("penalty", "is_repeatable_and_leaves_no_trace", "equal batch")
@frozen
class Moody(Flat):
    """Counts its calls, in an attribute."""

    class module(nn.Module):  # noqa: N801
        calls = 0

        def forward(self, turn: Turn) -> Tensor:
            self.calls += 1
            return self.calls * turn.fake.score.logits.square().mean()


@broken("penalty", "its_state_goes_through_a_file", "after loading")
@frozen
class Amnesic(Flat):
    """Its memory of turns is not saved."""

    class module(nn.Module):  # noqa: N801
        def __init__(self) -> None:
            super().__init__()
            self.turns = 0

        def forward(self, turn: Turn) -> Tensor:
            self.turns += turn.images_seen > 0
            return (1 + self.turns) * turn.fake.score.logits.square().mean()


@broken("penalty", "samples_meet_only_if_it_says_so", "CouplesSamples if samples are meant to interact")
@frozen
class Crowded(Flat):
    """Spreads the logits of a batch, and says nothing of it."""

    class module(nn.Module):  # noqa: N801
        def forward(self, turn: Turn) -> Tensor:
            return (turn.fake.score.logits - turn.fake.score.logits.mean()).square().mean()


@broken("penalty", "weights_scale_it", "weights")
@frozen
class Meddling(Flat):
    """Moves the discriminator while it looks."""

    class module(nn.Module):  # noqa: N801
        def forward(self, turn: Turn) -> Tensor:
            return 0 * turn.fake.score.logits.mean() + float(_noise.uniform(1, 2))


_noise = random.Random(0)


# optimizers


@frozen
class Plain:
    """The control: gradient descent."""

    def start(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(list(parameters), 0.1, momentum=0.5)

    def settings(self, images_seen: int) -> dict[str, Any]:
        return {"lr": 0.1}


@broken("optimizer", "takes_all_parameters", "1 of 2")
@frozen
class Partial(Plain):
    """Leaves the last parameter out."""

    def start(self, parameters: Any) -> torch.optim.Optimizer:
        return super().start(list(parameters)[:-1])


@broken("optimizer", "says_its_rate", "lr is")
@frozen
class Rateless(Plain):
    """Does not say its rate."""

    def settings(self, images_seen: int) -> dict[str, Any]:
        return {}


@broken("optimizer", "descends", "went from")
@frozen
class Uphill(Plain):
    """Climbs."""

    def start(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(list(parameters), 0.1, maximize=True)


class _Leaky(torch.optim.SGD):
    """Momentum that is kept beside the state."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.steps = getattr(self, "steps", 0) + 1
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                parameter -= self.param_groups[0]["lr"] * parameter.grad / self.steps


@broken("optimizer", "its_state_restores_bit_for_bit", "after restoring")
@frozen
class Leaky(Plain):
    """Counts steps outside its state."""

    def start(self, parameters: Any) -> torch.optim.Optimizer:
        return _Leaky(list(parameters), 0.1)


# update rules


@define(eq=False)
class _Updater:
    """Alternating gradient descent: lacks no property."""

    game: Any
    optimizers: dict[Player, torch.optim.Optimizer] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.optimizers = {p: torch.optim.SGD(n.parameters(), 0.05, momentum=0.5) for p, n in self.game.networks.items()}

    def step(self, next_batch: Any, images_seen: int) -> dict[str, Tensor]:
        metrics: dict[str, Tensor] = {}
        for player in (Player.DISCRIMINATOR, Player.GENERATOR):
            metrics |= self.game.backward(player, next_batch(player), images_seen)
            metrics |= {f"{player}/{name}": value for name, value in self.move(player).items()}
        return metrics

    def move(self, player: Player) -> dict[str, Tensor]:
        return guarded_step(self.optimizers[player], {"lr": 0.05})

    def state_dict(self) -> dict[str, Any]:
        return {str(player): optimizer.state_dict() for player, optimizer in self.optimizers.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[str(player)])


@frozen
class Descent:
    """The control: alternating gradient descent."""

    updater: ClassVar[type] = _Updater

    def start(self, game: Game) -> Any:
        return self.updater(game)


@frozen
class SteppingBack(Descent):
    """The control of rules that step back: once both turns are over, both players go half of the way back."""

    class updater(_Updater):  # noqa: N801
        def step(self, next_batch: Any, images_seen: int) -> dict[str, Tensor]:
            before = copy.deepcopy({player: list(network.parameters()) for player, network in self.game.networks.items()})
            metrics = super().step(next_batch, images_seen)
            with torch.no_grad():
                for player, network in self.game.networks.items():
                    for parameter, was in zip(network.parameters(), before[player], strict=True):
                        parameter.lerp_(was, 0.5)
            return metrics


@broken("update_rule", "only_the_player_that_looked_moves", "without a gradient of its own")
@frozen
class Turnless(Descent):
    """Only the discriminator has turns, and the generator moves when they are over."""

    class updater(_Updater):  # noqa: N801
        def step(self, next_batch: Any, images_seen: int) -> dict[str, Tensor]:
            metrics = self.game.backward(Player.DISCRIMINATOR, next_batch(Player.DISCRIMINATOR), images_seen)
            with torch.no_grad():
                for parameter in self.game.networks[Player.GENERATOR].parameters():
                    parameter.mul_(0.9)
            return metrics | self.move(Player.DISCRIMINATOR)


@broken("update_rule", "only_the_player_that_looked_moves", "without a gradient of its own")
@frozen
class Dragging(Descent):
    """Moves the other player as well, on gradients of long ago."""

    class updater(_Updater):  # noqa: N801
        def move(self, player: Player) -> dict[str, Tensor]:
            super().move(player.other)
            return super().move(player)


@broken("update_rule", "uses_no_stale_gradient", "not finite")
@frozen
class Hoarding(Descent):
    """Adds to the gradients that lie about."""

    class updater(_Updater):  # noqa: N801
        def step(self, next_batch: Any, images_seen: int) -> dict[str, Tensor]:
            parameters = list(self.game.networks[Player.GENERATOR].parameters())
            with torch.no_grad():
                for parameter in parameters:
                    if parameter.grad is not None:
                        parameter -= 0.01 * parameter.grad
            return super().step(next_batch, images_seen)


@broken("update_rule", "stops_at_a_gradient_that_is_not_finite", "NaN")
@frozen
class Reckless(Descent):
    """Steps without the guard."""

    class updater(_Updater):  # noqa: N801
        def move(self, player: Player) -> dict[str, Tensor]:
            self.optimizers[player].step()
            return {}


@broken("update_rule", "reports_numbers", "no metrics")
@frozen
class Silent(Descent):
    """Reports nothing."""

    class updater(_Updater):  # noqa: N801
        def step(self, next_batch: Any, images_seen: int) -> dict[str, Tensor]:
            super().step(next_batch, images_seen)
            return {}


@broken("update_rule", "both_players_move", "has not moved")
@frozen
class OneSided(Descent):
    """The generator never moves."""

    class updater(_Updater):  # noqa: N801
        def move(self, player: Player) -> dict[str, Tensor]:
            return super().move(player) if player is Player.DISCRIMINATOR else {}


@broken("update_rule", "its_state_restores_bit_for_bit", "after restoring")
@frozen
class Restarting(Descent):
    """Saves nothing of its momentum."""

    class updater(_Updater):  # noqa: N801
        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            pass


# data sets


@broken("dataset", "describes_itself_without_data", "class names")
@frozen
class Misnamed(ToyImages):
    """Names one class of several. Options: count, size, classes, seed."""

    def describe(self) -> ImageSpec:
        return evolve(super().describe(), classes=4, class_names=("only",))


@broken("dataset", "opens_to_what_it_describes", "uint8")
@frozen
class Floating(ToyImages):
    """Reads floats. Options: count, size, classes, seed."""

    def open(self) -> Images:
        images = super().open()
        return Images(lambda index: images.read(index).float(), images.labels, images.fingerprint, images.split)


@broken("dataset", "reads_any_image_alike", "reverse")
@frozen
class Positional(ToyImages):
    """What an index gives depends on where it stands in the list. Options: count, size, classes, seed."""

    def open(self) -> Images:
        images = super().open()

        def read(index: Tensor) -> Tensor:
            return images.read(index) + torch.arange(len(index), dtype=torch.uint8)[:, None, None, None]

        return Images(read, images.labels, images.fingerprint, images.split)


@broken("dataset", "reads_ahead_what_it_reads", "in another order")
@frozen
class Hasty(ToyImages):
    """Gives every reader what was begun last. Options: count, size, classes, seed."""

    def open(self) -> Images:
        images = super().open()
        last: list[Tensor] = []

        def begin(index: Tensor) -> Callable[[], Tensor]:
            last[:] = [index]
            return lambda: images.read(last[0])

        return evolve(images, begin=begin)


@broken("dataset", "holds_images_out", "both splits")
@frozen
class Leaking(ToyImages):
    """Trains on what it holds out. Options: count, size, classes, seed."""

    def open(self) -> Images:
        images = super().open()
        everything = torch.arange(len(images.labels))
        return Images(
            images.read, images.labels, images.fingerprint, {"train": everything, "held_out": images.split["held_out"]}
        )


@broken("dataset", "opens_to_what_it_describes", "class names")
@frozen
class Renamed(ToyImages):
    """Has another number of names when it is opened. Options: count, size, classes, seed."""

    def open(self) -> Images:
        return evolve(super().open(), class_names=("only",) * (self.classes + 1))


@broken("dataset", "trains_on_every_class", "are held out")
@frozen
class Withholding(ToyImages):
    """Holds out all of its last class. Options: count, size, classes, seed."""

    def open(self) -> Images:
        images = super().open()
        held_out = images.labels == images.labels.max()
        held_out &= ~held_out.all()
        split = {"train": torch.nonzero(~held_out).flatten(), "held_out": torch.nonzero(held_out).flatten()}
        return evolve(images, split=split)


@frozen
class Absent(ToyImages):
    """Has no data here. Options: count, size, classes, seed."""

    def open(self) -> Images:
        raise DataError("the disk is elsewhere")


# metrics


@frozen
class MeanGap:
    """The control: the distance between means."""

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"gap": "lower"}

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        for features in (real.features, fake.features):
            if features.ndim != 2 or len(features) < 2 or not features.isfinite().all():
                raise DataError("no sample")
        return {"gap": self.gap(real.features.double(), fake.features.double())}

    def gap(self, real: Tensor, fake: Tensor) -> float:
        return float((real.mean(0) - fake.mean(0)).norm())


@broken(
    "metric", "says_what_it_reads_and_which_way_is_better", "reads does not name labels and logits, without which it raises"
)
@frozen
class Peeking(MeanGap):
    """Reads labels, and does not say so."""

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        assert real.labels is not None
        return super().score(real, fake, seed)


@broken("metric", "says_what_it_reads_and_which_way_is_better", "without which its numbers are others")
@frozen
class Glancing(MeanGap):
    """Reads logits where there are some, and does not say so."""

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        numbers = super().score(real, fake, seed)
        return numbers if fake.logits is None else {"gap": numbers["gap"] + float(fake.logits.abs().mean())}


@broken("metric", "says_what_it_reads_and_which_way_is_better", "better names")
@frozen
class Nameless(MeanGap):
    """Says that a number leads which it does not return."""

    better: ClassVar[dict[str, str]] = {"distance": "lower"}


@broken("metric", "returns_finite_numbers", "'gap' is")
@frozen
class Tensorial(MeanGap):
    """Returns a tensor."""

    def gap(self, real: Tensor, fake: Tensor) -> Any:
        return (real.mean(0) - fake.mean(0)).norm()


@broken("metric", "repeats_itself", "then")
@frozen
class Chancy(MeanGap):
    """Draws from torch's global numbers."""

    def gap(self, real: Tensor, fake: Tensor) -> float:
        return super().gap(real, fake[torch.randperm(len(fake))[:30]])


@broken("metric", "the_order_of_real_images_does_not_matter", "gap")
@frozen
class Pairing(MeanGap):
    """Compares images one by one."""

    def gap(self, real: Tensor, fake: Tensor) -> float:
        return float((real - fake).norm(dim=1).mean())


@broken("metric", "says_that_worse_is_worse", "lower is better")
@frozen
class Inverted(MeanGap):
    """Grows as samples come nearer."""

    def gap(self, real: Tensor, fake: Tensor) -> float:
        return -super().gap(real, fake)


@broken("metric", "refuses_what_is_no_sample", "score")
@frozen
class Credulous(MeanGap):
    """Scores whatever it is given."""

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        return {"gap": float((real.features.mean() - fake.features.mean()).abs())}


@broken("metric", "leaves_samples_unchanged", "features were changed")
@frozen
class Lending(MeanGap):
    """Centres the features that it was lent."""

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        numbers = super().score(real, fake, seed)
        real.features.sub_(real.features.mean(0))
        return numbers


@frozen
class Reach:
    """The control: how far images are from grey."""

    better: ClassVar[dict[str, str]] = {"reach": "higher"}

    def examine(self, generate: Any, latent: Tensor, label: Tensor | None, seed: int) -> dict[str, float]:
        image = self.make(generate, latent, label)
        if not image.isfinite().all():
            raise DataError("images are not finite")
        return {"reach": float(image.abs().mean())}

    def make(self, generate: Any, latent: Tensor, label: Tensor | None) -> Tensor:
        return generate(latent, label).detach()


@broken("diagnostic", "says_which_way_is_better", "better names")
@frozen
class Misleading(Reach):
    """Says that a number leads which it does not return."""

    better: ClassVar[dict[str, str]] = {"distance": "higher"}


@broken("diagnostic", "returns_finite_numbers", "'reach' is")
@frozen
class Boundless(Reach):
    """Returns an infinite number."""

    def examine(self, generate: Any, latent: Tensor, label: Tensor | None, seed: int) -> dict[str, float]:
        return dict.fromkeys(super().examine(generate, latent, label, seed), float("inf"))


@broken("diagnostic", "repeats_itself", "then")
@frozen
class Wavering(Reach):
    """Draws from torch's global numbers."""

    def make(self, generate: Any, latent: Tensor, label: Tensor | None) -> Tensor:
        return super().make(generate, latent + torch.randn(latent.shape), label)


@broken("diagnostic", "leaves_the_generator_unchanged", "gradients reached the generator")
@frozen
class Pulling(Reach):
    """Leaves gradients behind."""

    def make(self, generate: Any, latent: Tensor, label: Tensor | None) -> Tensor:
        image = generate(latent, label)
        image.sum().backward()
        return image.detach()


@broken("diagnostic", "refuses_a_broken_generator", "not finite score")
@frozen
class Optimistic(Reach):
    """Takes what is not finite for grey."""

    def make(self, generate: Any, latent: Tensor, label: Tensor | None) -> Tensor:
        return super().make(generate, latent, label).nan_to_num()


# feature extractors


class _Means(nn.Module):
    def forward(self, image: Tensor) -> Features:
        return Features(self.vector(image.float() / 255))

    def vector(self, pixels: Tensor) -> Tensor:
        return pixels.mean((1, 3))[:, ::2]


@frozen
class Means:
    """The control: means of every other row."""

    named: ClassVar[str] = "means"
    module: ClassVar[type[nn.Module]] = _Means

    def protocol(self) -> dict[str, str]:
        return {"features": "means"}

    def open(self) -> nn.Module:
        return self.module()


@broken("feature_extractor", "sees_any_image", "raises")
@frozen
class Colourblind(Means):
    """Fails for images of three channels."""

    class module(_Means):  # noqa: N801
        def forward(self, image: Tensor) -> Features:
            if image.shape[1] == 3:
                raise ValueError("too colourful")
            return super().forward(image)


@broken("feature_extractor", "sees_each_image_alone", "alone")
@frozen
class Comparing(Means):
    """Sees an image against its batch."""

    class module(_Means):  # noqa: N801
        def vector(self, pixels: Tensor) -> Tensor:
            return super().vector(pixels - pixels.mean(0))


@broken("feature_extractor", "sees_the_same_each_time", "again")
@frozen
class Tiring(Means):
    """Sees less and less."""

    class module(_Means):  # noqa: N801
        looks = 0

        def vector(self, pixels: Tensor) -> Tensor:
            self.looks += 1
            return super().vector(pixels) / self.looks


@broken("feature_extractor", "tells_images_apart", "same features")
@frozen
class Bored(Means):
    """Sees the same in everything."""

    class module(_Means):  # noqa: N801
        def vector(self, pixels: Tensor) -> Tensor:
            return torch.ones(len(pixels), 4)


@broken("feature_extractor", "says_what_its_numbers_depend_on", "protocol")
@frozen
class Vague(Means):
    """Has numbers in its protocol."""

    def protocol(self) -> dict[str, Any]:
        return {"size": 8}


class _Page:
    """Writes what it gets into a file."""

    def __init__(self, run: LoggedRun) -> None:
        self.file = (run.folder / "page.txt").open("a", encoding="utf-8")

    def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
        self.file.write(f"{images_seen}: {numbers}\n")

    def images(self, name: str, grid: np.ndarray, images_seen: int) -> None:
        self.file.write(f"{images_seen}: {name} {grid.shape}\n")

    def rewind(self, images_seen: int) -> None:
        self.file.write(f"back to {images_seen}\n")

    def finish(self, complete: bool) -> None:
        self.file.close()


@frozen
class Page:
    """The control: has every property."""

    session: ClassVar[type[_Page]] = _Page

    def start(self, run: LoggedRun) -> _Page:
        return self.session(run)


@broken("logger", "takes_what_a_run_logs", "slash")
@frozen
class Slashless(Page):
    """Refuses names with a slash."""

    class session(_Page):  # noqa: N801
        def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
            if any("/" in name for name in numbers):
                raise ValueError("no slash, please")


@broken("logger", "continues_where_it_is_rewound_to", "only once")
@frozen
class Straight(Page):
    """Takes each moment only once."""

    class session(_Page):  # noqa: N801
        latest = -1

        def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
            if images_seen <= self.latest:
                raise ValueError("only once")
            self.latest = images_seen


@broken("logger", "leaves_its_arguments_unchanged", "the grid was modified")
@frozen
class Inverting(Page):
    """Inverts what it gets."""

    class session(_Page):  # noqa: N801
        def images(self, name: str, grid: np.ndarray, images_seen: int) -> None:
            np.subtract(255, grid, out=grid)


@broken("logger", "leaves_the_process_unchanged", "torch's random numbers changed")
@frozen
class Sampling(Page):
    """Logs some of what it gets, at random."""

    class session(_Page):  # noqa: N801
        def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
            if torch.rand(()) < 0.5:
                super().log(numbers, images_seen)


CONTROLS = [
    ("attention", HonestBlock),
    ("attention", Rarely),
    ("attention", AttendingBlock),
    ("attention", ApplyingBlock),
    ("attention", TransformerBlock),
    ("weight_norm", Frobenius),
    ("initialization", _Uniform),
    ("loss", Logistic),
    ("augment", Shift),
    ("penalty", Flat),
    ("optimizer", Plain),
    ("update_rule", Descent),
    ("update_rule", SteppingBack),
    ("dataset", ToyImages),
    ("generator", ToyGenerator),
    ("discriminator", ToyDiscriminator),
    ("metric", MeanGap),
    ("diagnostic", Reach),
    ("feature_extractor", Means),
    ("logger", Page),
]
"""Components that lack no property: what the broken ones differ from."""
