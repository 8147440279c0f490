"""Both networks: parameter counts, the start, places, initial values, and the head."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from ganblocks_attention.none import Nothing
from ganblocks_attention.self_attention import SelfAttention
from ganblocks_conditionings.projection import Projection
from ganblocks_initializations.orthogonal import Orthogonal
from ganblocks_losses.relativistic_paired import RelativisticPaired
from ganblocks_penalties.r1 import R1
from ganblocks_penalties.r2 import R2
from ganblocks_r3gan.blocks import ResidualBlock
from ganblocks_r3gan.discriminator import R3Discriminator
from ganblocks_r3gan.generator import R3Generator
from ganblocks_r3gan.initialization import GAIN, FanIn, Scaled, branch_gain
from ganblocks_r3gan.inner_product import InnerProduct
from ganblocks_r3gan.resampling import downsample, upsample
from ganblocks_spectral.none import NoWeightNorm
from ganblocks_spectral.spectral import Spectral
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ganblocks import Classes, ImageSpec, PlacementError, Player, Site, Vector, seed_of
from ganblocks.game import Term
from ganblocks.testing import examples
from ganblocks.testing.checks.learning import play
from ganblocks.testing.toys import toy_game

CIFAR = ImageSpec(3, 32, 10)
SMALL = {"width": 8, "group_width": 4}


def root(image: ImageSpec, player: Player, seed: int = 0) -> Site:
    condition = Classes(image.classes) if image.classes else None
    return Site(image.channels, image.size, image.channels, player, str(player), condition, seed=seed)


def component(player: Player, **options: Any) -> Any:
    sockets = {"weight_norm": NoWeightNorm(), "attention": Nothing()}
    if player is Player.GENERATOR:
        return R3Generator(**sockets | {"latent": 5} | options)
    return R3Discriminator(**sockets | {"conditioning": InnerProduct()} | options)


def network(player: Player, image: ImageSpec = CIFAR, seed: int = 0, **options: Any) -> Any:
    return component(player, **SMALL | options).build(image, root(image, player, seed))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def branch(width: int, expansion: int, group: int) -> int:
    wide = width * expansion
    return width * wide + wide + wide * group * 9 + wide + wide * width


def test_parameters_of_the_published_cifar10_configuration() -> None:
    with torch.device("meta"):
        up = network(Player.GENERATOR, width=768, group_width=16, latent=64)
        down = network(Player.DISCRIMINATOR, width=768, group_width=16)
    branches = 8 * branch(768, 2, 16)
    assert count(up) == 10 * 64 + 128 * 768 + 768 * 16 + branches + 768 * 3 == 20_781_952
    assert count(down) == 3 * 768 + branches + 768 * 16 + 768 * 768 + 10 * 768 == 21_280_512


@pytest.mark.parametrize("classes", [0, 7])
def test_parameters_where_widths_change(classes: int) -> None:
    """A 1×1 convolution stands where channels change; without classes there is no embedding, and the head is one row."""
    image, widths, blocks = ImageSpec(3, 16, classes), (24, 16, 8), (2, 1, 3)
    with torch.device("meta"):
        options = {"widths": widths, "blocks": blocks, "expansion": 3, "group_width": 12}
        up, down = (network(player, image, **options) for player in Player)
    shared = sum(n * branch(width, 3, 12) for width, n in zip(widths, blocks, strict=True)) + 24 * 16 + 16 * 8 + 24 * 16
    assert count(up) == shared + (classes * 5 + 10 * 24 if classes else 5 * 24) + 8 * 3
    assert count(down) == shared + (24 * 24 + classes * 24 if classes else 24) + 3 * 8


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 4])
def test_any_power_of_two(size: int, channels: int) -> None:
    image = ImageSpec(channels, size, 3)
    with torch.device("meta"):
        fake = network(Player.GENERATOR, image)(torch.empty(2, 5), torch.zeros(2, dtype=torch.int64))
        score = network(Player.DISCRIMINATOR, image)(fake, torch.zeros(2, dtype=torch.int64))
    assert fake.shape == (2, channels, size, size)
    assert (score.logits.shape, score.features.shape) == ((2,), (2, 8))


@pytest.mark.parametrize(
    ("options", "size", "message"),
    [
        ({}, 44, "got 44×44 pixels; use images of 40×40 or 48×48 pixels"),
        (
            {"widths": (8, 8)},
            32,
            "2 numbers, but there are 4 stages, of 4×4, 8×8, 16×16, 32×32; .* widths = .8, 8, 8, 8]",
        ),
        ({"blocks": (1, 1, 1, 1, 1)}, 32, "blocks has 5 numbers"),
        ({"group_width": 3}, 32, "8 · 2 channels cannot be split into groups of 3; set group_width = 2"),
        ({"attention_at": (64,)}, 32, "attention_at names 64"),
    ],
)
@pytest.mark.parametrize("player", Player)
def test_what_does_not_fit_is_said(player: Player, options: dict[str, Any], size: int, message: str) -> None:
    with pytest.raises(PlacementError, match=message):
        network(player, ImageSpec(3, size, 3), **options)


@pytest.mark.parametrize("option", [{"width": 0}, {"widths": ()}, {"blocks": (0,)}, {"expansion": 0}, {"group_width": 0}])
@pytest.mark.parametrize("player", Player)
def test_options_out_of_range(player: Player, option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        component(player, **option)


def layers(module: nn.Module) -> dict[str, Any]:
    kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding
    return {name: part for name, part in module.named_modules() if isinstance(part, kinds)}


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("seed", [0, 1])
def test_layers_start_from_seed_path_and_name_at_their_own_scale(player: Player, seed: int) -> None:
    network_ = network(player, seed=seed, blocks=(1, 2, 1, 1), attention_at=(8,))
    for name, layer in layers(network_).items():
        path, _, attribute = f"{player}.{name}".rpartition(".")
        by = {"conv1": branch_gain(5), "conv2": branch_gain(5), "conv3": 0.0}.get(attribute, 1.0)
        by = 8**-0.5 if name == "head.embedding" else by
        fresh = copy.deepcopy(layer)
        Scaled(FanIn(), by).fill(fresh, torch.Generator().manual_seed(seed_of(seed, path, attribute)))
        assert all(map(torch.equal, layer.parameters(), fresh.parameters())), name
    assert len(layers(network_)) == 5 * 3 + {Player.GENERATOR: 4, Player.DISCRIMINATOR: 4}[player]


def test_the_scale_of_each_layer_is_the_published_code_s() -> None:
    """Standard deviation = gain / √fan-in, measured on layers that are wide enough."""
    image = ImageSpec(3, 8, 40)
    up = network(Player.GENERATOR, image, width=128, group_width=16, latent=64)
    down = network(Player.DISCRIMINATOR, image, width=128, group_width=16)
    inner = math.sqrt(2 / 1.04) * 4 ** (-1 / 4)
    wanted = {
        up.embedding: 40**-0.5,
        up.stage4.linear: 128**-0.5,
        up.stage4.basis: 1.0,
        up.stage8.blocks.block1.conv1: inner * 128**-0.5,
        up.stage8.blocks.block2.conv2: inner * (16 * 9) ** -0.5,
        up.stage4.blocks.block1.conv3: 0.0,
        up.to_image: 128**-0.5,
        down.from_image: 3**-0.5,
        down.stage4.basis: 1 / 4,
        down.head.linear: 128**-0.5,
        down.head.embedding: (40 * 128) ** -0.5,
    }
    for layer, std in wanted.items():
        assert layer.weight.square().mean().sqrt().item() == pytest.approx(std, rel=0.12)
        bias = getattr(layer, "bias", None)
        assert bias is None or not bias.any()
    assert math.isclose(GAIN, math.sqrt(2 / (1 + 0.2**2)))


@pytest.mark.parametrize("weight_norm", [NoWeightNorm(), Spectral()])
@pytest.mark.parametrize("player", Player)
def test_branches_start_silent_also_under_a_weight_norm(player: Player, weight_norm: Any) -> None:
    """Every branch adds exactly 0, nothing divides 0 by 0, and the layer that is 0 has no norm around it."""
    network_ = network(player, weight_norm=weight_norm)
    blocks = [module for module in network_.modules() if isinstance(module, ResidualBlock)]
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    assert len(blocks) == 8
    for block in blocks:
        assert isinstance(block.conv3, nn.Conv2d)
        assert torch.equal(block(x), x)


@pytest.mark.parametrize("weight_norm", [NoWeightNorm(), Spectral()])
def test_every_parameter_learns_by_the_third_step_under_r1_and_r2(weight_norm: Any) -> None:
    image = ImageSpec(3, 8, 3)
    generator, discriminator = (component(player, **SMALL, weight_norm=weight_norm) for player in Player)
    terms = [Term(name, penalty, penalty.build()) for name, penalty in (("r1", R1()), ("r2", R2()))]
    game = toy_game(generator, discriminator, image=image, loss=RelativisticPaired(), terms=terms)
    play(lambda: game, batches(image))


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def branched(blocks: Any, x: Tensor) -> Tensor:
    """The equation of each branch: x + 1×1(lrelu(3×3 in groups(lrelu(1×1(x)))))."""
    for block in blocks:
        h = lrelu(conv2d(x, block.conv1.weight, block.conv1.bias))
        h = lrelu(conv2d(h, block.conv2.weight, block.conv2.bias, padding=1, groups=h.shape[1] // 4))
        x = x + conv2d(h, block.conv3.weight)
    return x


@examples(10)
@given(st.integers(0, 2**16))
def test_networks_are_their_equations(seed: int) -> None:
    """With branches that are silent no more."""
    options: dict[str, Any] = {"widths": (8, 12), "blocks": (2, 1), "group_width": 4}
    up, down = (network(player, ImageSpec(3, 8, 3), **options).double() for player in Player)
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (*up.parameters(), *down.parameters()):
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=rng))
    z, image = (torch.randn(shape, generator=rng).double() for shape in ((4, 5), (4, 3, 8, 8)))
    label = torch.tensor([0, 1, 2, 2])
    scale = torch.cat([z, up.embedding.weight[label]], 1) @ up.stage4.linear.weight.T
    x = branched(up.stage4.blocks, scale[:, :, None, None] * up.stage4.basis.weight[:, 0])
    x = branched(up.stage8.blocks, upsample(conv2d(x, up.stage8.widen.weight)))
    torch.testing.assert_close(up(z, label), conv2d(x, up.to_image.weight).tanh(), rtol=1e-9, atol=1e-12)
    x = branched(down.stage8.blocks, conv2d(image, down.from_image.weight))
    x = branched(down.stage4.blocks, conv2d(downsample(x), down.stage8.widen.weight))
    features = (x * down.stage4.basis.weight[:, 0]).sum((2, 3))
    score = down(image, label)
    torch.testing.assert_close(score.features, features, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(score.logits, (features @ down.head.linear.weight.T * down.head.embedding.weight[label]).sum(1))


def test_attention_follows_the_branches_of_its_size() -> None:
    for player in Player:
        names = layers(network(player, width=16, attention_at=(8, 16), attention=SelfAttention()))
        parents = {name.rpartition(".")[0] for name in names if ".attention." in name}
        assert parents == {"stage8.blocks.attention", "stage16.blocks.attention"}
    assert not any("attention" in name for name in network(Player.GENERATOR).state_dict())


@examples(10)
@given(st.integers(0, 2**16), st.sampled_from([1.0, 100.0]), st.booleans())
def test_images_are_in_range_and_scores_full_precision(seed: int, scale: float, half: bool) -> None:
    rng = torch.Generator().manual_seed(seed)
    z, label = scale * torch.randn(3, 5, generator=rng), torch.randint(10, (3,), generator=rng)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        fake = network(Player.GENERATOR, seed=seed)(z, label)
        score = network(Player.DISCRIMINATOR, seed=seed)(fake, label)
    assert fake.dtype == score.logits.dtype == score.features.dtype == torch.float32
    assert fake.abs().max() <= 1
    assert score.logits.isfinite().all()


def test_the_second_derivative_is_right() -> None:
    """Gradients of ‖∇D‖² with respect to parameters, against finite differences in float64."""
    image = ImageSpec(1, 8, 3)
    down = network(Player.DISCRIMINATOR, image).double()
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in down.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng).double())
    x = torch.randn(2, 1, 8, 8, generator=rng).double().requires_grad_()
    label = torch.tensor([0, 2])

    def slope() -> Tensor:
        (gradient,) = torch.autograd.grad(down(x, label).logits.sum(), x, create_graph=True)
        return gradient.square().sum()

    parameters = list(down.parameters())
    directions = [torch.randn(parameter.shape, generator=rng).double() for parameter in parameters]
    felt = sum((g * d).sum() for g, d in zip(torch.autograd.grad(slope(), parameters), directions, strict=True))
    step, ends = 1e-6, []
    for sign in (1, -2):
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter.add_(sign * step * direction)
        ends.append(slope().item())
    assert float(felt) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


def test_the_head_is_an_inner_product_and_nothing_else() -> None:
    site = Site(6, 1, condition=Classes(4), path="head", initialization=Orthogonal())
    head = InnerProduct().build(site)
    x, label = torch.randn(5, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 3])
    mapped = x.double() @ head.linear.weight.double().T
    wanted = (mapped * head.embedding.weight.double()[label]).sum(1)
    torch.testing.assert_close(head(x, label).logits.double(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(torch.linalg.svdvals(head.embedding.weight), torch.full((4,), 6**-0.5))
    assert sorted(dict(head.named_parameters())) == ["embedding.weight", "linear.weight"]
    plain = InnerProduct().build(Site(6, 1, path="head"))
    torch.testing.assert_close(plain(x).logits, (x @ plain.linear.weight.T)[:, 0])
    with pytest.raises(PlacementError, match="class labels or none"):
        InnerProduct().build(Site(6, 1, condition=Vector(3)))


def test_a_basis_is_the_convolution_that_it_is_stored_as() -> None:
    up, down = network(Player.GENERATOR).stage4, network(Player.DISCRIMINATOR).stage4
    up.blocks, down.blocks = nn.Identity(), nn.Identity()
    rng = torch.Generator().manual_seed(0)
    z, x = torch.randn(3, 10, generator=rng), torch.randn(3, 8, 4, 4, generator=rng)
    torch.testing.assert_close(up(z), up.basis(up.linear(z)[:, :, None, None]))
    torch.testing.assert_close(down(x), down.basis(x).flatten(1))


def test_another_head_fits() -> None:
    down = network(Player.DISCRIMINATOR, conditioning=Projection())
    assert sorted(dict(down.head.named_parameters())) == ["embedding.weight", "linear.bias", "linear.weight"]


def batches(image: ImageSpec) -> Any:
    from ganblocks import Batch

    rng = torch.Generator().manual_seed(0)

    def next_batch(player: Player) -> Batch:
        labels = [torch.randint(image.classes, (6,), generator=rng) for _ in range(2)]
        shape = (6, image.channels, image.size, image.size)
        return Batch(torch.randn(shape, generator=rng).tanh(), labels[0], torch.randn(6, 5, generator=rng), labels[1], 0)

    return next_batch
