"""Promises of everything that builds a module: norm, weight norm, attention, conditioning, both networks."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from hypothesis import reject
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganblocks.errors import PlacementError
from ganblocks.game import unchanged_buffers
from ganblocks.kinds.module_capabilities import HasEstimates, MixesSamples
from ganblocks.seeding import seeded
from ganblocks.testing.cases import (
    Arguments,
    ModuleCase,
    PlacedCase,
    call,
    converted,
    differentiable,
    first,
    state,
    tensors,
)
from ganblocks.testing.promises import broken, expect, expect_close, expect_finite, expect_same, expect_shape, only_if, promise
from ganblocks.values import Score

MODULES = ("norm", "weight_norm", "attention", "conditioning", "generator", "discriminator")
PLACED = ("norm", "attention", "conditioning", "generator", "discriminator")
"""Those that are built at a site."""


@promise(*MODULES)
def has_the_shape_and_type_of_its_kind(case: ModuleCase) -> None:
    """The output has the shape and the type that the kind promises, in training and in evaluation."""
    module = case.build()
    for mode in (True, False):
        output = first(call(module.train(mode), case.arguments()))
        expect_shape(output, case.shape(), f"output in {_mode(mode)}")
        expect(output.dtype == torch.float32, f"output in {_mode(mode)}: {output.dtype} for float32 inputs")


@promise(*MODULES)
def takes_a_batch_of_one(case: ModuleCase) -> None:
    """A batch of one sample works, in training and in evaluation."""
    case = case.but(batch=1)
    module = case.build()
    for mode in (True, False):
        expect_shape(first(call(module.train(mode), case.arguments())), case.shape(), f"output in {_mode(mode)}")


@promise(*MODULES)
def values_and_gradients_are_finite(case: ModuleCase) -> None:
    """Values and gradients are finite for inputs of any ordinary size, 0 among them."""
    for scale in (1.0, 0.0, 30.0, 1e-3):
        module, arguments = case.build(), _watched(case.but(scale=scale).arguments())
        output = call(module, arguments)
        for part in tensors(output):
            expect_finite(part, f"output for inputs scaled by {scale:g}")
        gradients = torch.autograd.grad(_weighed(output), list(differentiable(module, arguments)), allow_unused=True)
        for gradient in gradients:
            if gradient is not None:
                expect_finite(gradient, f"gradient for inputs scaled by {scale:g}")


@promise(*MODULES)
def gradients_are_those_of_the_output(case: ModuleCase) -> None:
    """Gradients by inputs and parameters agree with finite differences in float64, all gates open: none is lost on the way."""
    case = case.but(scale=1.0)
    module, arguments = case.build().double(), _watched(converted(case.arguments(), Tensor.double))
    _agrees_with_differences(lambda: _weighed(call(module, arguments)), list(differentiable(module, arguments)), case)


@promise(*PLACED)
def is_twice_differentiable_where_told(case: PlacedCase) -> None:
    """At a site that asks for second derivatives they exist, and agree with finite differences in float64."""
    case = case.but(scale=1.0).at(twice_differentiable=True)
    module, arguments = case.build().double(), _watched(converted(case.arguments(), Tensor.double))
    inputs = [each for each in arguments if isinstance(each, Tensor) and each.requires_grad]

    def slope() -> Tensor:
        gradients = torch.autograd.grad(_weighed(call(module, arguments)), inputs, create_graph=True, allow_unused=True)
        parts = [(_direction(g, 7) * g).sum() for g in gradients if g is not None]
        return sum(parts, start=torch.zeros((), dtype=torch.float64))

    leaves = list(differentiable(module, arguments))
    if slope().requires_grad:  # a module that is linear in its input and has no parameters has no second derivative
        _agrees_with_differences(slope, leaves, case)


@promise(*MODULES)
def leaves_its_input_alone(case: ModuleCase) -> None:
    """Forward changes nothing in its inputs."""
    module, arguments = case.build(), case.arguments()
    before = [each.clone() for each in arguments if isinstance(each, Tensor)]
    call(module, arguments)
    for kept, each in zip(before, [each for each in arguments if isinstance(each, Tensor)], strict=True):
        expect_same(each, kept, "input after forward")


@promise(*MODULES)
def evaluation_changes_nothing(case: ModuleCase) -> None:
    """In evaluation a forward leaves every parameter and buffer bit for bit as it was, and the next one gives the same."""
    module = case.build()
    call(module, case.arguments())  # training first, so that there is something to disturb
    module.eval()
    before, once = state(module), call(module, case.arguments())
    call(module, case.but(seed=case.seed + 1).arguments())
    _expect_state(module, before, "after a forward in evaluation")
    _expect_equal(call(module, case.arguments()), once, "the same input again")


@promise(*MODULES)
def remembers_only_in_buffers(case: ModuleCase) -> None:
    """With its buffers set aside a forward in training leaves no trace: what a module remembers stands in buffers."""
    module = case.build()
    other = case.but(seed=case.seed + 1).arguments()
    before = state(module)
    with unchanged_buffers(module):
        once = call(module, case.arguments())
    for _ in range(2):
        with unchanged_buffers(module):
            call(module, other)
    with unchanged_buffers(module):
        _expect_equal(call(module, case.arguments()), once, "the same input after forwards on others")
    _expect_state(module, before, "after forwards with buffers set aside")


@promise(*MODULES)
def forward_never_advances_an_estimate(case: ModuleCase) -> None:
    """A maintained module's forward moves none of its buffers, in training either: only advance and settle do."""
    module = case.build().train()
    kept = [each for each in module.modules() if isinstance(each, HasEstimates)]
    only_if(kept, "holds nothing that inherits HasEstimates")
    before = [state(each) for each in kept if isinstance(each, nn.Module)]
    for seed in range(2):
        call(module, case.but(seed=seed).arguments())
    for each, was in zip(kept, before, strict=True):
        assert isinstance(each, nn.Module), "maintained modules are modules"
        _expect_state(each, was, "a maintained module after forwards")


@promise(*MODULES)
def is_the_same_for_the_same_seed(case: ModuleCase) -> None:
    """Two modules of one seed start equal, whatever else was drawn before; they share no tensor, and draw from nowhere else."""
    with seeded(1):
        one = case.fresh()
    with seeded(2):
        mark = torch.default_generator.get_state()
        two = case.fresh()
        expect(torch.equal(mark, torch.default_generator.get_state()), "building advances torch's global random numbers")
    _expect_state(two, state(one), "a second module of the same seed")
    mine = {value.data_ptr() for value in _stored(one) if value.numel()}
    expect(not any(value.data_ptr() in mine for value in _stored(two) if value.numel()), "two modules share a tensor")


@promise(*MODULES)
def can_be_copied(case: ModuleCase) -> None:
    """A deep copy gives the same output; changing the copy's parameters moves the copy, and leaves the original alone."""
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
        expect(changed, "the copy goes on with the original's parameters: something in it holds on to the original")


@promise(*MODULES)
def its_state_goes_through_a_file(case: ModuleCase) -> None:
    """All that it has learned and remembers is in its state_dict: saved as safetensors and loaded, outputs are the same."""
    module = case.build()
    call(module, case.arguments())
    module.eval()
    once = call(module, case.arguments())
    saved = {name: value.contiguous() for name, value in module.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        save_file(saved, Path(folder) / "state.safetensors")
        other = case.fresh()
        other.load_state_dict(load_file(Path(folder) / "state.safetensors"))
    _expect_equal(call(other.eval(), case.arguments()), once, "the loaded module's output")


@promise(*MODULES)
def runs_in_bfloat16(case: ModuleCase) -> None:
    """Under autocast to bfloat16 the output is finite and close to float32's."""
    case = case.but(scale=1.0)
    module, arguments = case.build().eval(), case.arguments()
    wanted = first(call(module, arguments))
    with torch.autocast("cpu", torch.bfloat16):
        actual = first(call(module, arguments))
    expect_finite(actual, "output under autocast")
    # terms that cancel leave an output that is small beside its own rounding errors: those of the numbers it is made of
    rounded = first(call(_rounded(module), converted(arguments, _round)))
    slack = 4 * (rounded - wanted).detach().norm() / (wanted.detach().norm() + 1e-3)
    expect_close(actual.float(), wanted, "output under autocast", tolerance=max(0.1, slack.item()))


def _rounded(module: nn.Module) -> nn.Module:
    """A copy whose parameters are numbers of bfloat16, though of their own type."""
    module = copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.data = _round(parameter.data)
    return module


def _round(x: Tensor) -> Tensor:
    return x.bfloat16().to(x.dtype)


@promise(*MODULES)
def takes_channels_last(case: ModuleCase) -> None:
    """Memory in channels_last gives what contiguous memory gives, up to rounding."""
    case = case.but(scale=1.0)
    wanted = call(case.build().eval(), case.arguments())
    module = case.build().eval().to(memory_format=torch.channels_last)
    arguments = converted(case.arguments(), lambda x: x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x)
    expect_close(first(call(module, arguments)), first(wanted), "output for channels_last", tolerance=1e-4)


@promise(*MODULES)
def samples_do_not_meet_unless_it_says_so(case: ModuleCase) -> None:
    """A sample's output does not depend on the others: in evaluation, and in training unless a part inherits MixesSamples."""
    case = case.but(scale=1.0, batch=3)
    module, arguments = case.build(), case.arguments()
    others = case.but(seed=case.seed + 1).arguments()
    mixed = tuple(
        torch.cat([mine[:1], theirs[1:]]) if isinstance(mine, Tensor) and mine.ndim else mine
        for mine, theirs in zip(arguments, others, strict=True)
    )
    modes = (False,) if any(isinstance(each, MixesSamples) for each in module.modules()) else (False, True)
    for mode in modes:
        module.train(mode)
        with unchanged_buffers(module):
            mine, theirs = first(call(module, arguments))[:1], first(call(module, mixed))[:1]
        hint = "; inherit ganblocks.MixesSamples if that is meant" if mode else ""
        expect(
            (mine - theirs).norm() <= 1e-4 * (mine.norm() + 1e-3),
            f"in {_mode(mode)} the first sample's output changes with the others{hint}",
        )


@promise(*PLACED)
def can_be_planned(case: ModuleCase) -> None:
    """It builds on the meta device, with the parameters that it has on the processor: `ganblocks check` needs no memory."""
    real = case.fresh()
    with torch.device("meta"):
        planned = case.fresh()
    shapes = {name: tuple(value.shape) for name, value in state(real).items()}
    found = {name: tuple(value.shape) for name, value in [*planned.named_parameters(), *planned.named_buffers()]}
    expect(found == shapes, f"on the meta device it has {_listed(found)}, on the processor {_listed(shapes)}")
    solid = [name for name, value in planned.named_parameters() if not value.is_meta]
    expect(not solid, f"on the meta device {', '.join(solid[:3])} take memory")


def stands_anywhere_or_says_why_not(case: ModuleCase) -> None:
    """At any place, of odd, oblong or tiny size too, with any channels and classes, it works, or refuses when it is built."""
    try:
        module = case.make()
    except PlacementError as error:
        expect(error.rule, "refuses without saying why")
        return
    for mode in (True, False):
        expect_shape(first(call(module.train(mode), case.arguments())), case.shape(), f"output in {_mode(mode)}")


def _mode(training: bool) -> str:
    return "training" if training else "evaluation"


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in list(shapes.items())[:6]) or "nothing"


def _watched(arguments: Arguments) -> Arguments:
    return converted(arguments, lambda x: x.clone().requires_grad_())


def _stored(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _direction(like: Tensor, seed: int) -> Tensor:
    """A fixed random tensor of the same shape and type."""
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)


def _weighed(output: object) -> Tensor:
    """One number that every value of the output moves."""
    part = first(output)
    return (_direction(part, 5) * part).sum()


def _agrees_with_differences(value: Callable[[], Tensor], leaves: list[Tensor], case: ModuleCase) -> None:
    """The derivative of ``value`` along a random direction, by autograd and by differences of several widths.

    Near a kink (of a ReLU, or a largest value) one width may straddle it; a lost gradient is wrong for all.
    """
    start = value()
    if start.dtype != torch.float64 or not start.requires_grad:
        if not start.requires_grad:
            broken("the output does not depend on its inputs or parameters by any gradient")
        reject()
    gradients = torch.autograd.grad(start, leaves, allow_unused=True)
    directions = [_direction(leaf, 11 + i) for i, leaf in enumerate(leaves)]
    claimed = sum(float((d * g).sum()) for d, g in zip(directions, gradients, strict=True) if g is not None)
    measured = [_difference(value, leaves, directions, width) for width in (1e-6, 1e-7, 1e-8, 1e-5, 1e-9)]
    nearest = min(measured, key=lambda slope: abs(slope - claimed))
    expect(
        abs(nearest - claimed) <= 1e-4 * (abs(claimed) + abs(nearest) + 0.1),
        f"along a random direction the gradient says {claimed:.6g}, finite differences say {nearest:.6g}",
    )


def _difference(value: Callable[[], Tensor], leaves: list[Tensor], directions: list[Tensor], width: float) -> float:
    sides = []
    for sign in (1, -2, 1):  # forth, back past the start, and home
        with torch.no_grad():
            for leaf, direction in zip(leaves, directions, strict=True):
                leaf += sign * width * direction
        sides.append(float(value().detach()))
    return (sides[0] - sides[1]) / (2 * width)


def _expect_state(module: nn.Module, before: dict[str, Tensor], when: str) -> None:
    after = state(module)
    expect(set(after) == set(before), f"{when} its tensors are {sorted(after)[:6]}, not {sorted(before)[:6]}")
    for name, value in before.items():
        expect_same(after[name], value, f"{name} {when}")


def _expect_equal(output: object, wanted: object, what: str) -> None:
    for actual, each in zip(tensors(output), tensors(wanted), strict=True):
        expect_same(actual, each, what)


def is_score(output: object) -> Score:
    """The output, if it is what a discriminator and its head return."""
    if not isinstance(output, Score):
        broken(f"returns a {type(output).__name__}, not a ganblocks.Score")
    return output
