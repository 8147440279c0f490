"""Both networks against the paper's, layer by layer: counts, values, sites, and errors."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from attrs import field, frozen
from ganblocks_attention.self_attention import SelfAttention
from ganblocks_conditionings.none import NoConditioning
from ganblocks_conditionings.projection import Projection
from ganblocks_dcgan.discriminator import DcganDiscriminator
from ganblocks_dcgan.generator import DcganGenerator
from ganblocks_initializations.normal import Normal
from ganblocks_norms.batch import Batch
from ganblocks_norms.conditional_batch import ConditionalBatch
from ganblocks_norms.none import NoNorm
from ganblocks_spectral.none import NoWeightNorm
from ganblocks_spectral.spectral import Spectral
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ganblocks import Classes, ImageSpec, MixesSamples, PlacementError, Player, Site, UnfitSize, seed_of
from ganblocks.testing import examples

COMMON = {"norm": Batch(), "weight_norm": NoWeightNorm(), "attention": SelfAttention(), "initialization": Normal()}
few = examples(15)


def root(image: ImageSpec, player: Player, seed: int = 0) -> Site:
    condition = Classes(image.classes) if image.classes else None
    return Site(image.channels, image.size, image.channels, player, str(player), condition, seed=seed)


def generator(image: ImageSpec, seed: int = 0, **options: Any) -> Any:
    return DcganGenerator(**COMMON | options).build(image, root(image, Player.GENERATOR, seed))


def discriminator(image: ImageSpec, seed: int = 0, **options: Any) -> Any:
    component = DcganDiscriminator(**COMMON | {"conditioning": NoConditioning(bias=False)} | options)
    return component.build(image, root(image, Player.DISCRIMINATOR, seed))


def small(player: Player, size: int = 16, classes: int = 3, **options: Any) -> Any:
    build = generator if player is Player.GENERATOR else discriminator
    return build(ImageSpec(3, size, classes), **{"width": 8} | options)


def inputs(player: Player, size: int = 16, batch: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn((batch, 100) if player is Player.GENERATOR else (batch, 3, size, size), generator=rng)
    return x, torch.randint(3, (batch,), generator=rng)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# A 4×4 kernel has 16 weights for each pair of channels; batch norm has a gain and a bias for each channel.
KERNELS_64 = 16 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
KERNELS_128 = 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)


def test_parameters_of_the_paper_s_size() -> None:
    """64 pixels, z of 100, no biases; D's head is linear on 4×4×512. 64 is the width of the published code."""
    image = ImageSpec(3, 64)
    with torch.device("meta"):
        paper, code, critic = generator(image, width=128), generator(image, width=64), discriminator(image, width=64)
    # z to 4×4×1024, four kernels, norms on 1024, 512, 256 and 128 channels
    assert count(paper) == 100 * 16 * 1024 + KERNELS_128 + 2 * (1024 + 512 + 256 + 128) == 12_658_432
    assert count(code) == 100 * 16 * 512 + KERNELS_64 + 2 * (512 + 256 + 128 + 64) == 3_576_704
    # the same kernels the other way, norms on 128, 256 and 512 channels
    assert count(critic) == KERNELS_64 + 2 * (128 + 256 + 512) + 16 * 512 == 2_765_568


def reference_generator(network: Any) -> nn.Sequential:
    """The generator of PyTorch's DCGAN example at 16 pixels, with the same weights; z [B, Z, 1, 1]."""
    first = nn.ConvTranspose2d(100, 16, 4, bias=False)
    layers = [first, nn.BatchNorm2d(16), nn.ReLU(), nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False), nn.Tanh()]
    first.weight.data = network.linear.weight.data.T.reshape(100, 16, 4, 4)
    layers[3].weight.data, layers[6].weight.data = network.block1.conv.weight.data, network.block2.conv.weight.data
    return nn.Sequential(*layers)


def reference_discriminator(network: Any) -> nn.Sequential:
    """The discriminator of PyTorch's DCGAN example at 16 pixels without its sigmoid, with the same weights."""
    last = nn.Conv2d(16, 1, 4, bias=False)
    layers = [nn.Conv2d(3, 8, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), nn.Conv2d(8, 16, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(16), nn.LeakyReLU(0.2), last, nn.Flatten(0)]
    layers[0].weight.data, layers[2].weight.data = network.block1.conv.weight.data, network.block2.conv.weight.data
    last.weight.data = network.head.linear.weight.data.reshape(1, 16, 4, 4)
    return nn.Sequential(*layers)


@few
@given(st.integers(0, 2**32 - 1))
def test_networks_are_those_of_the_published_code(seed: int) -> None:
    """In training: with a batch's statistics, in float64."""
    up, down = small(Player.GENERATOR, seed=seed).double(), small(Player.DISCRIMINATOR, seed=seed).double()
    (z, _), (image, _) = (inputs(player, seed=seed) for player in (Player.GENERATOR, Player.DISCRIMINATOR))
    z, image = z.double(), image.double()
    torch.testing.assert_close(up(z), reference_generator(up).double()(z[:, :, None, None]), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(down(image).logits, reference_discriminator(down).double()(image), rtol=1e-9, atol=1e-12)


def test_a_head_on_the_flattened_map_is_a_convolution_to_one_logit() -> None:
    """Also with labels: the projection's table adds one kernel per class."""
    network = small(Player.DISCRIMINATOR, conditioning=Projection(), slope=0.0)
    seen: list[Tensor] = []
    network.block2.register_forward_hook(lambda _module, _inputs, y: seen.append(y))
    image, label = inputs(Player.DISCRIMINATOR)
    score = network(image, label)
    kernels = network.head.linear.weight + network.head.embedding.weight[label]
    expected = [
        conv2d(x[None], kernel.reshape(1, 16, 4, 4), network.head.linear.bias) for x, kernel in zip(*seen, kernels, strict=True)
    ]
    torch.testing.assert_close(score.logits, torch.cat(expected).flatten())
    assert score.features.shape == (4, 256)


@few
@given(st.sampled_from([8, 16, 32, 64]), st.integers(1, 5), st.sampled_from([1, 3]))
def test_channels_double_as_the_size_halves(size: int, width: int, channels: int) -> None:
    image = ImageSpec(channels, size)
    with torch.device("meta"):
        up, down = generator(image, width=width), discriminator(image, width=width)
    kernels = [layer.weight.shape[:2] for layer in up.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert up.linear.out_features == 16 * width * size // 8
    assert [into for into, _ in kernels] == [width * size // 8 // 2**n for n in range(len(kernels))]
    assert kernels[-1] == (width, channels)
    # the discriminator is the same list of channels, from the image on
    assert [layer.weight.shape[:2] for layer in down.modules() if isinstance(layer, nn.Conv2d)] == kernels[::-1]
    assert down.head.linear.in_features == up.linear.out_features


@pytest.mark.parametrize("player", Player)
def test_layers_start_from_seed_path_and_name(player: Player) -> None:
    """Every layer is filled by the named rule by its own path in the network, whatever was built before it."""
    network = small(player, attention_at=(8,), seed=5)
    layers = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
    assert len(layers) == 3 + 4  # two convolutions and a linear layer; attention has four
    for name, layer in layers:
        path, _, attribute = f"{player}.{name}".rpartition(".")
        fresh = copy.deepcopy(layer)
        Normal().fill(fresh, torch.Generator().manual_seed(seed_of(5, path, attribute)))
        assert torch.equal(layer.weight, fresh.weight), name


@pytest.mark.parametrize("player", Player)
def test_swapping_a_block_leaves_all_other_initial_values(player: Player) -> None:
    plain, changed = small(player), small(player, attention_at=(4, 8), norm=NoNorm(), weight_norm=Spectral())
    theirs = {name.replace(".layer.", "."): value for name, value in changed.named_parameters()}
    for name, value in plain.named_parameters():
        if ".norm." not in name:
            assert torch.equal(theirs[name], value), name


@frozen
class Recording:
    """A norm, or an attention, that records where it is built."""

    component: Any
    seen: list[tuple[str, int, int]] = field(factory=list)

    def build(self, site: Site) -> nn.Module:
        self.seen.append((site.path, site.channels, site.height))
        module: nn.Module = self.component.build(site)
        return module


def test_norms_and_attention_are_told_where_they_stand() -> None:
    norms, attention = Recording(Batch()), Recording(SelfAttention())
    for player in Player:
        small(player, size=32, norm=norms, attention=attention, attention_at=(8,))
    # none at the image, on either side
    assert norms.seen == [
        ("generator.block1.norm", 32, 4),
        ("generator.block2.norm", 16, 8),
        ("generator.block3.norm", 8, 16),
        ("discriminator.block2.norm", 16, 8),
        ("discriminator.block3.norm", 32, 4),
    ]
    assert attention.seen == [("generator.block2.attention", 16, 8), ("discriminator.block2.attention", 16, 8)]


@pytest.mark.parametrize("player", Player)
def test_attention_follows_the_activation(player: Player) -> None:
    """The map that attention sees has been through the norm and the activation."""
    network = small(player, attention_at=(8,))
    seen: list[Tensor] = []
    block = network.block2 if player is Player.GENERATOR else network.block1
    block.attention.register_forward_hook(lambda _module, inputs, _y: seen.append(inputs[0].detach()))
    network(*inputs(player))
    (x,) = seen
    assert x.shape == (4, 8, 8, 8)
    lowest, highest = float(x.min()), float(x.max())
    assert lowest == 0 if player is Player.GENERATOR else 0 < -lowest < highest / 2  # a fifth of what it was


@pytest.mark.parametrize("player", Player)
@few
@given(st.integers(0, 2**32 - 1))
def test_label_reaches_every_conditional_norm(player: Player, seed: int) -> None:
    """Another label, another output; and in evaluation it touches its own sample only."""
    network = small(player, norm=ConditionalBatch()).eval()
    x, label = inputs(player, seed=seed)
    other = label.clone()
    other[0] = (label[0] + 1) % 3
    norms = [name for name, module in network.named_modules() if name.endswith("norm")]
    assert norms == (["block1.norm", "block2.norm"] if player is Player.GENERATOR else ["block2.norm"])
    for name in norms:
        changed = copy.deepcopy(network)
        nn.init.normal_(changed.get_submodule(name).bias)
        one, two = (
            changed(x, labels) if player is Player.GENERATOR else changed(x, labels).logits for labels in (label, other)
        )
        assert not torch.allclose(one[0], two[0])
        assert torch.equal(one[1:], two[1:])


def test_images_and_scores_have_full_precision_under_autocast() -> None:
    up, down = small(Player.GENERATOR), small(Player.DISCRIMINATOR)
    with torch.autocast("cpu", torch.bfloat16):
        image = up(inputs(Player.GENERATOR)[0])
        score = down(image)
    assert image.dtype == score.logits.dtype == score.features.dtype == torch.float32


def test_samples_mix_in_batch_norm_only() -> None:
    mixing, alone = small(Player.DISCRIMINATOR), small(Player.DISCRIMINATOR, norm=NoNorm(), bias=True)
    assert any(isinstance(module, MixesSamples) for module in mixing.modules())
    assert not any(isinstance(module, MixesSamples) for module in alone.modules())
    assert [name for name, _ in alone.named_parameters() if name.endswith("bias")] == ["block1.conv.bias", "block2.conv.bias"]


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize(("size", "nearest"), [(7, "6×6 or 8×8"), (36, "32×32 or 40×40"), (100, "96×96 or 112×112")])
def test_sizes_to_which_nothing_doubles_are_refused(player: Player, size: int, nearest: str) -> None:
    with pytest.raises(UnfitSize, match=rf"got {size}×{size} pixels; use images of {nearest} pixels") as caught:
        small(player, size=size)
    assert caught.value.where == str(player)


@pytest.mark.parametrize("player", Player)
def test_attention_at_a_size_that_never_occurs(player: Player) -> None:
    with pytest.raises(PlacementError, match=r"attention_at names 16, but feature maps are 4×4, 8×8; set attention_at = \[8\]"):
        small(player, attention_at=(8, 16))
