"""Both networks: the paper's parameter counts and sizes, what they compute, and that dropout repeats."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ganblocks_acgan.discriminator import AcganDiscriminator
from ganblocks_acgan.generator import AcganGenerator
from ganblocks_acgan.layout import GENERATOR
from ganblocks_conditionings.auxiliary_classifier import AuxiliaryClassifier
from ganblocks_conditionings.none import NoConditioning
from ganblocks_initializations.normal import Normal
from ganblocks_norms.batch import Batch
from ganblocks_norms.none import NoNorm
from ganblocks_spectral.none import NoWeightNorm
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Batch as BatchOfImages
from ganblocks import Classes, ImageSpec, PlacementError, Player, Site
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_game

few = examples(10)
COMMON: dict[str, Any] = {"norm": Batch(), "weight_norm": NoWeightNorm(), "initialization": Normal()}
PAPER = ImageSpec(3, 128, 10)


def root(image: ImageSpec, player: Player, **facts: Any) -> Site:
    condition = Classes(image.classes) if image.classes else None
    return Site(image.channels, image.size, image.channels, player, str(player), condition, **facts)


def generator(image: ImageSpec = PAPER, **options: Any) -> Any:
    component = AcganGenerator(**{"final_norm": Batch()} | COMMON | options)
    return component.build(image, root(image, Player.GENERATOR))


def discriminator(image: ImageSpec = PAPER, **options: Any) -> Any:
    head = AuxiliaryClassifier() if image.classes else NoConditioning()
    component = AcganDiscriminator(**{"conditioning": head} | COMMON | options)
    return component.build(image, root(image, Player.DISCRIMINATOR))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def labels(seed: int, n: int, classes: int = 3) -> Tensor:
    return torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))


def test_parameters_are_the_paper_s() -> None:
    with torch.device("meta"):
        assert count(generator()) == 11_465_728
        assert count(generator(final_norm=NoNorm())) == 11_465_600
        assert count(discriminator()) == 2_525_563
        networks = generator(), discriminator()
    assert all(parameter.is_meta for network in networks for parameter in network.parameters())


def test_parameters_of_every_layer_are_the_paper_s() -> None:
    with torch.device("meta"):
        up, down = generator(), discriminator()
    stages = [768 * 384 * 25 + 2 * 384, 384 * 256 * 25 + 2 * 256, 256 * 192 * 25 + 2 * 192, 192 * 64 * 25 + 2 * 64]
    assert [count(module) for module in up.children()] == [111 * 768, *stages, 64 * 3 * 64]
    stages = [(into * 9 + 2) * out for into, out in ((16, 32), (32, 64), (64, 128), (128, 256), (256, 512))]
    assert [count(module) for module in down.children()] == [3 * 16 * 9, *stages, 11 * (13 * 13 * 512 + 1)]


def sizes_of(network: nn.Module, *inputs: Any) -> list[int]:
    seen: list[int] = []
    for name, module in network.named_children():
        if name.startswith("stage"):
            module.register_forward_hook(lambda _module, _inputs, y: seen.append(y.shape[-1]))
    network(*inputs)
    return seen


def test_sizes_are_the_paper_s() -> None:
    with torch.device("meta"):
        z, image, label = torch.empty(2, 100), torch.empty(2, 3, 128, 128), torch.zeros(2, dtype=torch.int64)
        assert sizes_of(generator(), z, label) == [5, 13, 29, 61]
        assert sizes_of(discriminator(), image, label) == [64, 62, 31, 29, 15, 13]
        small = discriminator(ImageSpec(3, 32, 10))
        assert sizes_of(small, image[..., :32, :32], label) == [16, 16, 8, 8, 4, 4]
        middle = discriminator(ImageSpec(3, 64, 10))  # the smallest that is not padded
        assert sizes_of(middle, image[..., :64, :64], label) == [32, 30, 15, 13, 7, 5]


def test_at_32_pixels_the_channels_are_those_of_the_paper_s_cifar_network() -> None:
    with torch.device("meta"):
        up = generator(ImageSpec(3, 32, 10), width=96)
    assert [up.linear.out_features, up.stage1.conv.out_channels, up.stage2.conv.out_channels] == [384, 192, 96]
    assert not hasattr(up, "stage3")


@pytest.mark.parametrize("size", GENERATOR)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_size_of_the_table_is_reached(size: int, channels: int) -> None:
    image = ImageSpec(channels, size, 3)
    up, down = generator(image, width=2, latent=5), discriminator(image, width=2)
    made = up(normal(0, 2, 5), labels(0, 2))
    assert made.shape == (2, channels, size, size)
    assert down(made, labels(0, 2)).classes.shape == (2, 3)


@few
@given(st.integers(0, 2**32 - 1))
def test_the_generator_is_its_equations(seed: int) -> None:
    network, z, label = generator(ImageSpec(3, 16, 3), width=4, latent=5).eval(), normal(seed, 4, 5), labels(seed, 4)
    together = torch.cat([z, torch.eye(3)[label]], 1)
    x = functional.linear(together, network.linear.weight, network.linear.bias).clamp(min=0).view(4, 8, 1, 1)
    x = functional.conv_transpose2d(x, network.stage1.conv.weight, stride=2)
    x = (x / (1 + network.stage1.norm.eps) ** 0.5).clamp(min=0)  # fresh statistics: mean 0, variance 1
    expected = functional.conv_transpose2d(x, network.conv.weight, stride=2).tanh()
    torch.testing.assert_close(network(z, label), expected)


@few
@given(st.integers(0, 2**32 - 1))
def test_the_discriminator_is_its_equations(seed: int) -> None:
    network = discriminator(ImageSpec(3, 8, 3), width=2, multipliers=(1, 2), slope=0.3).eval()
    image, label = normal(seed, 4, 3, 8, 8), labels(seed, 4)
    x = functional.conv2d(image, network.stage1.conv.weight, stride=2, padding=1)
    x = torch.where(x > 0, x, 0.3 * x)
    x = functional.conv2d(x, network.stage2.conv.weight, padding=1) / (1 + network.stage2.norm.eps) ** 0.5
    features = torch.where(x > 0, x, 0.3 * x).flatten(1)
    score = network(image, label)
    torch.testing.assert_close(score.features, features)
    assert features.shape == (4, 4 * 4 * 4)
    torch.testing.assert_close(score.logits, network.head.linear(features)[:, 0])
    torch.testing.assert_close(score.classes, network.head.classes(features))


def test_the_class_is_appended_to_the_noise_and_not_written_over_it() -> None:
    network = generator(ImageSpec(3, 8, 3), width=64, latent=5)
    assert network.linear.in_features == 5 + 3
    z, label = normal(0, 1, 5).expand(3, 5), torch.arange(3)
    one, two, three = network(z, label)
    assert not torch.equal(one, two)
    assert not torch.equal(two, three)
    moved = z.clone()
    moved[:, :3] += 1
    assert (network(moved, label) != network(z, label)).flatten(1).any(1).all()


def test_without_classes_the_noise_stands_alone() -> None:
    network = generator(ImageSpec(3, 8), width=8, latent=5)
    assert network.linear.in_features == 5
    assert network(normal(0, 2, 5), None).shape == (2, 3, 8, 8)


def test_dropout_drops_its_share_in_training_only() -> None:
    network = discriminator(ImageSpec(3, 32, 3), norm=NoNorm(), dropout=0.25)
    features = network(normal(0, 64, 3, 32, 32), labels(0, 64)).features
    assert (features == 0).float().mean() == pytest.approx(0.25, abs=0.02)
    assert (network.eval()(normal(0, 64, 3, 32, 32), labels(0, 64)).features != 0).all()


def batch(seed: int = 0, draw: int = 1) -> BatchOfImages:
    image = normal(seed, 8, 1, 8, 8).tanh()
    return BatchOfImages(image, labels(seed, 8), normal(seed + 1, 8, 6), labels(seed + 1, 8), draw)


@pytest.mark.parametrize("player", Player)
def test_an_objective_with_dropout_repeats(player: Player) -> None:
    """Whatever was drawn in between; and another batch\'s seed drops other activations."""
    image = ImageSpec(1, 8, 3)
    networks = {"generator": AcganGenerator(width=8, latent=6, final_norm=Batch(), **COMMON)}
    networks["discriminator"] = AcganDiscriminator(width=4, conditioning=AuxiliaryClassifier(), **COMMON)
    game = toy_game(image=image, **networks)
    once = game.objective(player, batch(), 0, (player,)).total
    torch.rand(3)
    assert torch.equal(game.objective(player, batch(), 0, (player,)).total, once)
    assert not torch.equal(game.objective(player, batch(draw=2), 0, (player,)).total, once)


@pytest.mark.parametrize("player", Player)
def test_layers_are_seeded_by_their_dotted_names(player: Player) -> None:
    image = ImageSpec(3, 32, 3)
    network = generator(image, width=4, latent=5) if player is Player.GENERATOR else discriminator(image, width=4)
    layers = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    assert len(layers) == {Player.GENERATOR: 4, Player.DISCRIMINATOR: 8}[player]
    for name, layer in layers:
        *parents, last = [str(player), *name.split(".")]
        again = Site(channels=3, path=".".join(parents), initialization=Normal()).layer(copy.deepcopy(layer), last)
        assert torch.equal(layer.weight, again.weight), name
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.3)


def message(build: Any, size: Any, **options: Any) -> str:
    with pytest.raises(PlacementError) as caught:
        build(ImageSpec(3, size, 3), **options)
    return str(caught.value)


def test_misfits_say_what_works() -> None:
    assert "got 48×48 pixels; use images of 32×32 or 64×64 pixels" in message(generator, 48)
    assert "got 32×64 pixels; use images of 32×32 or 64×64 pixels" in message(generator, (32, 64))
    assert "no standard table for images of 256 pixels, only for 8, 16, 32, 64, 128" in message(generator, 256)
    text = message(generator, 32, multipliers=(2, 1))
    assert "2 multipliers lead to 16 pixels, not to 32; name 3, one for 8 pixels" in text
    assert "multipliers = [4, 3, 1]" in text
    text = message(discriminator, 16, padding=0)
    assert "convolution 4 of 6 leaves 1×1 of 16×16 pixels" in text
    assert "set padding = 1" in text
    text = message(discriminator, (4, 64))
    assert "convolution 3 of 4 leaves 1×16 of 4×64 pixels" in text
    assert "multipliers = [1, 2]" in text


def test_a_discriminator_of_rectangles_ends_on_a_rectangle() -> None:
    with torch.device("meta"):
        down = discriminator(ImageSpec(3, (32, 64), 3), width=1)
        assert down(torch.empty(2, 3, 32, 64), torch.zeros(2, dtype=torch.int64)).logits.shape == (2,)
    assert down.head.linear.in_features == 32 * 4 * 8


def test_multipliers_of_ones_own() -> None:
    with torch.device("meta"):
        up = generator(ImageSpec(3, 256, 3), width=1, multipliers=(9, 8, 7, 6, 5, 4))
        assert sizes_of(up, torch.empty(1, 100), torch.zeros(1, dtype=torch.int64))[-1] == 125
        down = discriminator(ImageSpec(3, 64, 3), multipliers=(1, 3), padding=1)
    assert down.head.linear.in_features == 48 * 32 * 32


def test_weights_of_classes_are_appended_as_they_are() -> None:
    network, z, label = generator(ImageSpec(3, 8, 3), width=64, latent=5).eval(), normal(0, 3, 5), torch.arange(3)
    assert torch.equal(network(z, torch.eye(3)), network(z, label))
    seen = []
    network.linear.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][:, 5:]))
    weights = torch.tensor([[0.25, 0.75, 0.0]]).expand(3, 3)
    network(z, weights)
    assert torch.equal(seen[0], weights)
