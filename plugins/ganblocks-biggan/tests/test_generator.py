"""BigGAN's generator: counts of the paper, what each chunk and each class reaches, and where it cannot stand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import frozen
from ganblocks_attention.none import Nothing
from ganblocks_attention.self_attention import SelfAttention
from ganblocks_biggan.generator import BigGANGenerator
from ganblocks_initializations.orthogonal import Orthogonal
from ganblocks_norms.batch import Batch
from ganblocks_norms.conditional_batch import ConditionalBatch
from ganblocks_norms.none import NoNorm
from ganblocks_resnet.generator import ResnetGenerator
from ganblocks_spectral.none import NoWeightNorm
from ganblocks_spectral.spectral import Spectral, SpectralNorm
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Classes, ImageSpec, PlacementError, Player, Site, Vector, discover, read_recipe
from ganblocks.evaluation.batch_norm_modes import batch_norm_mode
from ganblocks.testing import examples
from ganblocks.testing.toys import toy_game
from ganblocks.training.class_mixing import refuse_unmixable
from ganblocks.training.sampler import Sampler
from ganblocks.values import Batch as Drawn

few = examples(10)
seeds = st.integers(0, 2**32 - 1)
RECIPES = Path(__file__).parents[3] / "recipes"
SOCKETS: dict[str, Any] = {
    "norm": ConditionalBatch(),
    "final_norm": Batch(),
    "weight_norm": Spectral(),
    "attention": SelfAttention(),
    "initialization": Orthogonal(),
}
IMAGENET = ImageSpec(3, 128, 1000)
CLASSES = 5


def root(image: ImageSpec, **facts: Any) -> Site:
    condition = Classes(image.classes) if image.classes else None
    return Site(image.channels, image.size, image.channels, Player.GENERATOR, "generator", condition, **facts)


def build(image: ImageSpec, seed: int = 0, **options: Any) -> Any:
    return BigGANGenerator(**SOCKETS | options).build(image, root(image, seed=seed))


def small(classes: int = CLASSES, seed: int = 0, **options: Any) -> Any:
    """Two blocks to 16 pixels; gates open, so that attention has its part."""
    defaults = {"width": 8, "latent": 9, "shared": 4, "attention_at": (8,), "attention": SelfAttention(gamma=0.5)}
    return build(ImageSpec(3, 16, classes), seed, **defaults | options)


def latents(seed: int = 0, batch: int = 4, length: int = 9) -> Tensor:
    return torch.randn(batch, length, generator=torch.Generator().manual_seed(seed))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.statement(67)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"width": 96}, 70_433_988),
        ({"width": 64}, 31_978_628),
        ({"width": 96, "latent": 128, "shared": 0, "hierarchical": False}, 85_556_164),
        ({"width": 64, "latent": 128, "shared": 0, "hierarchical": False}, 42_017_412),
    ],
)
def test_parameters_of_the_papers_generators(options: dict[str, Any], expected: int) -> None:
    with torch.device("meta"):
        assert count(build(IMAGENET, attention_at=(64,), **options)) == expected


@pytest.mark.statement(67)
def test_the_recipe_of_the_paper_s_size_has_the_published_counts() -> None:
    recipe = read_recipe(RECIPES / "biggan-imagenet128.toml")
    site = Site(3, 128, 3, condition=Classes(1000))
    with torch.device("meta"):
        networks = [part.build(IMAGENET, site) for part in (recipe.generator, recipe.discriminator.network)]
    assert [count(network) for network in networks] == [70_433_988, 87_982_370]


@pytest.mark.statement(67)
@pytest.mark.parametrize(("width", "expected"), [(96, 87_982_370), (64, 39_448_258)])
def test_the_discriminator_is_the_residual_one(width: int, expected: int) -> None:
    discriminator = discover().create("discriminator", "resnet", width=width, attention_at=[64], initialization="orthogonal")
    with torch.device("meta"):
        assert count(discriminator.build(IMAGENET, Site(3, 128, 3, Player.DISCRIMINATOR, "d", Classes(1000)))) == expected


@few
@given(seeds)
def test_it_is_the_papers(seed: int) -> None:
    network = small(seed=seed).eval()
    z, label = latents(seed), torch.tensor([3, 0, 3, 1])
    x = network.linear(z[:, :3]).view(4, 8, 4, 4)
    for i, block in enumerate((network.block1, network.block2), start=1):
        x = block(x, torch.cat([network.embedding.weight[label], z[:, 3 * i : 3 * i + 3]], 1))
    expected = network.conv(network.final_norm(x, label).clamp(min=0)).tanh()
    torch.testing.assert_close(network(z, label), expected)


def test_a_gain_is_one_plus_a_linear_map_of_class_and_chunk_without_bias() -> None:
    network = small()
    norms = [block.get_submodule(name) for block in (network.block1, network.block2) for name in ("norm1", "norm2")]
    assert [tuple(part.weight.shape) for norm in norms for part in (norm.gain, norm.bias)] == [(8, 7)] * 8
    assert all(part.bias is None for norm in norms for part in (norm.gain, norm.bias))


def watched(network: Any, z: Tensor, label: Tensor | None) -> list[Tensor]:
    """What leaves the first layer, and each block; the image last."""
    seen: list[Tensor] = []
    parts = [network.linear, network.block1, network.block2]
    hooks = [part.register_forward_hook(lambda _module, _inputs, y: seen.append(y)) for part in parts]
    image = network(z, label)
    for hook in hooks:
        hook.remove()
    return [*seen, image]


@pytest.mark.statement(83)
@pytest.mark.parametrize("classes", [CLASSES, 0])
@few
@given(seeds, st.integers(0, 2))
def test_a_chunk_alters_nothing_before_its_block_and_everything_from_there_on(classes: int, seed: int, k: int) -> None:
    network = small(classes, seed).eval()
    z, label = latents(seed), torch.arange(4) if classes else None
    other = z.clone()
    other[:, 3 * k : 3 * k + 3] += 1
    for i, (one, two) in enumerate(zip(watched(network, z, label), watched(network, other, label), strict=True)):
        assert torch.equal(one, two) == (i < k)


@pytest.mark.statement(83)
@few
@given(seeds, st.integers(1, 4))
def test_chunks_are_the_latent_split_without_remainder(seed: int, length: int) -> None:
    """What the first layer and the two blocks read, in order, is z."""
    inputs_read: list[Tensor] = []
    network = small(0, latent=3 * length)
    network.linear.register_forward_pre_hook(lambda _module, inputs: inputs_read.append(inputs[0]))
    for block in (network.block1, network.block2):
        block.register_forward_pre_hook(lambda _module, inputs: inputs_read.append(inputs[1]))
    z = latents(seed, length=3 * length)
    network(z, None)
    assert [part.shape for part in inputs_read] == [(4, length)] * 3
    assert torch.equal(torch.cat(inputs_read, 1), z)


@pytest.mark.statement(84)
@few
@given(seeds, st.permutations(range(CLASSES)))
def test_rows_of_the_embedding_may_be_permuted_with_the_labels(seed: int, order: Sequence[int]) -> None:
    network = small(seed=seed).eval()
    z, label = latents(seed, batch=CLASSES), torch.arange(CLASSES)
    before = network(z, label)
    with torch.no_grad():
        network.embedding.weight.copy_(network.embedding.weight[torch.tensor(order)].clone())
    renamed = torch.tensor([list(order).index(int(k)) for k in label])
    assert torch.equal(network(z, renamed), before)
    assert list(order) == sorted(order) or not torch.equal(network(z, label), before)


def test_the_embedding_is_shared_plain_trained_and_initialised_as_all_layers() -> None:
    network = small()
    assert type(network.embedding) is nn.Embedding
    wrapped = {name for name, module in network.named_modules() if isinstance(module, SpectralNorm)}
    layers = {name for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    assert {f"{name}.layer" for name in wrapped} == layers
    weight = network.embedding.weight
    assert weight.requires_grad
    torch.testing.assert_close(weight.T @ weight, torch.eye(4))  # 5 rows of 4: orthonormal columns
    assert not torch.equal(weight, small(seed=1).embedding.weight)


@frozen
class RecordingNorm:
    """A norm that keeps the site where it was built."""

    sites: list[Site]

    def build(self, site: Site) -> nn.Module:
        self.sites.append(site)
        return ConditionalBatch().build(site)


@pytest.mark.parametrize(
    ("classes", "options", "expected"),
    [
        (CLASSES, {}, Vector(4 + 3)),
        (CLASSES, {"shared": 6}, Vector(6 + 3)),
        (CLASSES, {"hierarchical": False}, Vector(4)),
        (CLASSES, {"hierarchical": False, "shared": 0}, Classes(CLASSES)),
        (0, {}, Vector(3)),
        (0, {"shared": 0}, Vector(3)),
    ],
)
def test_norms_are_told_class_and_chunk(classes: int, options: dict[str, Any], expected: Any) -> None:
    norm = RecordingNorm([])
    network = small(classes, norm=norm, **options)
    inner = norm.sites[-4:]  # the first was built to see whether it listens
    assert [site.path for site in inner] == [f"generator.block{i}.norm{j}" for i in (1, 2) for j in (1, 2)]
    assert {site.condition for site in inner} == {expected}
    image = network(latents(), torch.arange(4) if classes else None)
    assert image.shape == (4, 3, 16, 16)
    assert (network.embedding is None) == (classes == 0 or options.get("shared") == 0)
    assert network.linear.weight.shape[1] == (9 if "hierarchical" in options else 3)


def test_with_neither_it_is_the_residual_generator() -> None:
    common = SOCKETS | {"width": 8, "latent": 9, "attention_at": (8,)}
    image = ImageSpec(3, 16, CLASSES)
    one = BigGANGenerator(**common, shared=0, hierarchical=False).build(image, root(image)).state_dict()
    two = ResnetGenerator(**common).build(image, root(image)).state_dict()
    assert list(one) == list(two)
    assert all(torch.equal(one[name], two[name]) for name in one)


@few
@given(seeds, st.integers(0, 3))
def test_in_evaluation_a_label_and_a_latent_reach_their_own_sample_only(seed: int, i: int) -> None:
    network = small(seed=seed).eval()
    z, label = latents(seed), torch.arange(4)
    others = [k for k in range(4) if k != i]
    for key in ("label", "latent"):
        z_2, label_2 = z.clone(), label.clone()
        if key == "label":
            label_2[i] = 4
        else:
            z_2[i, 3:] *= -1
        one, two = network(z, label), network(z_2, label_2)
        assert torch.equal(one[others], two[others])
        assert not torch.equal(one[i], two[i])


@pytest.mark.parametrize("classes", [4, 0])
def test_every_parameter_has_a_finite_gradient_by_the_third_step(classes: int) -> None:
    """With attention's gate at 0, where it starts."""
    image = ImageSpec(3, 16, classes)
    component = BigGANGenerator(**SOCKETS, width=8, latent=9, shared=4, attention_at=(8,))
    game = toy_game(generator=component, image=image)
    parameters = dict(game.networks[Player.GENERATOR].named_parameters())
    optimizer = torch.optim.Adam(parameters.values(), 1e-2, (0.0, 0.999))
    silent = set(parameters)
    for step in range(3):
        label = torch.arange(8) % 4 if classes else None
        game.backward(Player.GENERATOR, Drawn(torch.zeros(8, 3, 16, 16), label, latents(step, batch=8), label, step), 0)
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in parameters.values())
        silent -= {name for name, parameter in parameters.items() if parameter.grad.any()}
        optimizer.step()
    assert not silent


def test_standing_statistics_reach_every_norm_and_are_gone_afterwards() -> None:
    sampler = Sampler(small(), 9, ImageSpec(3, 16, CLASSES))
    norm = sampler.network.block2.norm1
    assert norm.running_mean.eq(0).all()
    before = sampler.sample(4)
    seen: list[Tensor] = []
    with batch_norm_mode(sampler, "batch", seed=0):
        hook = norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        sampler.draw(*sampler.representative(seed=0)(1024), batch=64)
        hook.remove()
    with batch_norm_mode(sampler, "standing", seed=0):
        torch.testing.assert_close(norm.running_mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
        torch.testing.assert_close(norm.running_var, torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0))
        assert not torch.equal(sampler.sample(4), before)
    assert torch.equal(sampler.sample(4), before)


@pytest.mark.parametrize(
    ("classes", "options", "message"),
    [
        (CLASSES, {"latent": 10}, r"generator: a latent of 10 cannot be split into 3 equal chunks, .*; use latent = 12"),
        (CLASSES, {"latent": 2}, "use latent = 3"),
        (CLASSES, {"shared": 0}, "cannot be joined with a chunk of the latent; set shared = 128, or hierarchical = false"),
        (CLASSES, {"norm": Batch()}, r"generator: Batch ignores its condition: .*conditional_batch"),
        (0, {"norm": NoNorm()}, "NoNorm ignores its condition"),
        (CLASSES, {"hierarchical": False, "norm": Batch()}, "Batch ignores its condition"),
        (CLASSES, {"norm": ConditionalBatch(gain="direct")}, 'use gain = "one_plus"'),
        (0, {"hierarchical": False}, 'needs a condition, .*; use norm = "batch"'),
        (CLASSES, {"attention_at": (32,)}, "attention_at names 32"),
    ],
)
def test_where_it_cannot_stand_it_says_what_to_write(classes: int, options: dict[str, Any], message: str) -> None:
    with pytest.raises(PlacementError, match=message):
        small(classes, **options)


def test_norms_that_ignore_the_label_stand_where_nothing_else_is_told() -> None:
    small(CLASSES, norm=Batch(), shared=0, hierarchical=False)
    small(0, norm=Batch(), hierarchical=False, attention=Nothing(), weight_norm=NoWeightNorm())


@pytest.mark.parametrize("option", [{"shared": -1}, {"hierarchical": 1}, {"width": 0}, {"latent": 0}, {"multipliers": (1,)}])
def test_options_out_of_range(option: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(option))):
        small(**option)


@pytest.mark.parametrize("options", [{}, {"hierarchical": False}, {"shared": 0, "hierarchical": False}])
def test_a_mixture_of_classes_has_the_mean_of_their_rows(options: dict[str, Any]) -> None:
    network = small(**options).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("norm1.gain", "norm1.bias")):
                parameter.normal_(generator=torch.Generator().manual_seed(len(name)))
    z, label = latents(batch=CLASSES), torch.arange(CLASSES)
    torch.testing.assert_close(network(z, torch.eye(CLASSES)), network(z, label))
    refuse_unmixable(network, z, label)
    if network.embedding is not None:
        mean = network.embedding.weight.mean(0, keepdim=True)
        with torch.no_grad():
            mixed = network(z, torch.full((CLASSES, CLASSES), 1 / CLASSES))
            network.embedding.weight.copy_(mean.expand(CLASSES, -1))
        torch.testing.assert_close(network(z, label), mixed)
