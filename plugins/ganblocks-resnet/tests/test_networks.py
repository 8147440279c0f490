"""Both networks: parameter counts of the papers' models, shapes, sites, initial values, and what swapping leaves alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from attrs import frozen
from ganblocks_attention.none import Nothing
from ganblocks_attention.residual import Residual
from ganblocks_attention.self_attention import SelfAttention
from ganblocks_conditionings.none import NoConditioning
from ganblocks_conditionings.projection import Projection
from ganblocks_initializations.xavier import Xavier
from ganblocks_norms.batch import Batch
from ganblocks_norms.conditional_batch import ConditionalBatch
from ganblocks_norms.layer import Layer
from ganblocks_norms.none import NoNorm
from ganblocks_resnet.discriminator import ResnetDiscriminator
from ganblocks_resnet.generator import ResnetGenerator
from ganblocks_spectral.none import NoWeightNorm
from ganblocks_spectral.spectral import Spectral
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Classes, ImageSpec, MixesSamples, PlacementError, Player, Site, seed_of, seeded
from ganblocks.testing import examples

few = examples(10)
SIZES = (8, 16, 32, 64, 128, 256)
COMMON = {"weight_norm": NoWeightNorm(), "attention": SelfAttention(), "initialization": Xavier()}


def root(image: ImageSpec, player: Player, **facts: Any) -> Site:
    condition = Classes(image.classes) if image.classes else None
    return Site(image.channels, image.size, image.channels, player, str(player), condition, **facts)


def generator(image: ImageSpec, seed: int = 0, **options: Any) -> Any:
    defaults = {"norm": ConditionalBatch() if image.classes else Batch(), "final_norm": Batch()}
    component = ResnetGenerator(**COMMON | defaults | options)
    return component.build(image, root(image, Player.GENERATOR, seed=seed))


def discriminator(image: ImageSpec, seed: int = 0, **options: Any) -> Any:
    defaults = {"norm": NoNorm(), "conditioning": Projection() if image.classes else NoConditioning()}
    component = ResnetDiscriminator(**COMMON | defaults | options)
    return component.build(image, root(image, Player.DISCRIMINATOR, seed=seed))


def small(player: Player, channels: int = 3, size: int = 16, classes: int = 3, **options: Any) -> Any:
    image = ImageSpec(channels, size, classes)
    if player is Player.GENERATOR:
        return generator(image, **{"width": 8, "latent": 5} | options)
    return discriminator(image, **{"width": 8} | options)


def inputs(player: Player, batch: int = 4, channels: int = 3, size: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn((batch, 5) if player is Player.GENERATOR else (batch, channels, size, size), generator=rng)
    return x, torch.randint(3, (batch,), generator=rng)


def output(network: nn.Module, x: Tensor, label: Tensor | None) -> Tensor:
    y = network(x, label)
    return y if isinstance(y, Tensor) else y.logits


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


IMAGENET, IMAGENET64, CIFAR, UNLABELLED = (
    ImageSpec(3, 128, 1000),
    ImageSpec(3, 64, 1000),
    ImageSpec(3, 32, 10),
    ImageSpec(3, 32),
)


@pytest.mark.statement(67)
@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (IMAGENET, {}, 41_996_931),
        (IMAGENET, {"attention_at": (8,)}, 43_307_652),
        (IMAGENET, {"attention_at": (16,)}, 42_324_612),
        (IMAGENET, {"attention_at": (32,)}, 42_078_852),
        (IMAGENET, {"attention_at": (64,)}, 42_017_412),
        (IMAGENET, {"norm": Batch()}, 32_150_787),
        (IMAGENET64, {}, 17_974_915),
        (IMAGENET64, {"attention_at": (32,)}, 17_995_396),
        (ImageSpec(3, 64, 100), {"attention_at": (32,)}, 12_811_396),
        (CIFAR, {"width": 256}, 4_304_387),
        (CIFAR, {"width": 256, "attention_at": (16,)}, 4_386_308),
        (UNLABELLED, {"width": 256}, 4_276_739),
    ],
)
def test_parameters_of_the_papers_generators(image: ImageSpec, options: dict[str, Any], expected: int) -> None:
    with torch.device("meta"):
        assert count(generator(image, **options)) == expected


@pytest.mark.statement(67)
@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (IMAGENET, {}, 39_443_137),
        (IMAGENET, {"attention_at": (8,)}, 39_770_818),
        (IMAGENET, {"attention_at": (16,)}, 39_525_058),
        (IMAGENET, {"attention_at": (32,)}, 39_463_618),
        (IMAGENET, {"attention_at": (64,)}, 39_448_258),
        (IMAGENET, {"hidden": "in"}, 30_041_857),
        (IMAGENET64, {"hidden": "in", "halvings": 5}, 11_165_441),
        (ImageSpec(3, 64, 100), {"attention_at": (32,)}, 19_650_242),
        (CIFAR, {"width": 128, "conditioning": Projection(bias=False)}, 1_055_104),
        (CIFAR, {"width": 128}, 1_055_105),
        (CIFAR, {"width": 128, "attention_at": (16,)}, 1_075_586),
        (UNLABELLED, {"width": 128, "conditioning": NoConditioning(bias=False)}, 1_053_824),
    ],
)
def test_parameters_of_the_papers_discriminators(image: ImageSpec, options: dict[str, Any], expected: int) -> None:
    with torch.device("meta"):
        assert count(discriminator(image, **options)) == expected


@pytest.mark.statement(67)
def test_parameters_of_the_papers_blocks() -> None:
    with torch.device("meta"):
        up, down = generator(IMAGENET, attention_at=(32,)), discriminator(IMAGENET, attention_at=(32,))
    expected = [2_113_536, 24_022_016, 10_675_712, 3_437_312 + 81_921, 1_243_520, 502_976, 128, 1_731]
    assert [count(module) for module in up.children()] == expected
    expected = [38_976, 229_760 + 20_481, 918_272, 3_671_552, 14_683_136, 18_876_416, 1_025 + 1_024_000]
    assert [count(module) for module in down.children()] == expected


@pytest.mark.statement(68, 69)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shapes_at_every_standard_size(size: int, channels: int) -> None:
    image = ImageSpec(channels, size, 3)
    with torch.device("meta"):
        fake = generator(image, width=1, latent=5, weight_norm=Spectral())(torch.empty(2, 5), torch.zeros(2, dtype=torch.int64))
        score = discriminator(image, width=1, weight_norm=Spectral())(fake, torch.zeros(2, dtype=torch.int64))
    assert fake.shape == (2, channels, size, size)
    assert score.logits.shape == (2,)
    assert score.features.shape == (2, {8: 1, 16: 1, 32: 1}.get(size, 16))


@pytest.mark.statement(68)
@few
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 10.0]), st.booleans(), st.sampled_from([1, 3, 4]), st.booleans())
def test_images_are_in_range_and_scores_finite(seed: int, scale: float, training: bool, channels: int, half: bool) -> None:
    """For latents of any size, and in bfloat16: what leaves a network is float32."""
    up = small(Player.GENERATOR, channels, attention_at=(8,), seed=seed, weight_norm=Spectral()).train(training)
    down = small(Player.DISCRIMINATOR, channels, attention_at=(8,), seed=seed, weight_norm=Spectral())
    z, label = inputs(Player.GENERATOR, seed=seed)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        fake = up(scale * z, label)
        score = down(fake, label)
    assert fake.dtype == score.logits.dtype == score.features.dtype == torch.float32
    assert fake.shape == (4, channels, 16, 16)
    assert fake.abs().max() <= 1
    assert score.logits.isfinite().all()


class SiteRecorder(nn.Identity):
    """Keeps the site where it was built."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        assert x.shape[1:] == (self.site.channels, self.site.height, self.site.width)
        return x


@frozen
class Recording:
    """Stands in for a norm or for attention."""

    def build(self, site: Site) -> nn.Module:
        return SiteRecorder(site)


@frozen
class RecordingHead:
    def build(self, site: Site) -> nn.Module:
        assert site.size == 1
        head: Any = NoConditioning().build(site)
        head.site = site
        return head


@pytest.mark.parametrize("player", Player)
def test_sites_say_where_a_block_stands(player: Player) -> None:
    """Channels and size are those that arrive, and the path is the module's own name in the network."""
    extra = {"final_norm": Recording()} if player is Player.GENERATOR else {"conditioning": RecordingHead()}
    sizes = (8, 16) if player is Player.GENERATOR else (8, 4)
    network = small(player, norm=Recording(), attention=Recording(), attention_at=sizes, weight_norm=Spectral(), **extra)
    sites = {name: module.site for name, module in network.named_modules() if hasattr(module, "site")}
    output(network, *inputs(player))
    assert all(site.path == f"{player}.{name}" for name, site in sites.items())
    assert all((site.weight_norm, site.condition) == (Spectral(), Classes(3)) for site in sites.values())
    assert {name.rpartition(".")[2] for name in sites} >= {"norm1", "norm2", "attention"}
    assert {"final_norm", "head"} & set(sites)


PLACES = [(8, "block1", 1024, "block4", 512), (16, "block2", 512, "block3", 256), (32, "block3", 256, "block2", 128)]


@pytest.mark.parametrize(("size", "up", "up_channels", "down", "down_channels"), [*PLACES, (64, "block4", 128, "block1", 64)])
def test_attention_stands_where_sagan_has_it(size: int, up: str, up_channels: int, down: str, down_channels: int) -> None:
    options = {"attention_at": (size,), "attention": Recording()}
    with torch.device("meta"):
        for network, block, channels in (
            (generator(IMAGENET, **options), up, up_channels),
            (discriminator(IMAGENET, **options), down, down_channels),
        ):
            sites = {name: module.site for name, module in network.named_modules() if isinstance(module, SiteRecorder)}
            assert {name: (site.channels, site.size) for name, site in sites.items()} == {
                f"{block}.attention": (channels, size)
            }


@pytest.mark.parametrize("player", Player)
def test_attention_nowhere_leaves_no_trace(player: Player) -> None:
    assert not any("attention" in name for name in small(player).state_dict())


def test_misfits_reach_the_user() -> None:
    with pytest.raises(PlacementError, match=r"generator: attention_at names 32, but feature maps are 8×8, 16×16;"):
        small(Player.GENERATOR, attention_at=(32,))
    with pytest.raises(
        PlacementError, match=r"discriminator: needs images that can be halved .*; use images of 20×20 or 24×24"
    ):
        small(Player.DISCRIMINATOR, size=22)
    with pytest.raises(PlacementError, match=r"generator\.block1\.attention: "):
        small(Player.GENERATOR, attention_at=(8,), width=4)
    with pytest.raises(PlacementError, match=r"generator\.block1\.norm1: conditional_batch needs a condition"):
        small(Player.GENERATOR, classes=0, norm=ConditionalBatch())


@pytest.mark.parametrize(
    "option", [{"width": 0}, {"multipliers": (1,)}, {"multipliers": (1, 0)}, {"attention_at": (0,)}, {"latent": 0}]
)
def test_options_out_of_range(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        small(Player.GENERATOR, **option)


@pytest.mark.parametrize("option", [{"hidden": "wide"}, {"halvings": 0}, {"multipliers": ()}])
def test_discriminator_options_out_of_range(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        small(Player.DISCRIMINATOR, **option)


class Scaled(nn.Module):
    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(scale)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


@frozen
class Stranger:
    """Draws from the global random numbers without asking."""

    draws: int = 1

    def build(self, site: Site) -> nn.Module:
        return Scaled(torch.randn(self.draws, site.channels, 1, 1)[0])


@pytest.mark.statement(21, 103)
@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("other", [Nothing(), Residual(), Stranger(), Stranger(draws=7)])
def test_swapping_attention_changes_nothing_else(player: Player, other: Any) -> None:
    state = torch.random.get_rng_state()
    one = small(player, attention_at=(8,), weight_norm=Spectral()).state_dict()
    two = small(player, attention_at=(8,), weight_norm=Spectral(), attention=other).state_dict()
    shared = {name for name in one if ".attention." not in name}
    assert {name for name in two if ".attention." not in name} == shared
    assert all(torch.equal(one[name], two[name]) for name in shared)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("seed", [0, 1])
def test_layers_start_from_seed_path_and_name(player: Player, seed: int) -> None:
    """Every layer is filled by the named rule by its own path in the network, whatever was built before it."""
    network = small(player, attention_at=(8,), seed=seed)
    layers = {
        name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding)
    }
    for name, layer in layers.items():
        path, _, attribute = f"{player}.{name}".rpartition(".")
        fresh = copy.deepcopy(layer)
        Xavier().fill(fresh, torch.Generator().manual_seed(seed_of(seed, path, attribute)))
        assert all(map(torch.equal, layer.parameters(), fresh.parameters())), name
    assert len(layers) == {Player.GENERATOR: 2 + 2 * 3 + 4, Player.DISCRIMINATOR: 4 * 2 + 2 + 4 + 2}[player]


@pytest.mark.parametrize("player", Player)
def test_strangers_start_from_seed_and_path(player: Player) -> None:
    attention = small(player, attention_at=(8,), attention=Stranger()).get_submodule("block1.attention")
    with seeded(seed_of(0, f"{player}.block1.attention")):
        assert torch.equal(attention.scale, torch.randn(1, 8, 1, 1)[0])


def test_generator_is_the_papers() -> None:
    network = small(Player.GENERATOR, attention_at=(8,), attention=SelfAttention(gamma=1.0)).eval()
    z, label = inputs(Player.GENERATOR)
    x = network.linear(z).view(4, 8, 4, 4)
    for block in (network.block1, network.block2):
        x = block(x, label)
    expected = network.conv(network.final_norm(x, label).clamp(min=0)).tanh()
    torch.testing.assert_close(network(z, label), expected)


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("size", [8, 16, 32])
def test_memory_formats_agree(player: Player, size: int) -> None:
    """Values and gradients; and the fast format is not lost on the way."""
    network = small(player, size=size, attention_at=(8 if player is Player.GENERATOR else size // 2,))
    fast = copy.deepcopy(network).to(memory_format=torch.channels_last)
    x, label = inputs(player, size=size)
    formats = []
    for module in fast.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _x, y: formats.append(y.is_contiguous(memory_format=torch.channels_last)))
    plain, quick = output(network, x, label), output(fast, x, label)
    torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-5)
    for loss in (plain.sum(), quick.sum()):
        loss.backward()
    for one, two in zip(network.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(two.grad, one.grad, rtol=1e-3, atol=3e-4)  # sums over the batch that nearly cancel
    assert formats
    assert all(formats)


@few
@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.sampled_from([NoNorm(), Layer()]))
def test_discriminator_judges_each_image_alone(seed: int, index: int, norm: Any) -> None:
    network = small(Player.DISCRIMINATOR, attention_at=(8,), norm=norm, weight_norm=Spectral()).double()
    x, label = inputs(Player.DISCRIMINATOR, seed=seed)
    alone = network(x.double()[index : index + 1], label[index : index + 1]).logits
    torch.testing.assert_close(network(x.double(), label).logits[index : index + 1], alone, rtol=1e-10, atol=1e-12)
    assert not any(isinstance(module, MixesSamples) for module in network.modules())


def test_discriminator_with_batch_norm_mixes_samples() -> None:
    network = small(Player.DISCRIMINATOR, norm=Batch())
    assert sum(isinstance(module, MixesSamples) for module in network.modules()) == 2 * 3  # all blocks but the first


@pytest.mark.statement(73)
def test_features_are_sums_over_positions() -> None:
    network = small(Player.DISCRIMINATOR)
    seen: list[Tensor] = []
    network.block4.register_forward_hook(lambda _module, _inputs, y: seen.append(y))
    score = network(*inputs(Player.DISCRIMINATOR))
    torch.testing.assert_close(score.features, 16 * seen[0].clamp(min=0).mean((2, 3)))


def test_discriminator_is_twice_differentiable() -> None:
    """The gradient of a gradient penalty against finite differences, in float64, with attention at work."""
    image = ImageSpec(3, 16, 3)
    component = ResnetDiscriminator(
        **COMMON | {"weight_norm": Spectral(), "attention": SelfAttention(gamma=1.0)},
        width=8,
        attention_at=(8,),
        norm=NoNorm(),
        conditioning=Projection(),
    )
    network = component.build(image, root(image, Player.DISCRIMINATOR, twice_differentiable=True)).double()
    x, label = inputs(Player.DISCRIMINATOR, batch=2)
    x = x.double().requires_grad_()

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(network(x, label).logits.sum(), x, create_graph=True)
        return slope.square().sum()

    parameters = list(network.parameters())
    grads = torch.autograd.grad(penalty(), parameters, allow_unused=True)
    directions = [torch.randn_like(parameter) for parameter in parameters]
    predicted = sum((grad * way).sum() for grad, way in zip(grads, directions, strict=True) if grad is not None)
    values = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            for parameter, way in zip(parameters, directions, strict=True):
                parameter.add_(step * way)
        values.append(penalty().detach())
    torch.testing.assert_close((values[0] - values[1]) / 2e-6, predicted.detach(), rtol=1e-4, atol=1e-6)


@few
@given(st.integers(0, 2**32 - 1))
def test_label_reaches_every_conditional_norm(seed: int) -> None:
    """Other labels, other images; and in evaluation a label touches its own sample only."""
    network = small(Player.GENERATOR, size=8).eval()
    z, label = inputs(Player.GENERATOR, seed=seed)
    for name in ("norm1", "norm2"):
        changed = copy.deepcopy(network)
        nn.init.normal_(changed.block1.get_submodule(name).gain)
        other = label.clone()
        other[0] = (label[0] + 1) % 3
        one, two = changed(z, label), changed(z, other)
        assert not torch.allclose(one[0], two[0])
        assert torch.equal(one[1:], two[1:])
