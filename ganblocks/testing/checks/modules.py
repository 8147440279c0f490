"""Properties of everything that builds a module: norm, weight norm, attention, conditioning and both networks."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks.errors import PlacementError
from ganblocks.game import unchanged_buffers
from ganblocks.kinds.module_capabilities import HasEstimates, MixesSamples
from ganblocks.testing import expect
from ganblocks.testing.cases import (
    Arguments,
    ModuleCase,
    PlacedCase,
    SiteCase,
    call,
    converted,
    differentiable,
    expect_state,
    first,
    load_from_file,
    repeat_without_global_draws,
    state,
    tensors,
)
from ganblocks.testing.gradients import expect_gradients, weighted_sum
from ganblocks.testing.properties import properties
from ganblocks.values import Score


def has_the_shape_and_type_of_its_kind(case: ModuleCase) -> None:
    """The output has the shape and the type that the kind requires, in training and in evaluation."""
    for mode, output in _in_both_modes(case.build(), case):
        expect.that(output.dtype == torch.float32, f"output in {mode}: {output.dtype} for float32 inputs")


def takes_a_batch_of_one(case: ModuleCase) -> None:
    """A batch of one sample works, in training and in evaluation."""
    case = case.but(batch=1)
    list(_in_both_modes(case.build(), case))


def values_and_gradients_are_finite(case: ModuleCase) -> None:
    """Values and gradients are finite for inputs of any ordinary size, including 0."""
    for scale in (1.0, 0.0, 30.0, 1e-3):
        module, arguments = case.build(), _requiring_gradients(case.but(scale=scale).arguments())
        output = call(module, arguments)
        for part in tensors(output):
            expect.finite(part, f"output for inputs scaled by {scale:g}")
        total = weighted_sum(first(output))
        for gradient in torch.autograd.grad(total, differentiable(module, arguments), allow_unused=True):
            if gradient is not None:
                expect.finite(gradient, f"gradient for inputs scaled by {scale:g}")


def gradients_are_those_of_the_output(case: ModuleCase) -> None:
    """Gradients by inputs and parameters agree with finite differences in float64, with all gates open."""
    module, arguments = _in_float64(case)
    expect_gradients(lambda: weighted_sum(first(call(module, arguments))), differentiable(module, arguments))


def is_twice_differentiable_where_required(case: PlacedCase) -> None:
    """At a site that asks for second derivatives they exist, and agree with finite differences in float64."""
    module, arguments = _in_float64(case.at(twice_differentiable=True))
    inputs = [item for item in arguments if isinstance(item, Tensor) and item.requires_grad]

    def slope() -> Tensor:
        total = weighted_sum(first(call(module, arguments)))
        gradients = torch.autograd.grad(total, inputs, create_graph=True, allow_unused=True)
        parts = [weighted_sum(g, seed=7) for g in gradients if g is not None]
        return sum(parts, start=torch.zeros((), dtype=torch.float64))

    if slope().requires_grad:  # a module that is linear in its input and has no parameters has no second derivative
        expect_gradients(slope, differentiable(module, arguments))


def leaves_its_input_alone(case: ModuleCase) -> None:
    """Forward does not modify its inputs."""
    arguments = case.arguments()
    before = [item.clone() for item in arguments if isinstance(item, Tensor)]
    call(case.build(), arguments)
    for was, now in zip(before, [item for item in arguments if isinstance(item, Tensor)], strict=True):
        expect.same(now, was, "input after forward")


def evaluation_changes_nothing(case: ModuleCase) -> None:
    """In evaluation, forward changes no parameter and no buffer, and equal inputs give equal outputs."""
    module = case.build()
    call(module, case.arguments())  # training first, so that there is something to disturb
    module.eval()
    before, once = state(module), call(module, case.arguments())
    call(module, case.but(seed=case.seed + 1).arguments())
    expect_state(module, before, "after a forward in evaluation")
    _expect_equal(call(module, case.arguments()), once, "the same input again")


def remembers_only_in_buffers(case: ModuleCase) -> None:
    """What a module remembers of its inputs is in buffers: with these restored, forward in training leaves no trace."""
    module = case.build()
    before = state(module)

    def forward(seed: int) -> object:
        with unchanged_buffers(module):
            return call(module, case.but(seed=seed).arguments())

    once, _, _, again = (forward(case.seed + shift) for shift in (0, 1, 1, 0))
    _expect_equal(again, once, "the same input after forwards on others")
    expect_state(module, before, "after forwards with restored buffers")


def forward_never_advances_an_estimate(case: ModuleCase) -> None:
    """Forward changes no buffer of a module that inherits HasEstimates, not even in training: only advance and settle do."""
    module = case.build().train()
    parts = [part for part in module.modules() if isinstance(part, HasEstimates)]
    expect.only_if(parts, "contains nothing that inherits HasEstimates")
    before = [state(part) for part in parts if isinstance(part, nn.Module)]
    for seed in range(2):
        call(module, case.but(seed=seed).arguments())
    for part, was in zip(parts, before, strict=True):
        assert isinstance(part, nn.Module), "modules with estimates are modules"
        expect_state(part, was, "of a module with estimates after forwards")


def is_the_same_for_the_same_seed(case: ModuleCase) -> None:
    """Two modules of one seed start equal and share no tensor; building draws no global random numbers."""
    one, two = repeat_without_global_draws(case.fresh, "building")
    expect_state(two, state(one), "of a second module of the same seed")
    mine, theirs = ({value.data_ptr() for value in _stored(module) if value.numel()} for module in (one, two))
    expect.that(not mine & theirs, "two modules share a tensor")


def can_be_copied(case: ModuleCase) -> None:
    """A deep copy gives the same output; changing its parameters changes its output, and not that of the original."""
    case = case.but(scale=1.0)
    module = case.build().eval()
    once = call(module, case.arguments())
    twin = copy.deepcopy(module)
    _expect_equal(call(twin, case.arguments()), once, "the copy's output")
    with torch.no_grad():
        for value in _stored(twin):
            if value.is_floating_point():
                value.add_(1)
    _expect_equal(call(module, case.arguments()), once, "the original's output after the copy was changed")
    if any(parameter.is_floating_point() for parameter in twin.parameters()):
        changed = (first(call(twin, case.arguments())) != first(once)).any()
        expect.that(changed, "the copy still uses the original's parameters: something in it holds on to the original")


def its_state_goes_through_a_file(case: ModuleCase) -> None:
    """Its whole state is in its state_dict: saved as safetensors and loaded, it gives the same outputs."""
    module, other = case.build(), case.fresh()
    call(module, case.arguments())
    load_from_file(other, module)
    once = call(module.eval(), case.arguments())
    _expect_equal(call(other.eval(), case.arguments()), once, "the loaded module's output")


def runs_in_bfloat16(case: ModuleCase) -> None:
    """Under autocast to bfloat16 the output is finite and close to float32's."""
    case = case.but(scale=1.0)
    module, arguments = case.build().eval(), case.arguments()
    wanted = first(call(module, arguments))
    with torch.autocast("cpu", torch.bfloat16):
        actual = first(call(module, arguments))
    expect.finite(actual, "output under autocast")
    # where terms cancel, the output is small beside the rounding errors of its terms
    rounded = first(call(_rounded(module), converted(arguments, _round)))
    slack = 4 * (rounded - wanted).detach().norm() / (wanted.detach().norm() + 1e-3)
    expect.close(actual.float(), wanted, "output under autocast", tolerance=max(0.1, slack.item()))


def takes_channels_last(case: ModuleCase) -> None:
    """Memory in channels_last gives what contiguous memory gives, up to rounding."""
    case = case.but(scale=1.0)
    wanted = call(case.build().eval(), case.arguments())
    module = case.build().eval().to(memory_format=torch.channels_last)
    arguments = converted(case.arguments(), lambda x: x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x)
    expect.close(first(call(module, arguments)), first(wanted), "output for channels_last", tolerance=1e-4)


def samples_do_not_meet_unless_it_says_so(case: ModuleCase) -> None:
    """A sample's output does not depend on the others: in evaluation, and in training unless a part inherits MixesSamples."""
    case = case.but(scale=1.0, batch=3)
    module, arguments = case.build(), case.arguments()
    others = case.but(seed=case.seed + 1).arguments()
    mixed = tuple(
        torch.cat([mine[:1], theirs[1:]]) if isinstance(mine, Tensor) and mine.ndim else mine
        for mine, theirs in zip(arguments, others, strict=True)
    )
    mixes = any(isinstance(part, MixesSamples) for part in module.modules())
    for mode in (False,) if mixes else (False, True):
        module.train(mode)
        with unchanged_buffers(module):
            mine, theirs = first(call(module, arguments))[:1], first(call(module, mixed))[:1]
        hint = "; inherit ganblocks.MixesSamples if that is meant" if mode else ""
        unchanged = (mine - theirs).norm() <= 1e-4 * (mine.norm() + 1e-3)
        expect.that(unchanged, f"in {_MODES[mode]} the first sample's output changes with the others{hint}")


def can_be_planned(case: ModuleCase) -> None:
    """It builds on the meta device, with the same parameters as on the CPU: `ganblocks check` needs no memory."""
    real = _shapes(case.fresh())
    with torch.device("meta"):
        module = case.fresh()
    planned = _shapes(module)
    expect.that(planned == real, f"on the meta device it has {_listed(planned)}, on the CPU {_listed(real)}")
    solid = [name for name, value in module.named_parameters() if not value.is_meta]
    expect.that(not solid, f"on the meta device {', '.join(solid[:3])} take memory")


def stands_anywhere_or_says_why_not(case: ModuleCase) -> None:
    """At any site, also of odd, non-square or tiny size, with any channels and classes, it works, or is refused when built."""
    try:
        module = case.make()
    except PlacementError as error:
        expect.that(error.rule, "refuses without a reason")
        return
    list(_in_both_modes(module, case))


def its_layers_take_the_weight_norm(case: SiteCase) -> None:
    """Every layer with a weight goes through site.layer, so that the weight norm of the recipe reaches it."""
    module = case.at(weight_norm=_Marking()).fresh()
    bare = [name for name, part in module.named_modules() if isinstance(part, WEIGHTED) and not hasattr(part, "marked")]
    expect.that(not bare, f"{', '.join(bare)}: made without site.layer(...), so neither initialised nor weight-normalised")
    call(module, case.arguments())


PROPERTIES = properties(
    has_the_shape_and_type_of_its_kind,
    takes_a_batch_of_one,
    values_and_gradients_are_finite,
    gradients_are_those_of_the_output,
    leaves_its_input_alone,
    evaluation_changes_nothing,
    remembers_only_in_buffers,
    forward_never_advances_an_estimate,
    is_the_same_for_the_same_seed,
    can_be_copied,
    its_state_goes_through_a_file,
    runs_in_bfloat16,
    takes_channels_last,
    samples_do_not_meet_unless_it_says_so,
)
"""Properties of every component that builds a module."""
PLACED_PROPERTIES = (*PROPERTIES, *properties(is_twice_differentiable_where_required, can_be_planned))
"""Properties of those that are built for a site."""
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Embedding, nn.Bilinear)
_MODES = {True: "training", False: "evaluation"}


@frozen
class _Marking:
    """A weight norm that only marks the layers that it is given."""

    def wrap(self, layer: nn.Module) -> nn.Module:
        vars(layer)["marked"] = True
        return layer


def score_under_autocast(module: nn.Module, case: ModuleCase) -> Score:
    """Return the score of a discriminator or head under autocast, with logits [B] in float32 and class logits [B, K]."""
    with torch.autocast("cpu", torch.bfloat16):
        score = expect.instance(call(module, case.arguments()), Score)
    expect.shape(score.logits, (case.batch,), "logits")
    expect.that(score.logits.dtype == torch.float32, f"logits under autocast: {score.logits.dtype}, not float32")
    return score


def _in_both_modes(module: nn.Module, case: ModuleCase) -> Iterator[tuple[str, Tensor]]:
    """Yield the first tensor of the output in training and in evaluation; expect it to have the case's shape."""
    for mode in (True, False):
        output = first(call(module.train(mode), case.arguments()))
        expect.shape(output, case.shape(), f"output in {_MODES[mode]}")
        yield _MODES[mode], output


def _in_float64(case: ModuleCase) -> tuple[nn.Module, Arguments]:
    arguments = case.but(scale=1.0).arguments()
    return case.build().double(), _requiring_gradients(converted(arguments, Tensor.double))


def _requiring_gradients(arguments: Arguments) -> Arguments:
    return converted(arguments, lambda x: x.clone().requires_grad_())


def _rounded(module: nn.Module) -> nn.Module:
    """Return a copy whose parameters are rounded to bfloat16 and keep their type."""
    module = copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.data = _round(parameter.data)
    return module


def _round(x: Tensor) -> Tensor:
    return x.bfloat16().to(x.dtype)


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in [*module.named_parameters(), *module.named_buffers()]}


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in list(shapes.items())[:6]) or "nothing"


def _stored(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _expect_equal(output: object, wanted: object, what: str) -> None:
    for actual, expected in zip(tensors(output), tensors(wanted), strict=True):
        expect.same(actual, expected, what)
