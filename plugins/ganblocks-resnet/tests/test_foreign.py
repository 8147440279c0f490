"""Weights of networks that are named and computed here as mimicry and StudioGAN do it give the same outputs in ours.

Written anew from what these do: activations in place, which a shortcut then sees, bilinear upsampling, and their eps.
tests/peers compares with the peers themselves.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, one_hot, relu, relu_
from torch.nn.utils import spectral_norm as sn

import ganblocks
from ganblocks import Classes, ImageSpec, PlacementError, Player, Site, read_recipe
from ganblocks.assembly import build_game
from ganblocks.cli import main
from ganblocks.cli.import_weights import words
from ganblocks.errors import CheckpointError, UsageError
from ganblocks.kinds.component_capabilities import ReadsForeign
from ganblocks.training.checkpoint import latest, load_tensors
from ganblocks.training.importing import import_weights, load_foreign, read_tensors

IMAGE = ImageSpec(3, 16, 5)
WIDTH, Z = 16, 6


def conv(channels: int, out: int, kernel: int, bias: bool = True) -> nn.Module:
    return sn(nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=bias))


class Attention(nn.Module):
    def __init__(self, channels: int, names: tuple[str, str, str, str], gate: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.names, self.gate = names, gate
        for name, width in zip(names, (channels // 8, channels // 8, channels // 2), strict=False):
            self.add_module(name, conv(channels, width, 1, bias=False))
        self.add_module(names[3], conv(channels // 2, channels, 1, bias=False))
        self.register_parameter(gate, nn.Parameter(torch.full(shape, 0.7)))

    def forward(self, x: Tensor) -> Tensor:
        theta, phi, g, out = (self.get_submodule(name) for name in self.names)
        q, k, v = theta(x).flatten(2), max_pool2d(phi(x), 2).flatten(2), max_pool2d(g(x), 2).flatten(2)
        attended = v @ torch.softmax(q.mT @ k, dim=2).mT
        return x + self.get_parameter(self.gate) * out(attended.unflatten(2, x.shape[2:]))


class MimicryNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, affine=False)
        self.embed = nn.Embedding(IMAGE.classes, 2 * channels)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        gain, bias = self.embed(y)[:, :, None, None].chunk(2, dim=1)
        return gain * self.bn(x) + bias


class StudioNorm(nn.Module):
    """Until January 2022."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=1e-4, affine=False)
        self.embed0, self.embed1 = (sn(nn.Embedding(IMAGE.classes, channels)) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (1 + self.embed0(y))[:, :, None, None] * self.bn(x) + self.embed1(y)[:, :, None, None]


class StudioLinearNorm(nn.Module):
    """Since then: linear maps of the one-hot class."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=1e-4, affine=False)
        self.gain, self.bias = (sn(nn.Linear(IMAGE.classes, channels, bias=False)) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        label = one_hot(y, IMAGE.classes).to(x.dtype)
        return self.bn(x) * (1 + self.gain(label))[:, :, None, None] + self.bias(label)[:, :, None, None]


class Up(nn.Module):
    def __init__(self, names: tuple[str, str, str, str, str], norm: type[nn.Module], mode: str) -> None:
        super().__init__()
        self.names, self.mode = names, mode
        for name, module in zip(names, (conv(WIDTH, WIDTH, 3), conv(WIDTH, WIDTH, 3), conv(WIDTH, WIDTH, 1)), strict=False):
            self.add_module(name, module)
        self.add_module(names[3], norm(WIDTH))
        self.add_module(names[4], norm(WIDTH))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        c1, c2, shortcut, b1, b2 = (self.get_submodule(name) for name in self.names)
        h = c1(self.larger(relu_(b1(x, y))))
        return c2(relu_(b2(h, y))) + shortcut(self.larger(x))

    def larger(self, x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2, mode=self.mode, align_corners=None if self.mode == "nearest" else False)


class Down(nn.Module):
    def __init__(self, names: tuple[str, str, str], channels: int, first: bool, halves: bool) -> None:
        super().__init__()
        self.names, self.first, self.halves = names, first, halves
        parts = [conv(channels, WIDTH, 3), conv(WIDTH, WIDTH, 3)] + ([conv(channels, WIDTH, 1)] if first or halves else [])
        for name, module in zip(names, parts, strict=False):
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        c1, c2 = (self.get_submodule(name) for name in self.names[:2])
        if self.first:
            return avg_pool2d(c2(relu_(c1(x))), 2) + self.get_submodule(self.names[2])(avg_pool2d(x, 2))
        h = c2(relu_(c1(relu_(x))))  # in place: from here on x is relu(x)
        return avg_pool2d(h, 2) + avg_pool2d(self.get_submodule(self.names[2])(x), 2) if self.halves else h + x


M_UP, S_UP = ("c1", "c2", "c_sc", "b1", "b2"), ("conv2d1", "conv2d2", "conv2d0", "bn1", "bn2")
M_ATTENTION = (("theta", "phi", "g", "o"), "gamma", ())
S_ATTENTION = (("conv1x1_theta", "conv1x1_phi", "conv1x1_g", "conv1x1_attn"), "sigma", (1,))


class MimicryGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l1 = sn(nn.Linear(Z, WIDTH * 16))
        self.block2, self.block3 = (Up(M_UP, MimicryNorm, "bilinear") for _ in range(2))
        self.attn_block = Attention(WIDTH, *M_ATTENTION)
        self.b4, self.c4 = nn.BatchNorm2d(WIDTH), conv(WIDTH, 3, 3)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        h = self.attn_block(self.block2(self.l1(z).unflatten(1, (-1, 4, 4)), y))
        return self.c4(relu(self.b4(self.block3(h, y)))).tanh()


class StudioGenerator(nn.Module):
    norm: type[nn.Module] = StudioLinearNorm

    def __init__(self) -> None:
        super().__init__()
        self.linear0 = sn(nn.Linear(Z, WIDTH * 16))
        parts = [Up(S_UP, self.norm, "nearest"), Attention(WIDTH, *S_ATTENTION), Up(S_UP, self.norm, "nearest")]
        self.blocks = nn.ModuleList([nn.ModuleList([part]) for part in parts])
        self.bn4, self.conv2d5 = nn.BatchNorm2d(WIDTH, eps=1e-4), conv(WIDTH, 3, 3)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        h = self.linear0(z).unflatten(1, (-1, 4, 4))
        for (block,) in self.blocks:  # type: ignore[misc]
            h = block(h) if isinstance(block, Attention) else block(h, y)
        return self.conv2d5(relu(self.bn4(h))).tanh()


class OldStudioGenerator(StudioGenerator):
    norm = StudioNorm


class MimicryDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        names = ("c1", "c2", "c_sc")
        self.block1, self.block2 = Down(names, 3, True, True), Down(names, WIDTH, False, True)
        self.attn_block, self.block3 = Attention(WIDTH, *M_ATTENTION), Down(names, WIDTH, False, False)
        self.l4, self.l_y = sn(nn.Linear(WIDTH, 1)), sn(nn.Embedding(IMAGE.classes, WIDTH))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = relu(self.block3(self.block2(self.attn_block(self.block1(x))))).sum((2, 3))
        return self.l4(h).squeeze(1) + (self.l_y(y) * h).sum(1)


class StudioDiscriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        names = ("conv2d1", "conv2d2", "conv2d0")
        parts = [Down(names, 3, True, True), Attention(WIDTH, *S_ATTENTION), Down(names, WIDTH, False, True)]
        self.blocks = nn.ModuleList([nn.ModuleList([part]) for part in (*parts, Down(names, WIDTH, False, False))])
        self.linear1, self.embedding = sn(nn.Linear(WIDTH, 1)), sn(nn.Embedding(IMAGE.classes, WIDTH))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        for (block,) in self.blocks:  # type: ignore[misc]
            x = block(x)
        h = relu(x).sum((2, 3))
        return self.linear1(h).squeeze(1) + (self.embedding(y) * h).sum(1)


def settled(network: nn.Module) -> nn.Module:
    """As after some training: statistics that have moved, u and v that follow the weights."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    network.train()
    y = torch.randint(5, (8,))
    for _ in range(3):
        network(torch.randn(8, Z) if isinstance(network, MimicryGenerator | StudioGenerator) else torch.randn(8, 3, 16, 16), y)
    for module in network.double().modules():
        if hasattr(module, "weight_u"):
            u, _, vh = torch.linalg.svd(module.weight_orig.detach().flatten(1), full_matrices=False)
            module.weight_u.copy_(u[:, 0])
            module.weight_v.copy_(vh[0])
    return network.eval()


GENERATORS = [("mimicry", MimicryGenerator), ("studiogan", StudioGenerator), ("studiogan", OldStudioGenerator)]
DISCRIMINATORS = [("mimicry", MimicryDiscriminator), ("studiogan", StudioDiscriminator)]
SAME: dict[str, dict[str, Any]] = {
    "mimicry": {"upsampling": "bilinear"},
    "studiogan": {"norm": {"use": "conditional_batch", "eps": 1e-4}, "final_norm": {"use": "batch", "eps": 1e-4}},
}
"""What makes our generator theirs."""


def generator(**options: Any) -> tuple[Any, nn.Module]:
    """The component and the network that it builds."""
    table = {"width": WIDTH, "latent": Z, "multipliers": [1, 1, 1], "attention_at": [8], "weight_norm": "spectral"}
    component = ganblocks.discover().create("generator", "resnet", **(table | options))
    return component, component.build(IMAGE, Site(channels=3, size=16, path="generator", condition=Classes(5)))


def discriminator(**options: Any) -> tuple[Any, nn.Module]:
    table = {"width": WIDTH, "multipliers": [1, 1, 1], "halvings": 2, "attention_at": [8], "weight_norm": "spectral"}
    component = ganblocks.discover().create("discriminator", "resnet", **(table | {"shortcut": "activated"} | options))
    site = Site(channels=3, size=16, player=Player.DISCRIMINATOR, path="discriminator", condition=Classes(5))
    return component, component.build(IMAGE, site)


@pytest.mark.parametrize("gain", ["direct", "one_plus"])
@pytest.mark.parametrize(("layout", "theirs"), GENERATORS)
def test_a_generator_computes_what_it_computed_there(layout: str, theirs: type[nn.Module], gain: str) -> None:
    foreign = settled(theirs())
    norm = {"use": "conditional_batch", "gain": gain, **SAME[layout].get("norm", {})}
    component, network = generator(**SAME[layout] | {"norm": norm})
    network.double().load_state_dict(component.from_foreign(layout, network, foreign.state_dict()))
    z, y = torch.randn(4, Z).double(), torch.tensor([0, 1, 4, 2])
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(z, y), foreign(z, y), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("layout", "theirs"), DISCRIMINATORS)
def test_a_discriminator_computes_what_it_computed_there(layout: str, theirs: type[nn.Module]) -> None:
    foreign = settled(theirs())
    component, network = discriminator()
    network.double().load_state_dict(component.from_foreign(layout, network, foreign.state_dict()))
    x, y = torch.randn(4, 3, 16, 16).double(), torch.tensor([0, 1, 4, 2])
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x, y).logits, foreign(x.clone(), y), rtol=1e-9, atol=1e-9)


def test_mimicry_s_own_spectral_norm_is_read_too() -> None:
    """Its cGAN-PD at 32 pixels has it around the head: u alone, as a row, and σ as it was in training."""
    foreign = settled(MimicryDiscriminator())
    state = foreign.state_dict()
    for layer in ("l4", "l_y"):
        state[f"{layer}.weight"] = state.pop(f"{layer}.weight_orig")
        state[f"{layer}.sn_u"] = state.pop(f"{layer}.weight_u")[None]
        state[f"{layer}.sn_sigma"] = torch.ones(1)
        state.pop(f"{layer}.weight_v")
    component, network = discriminator()
    network.double().load_state_dict(component.from_foreign("mimicry", network, state))
    x, y = torch.randn(4, 3, 16, 16).double(), torch.tensor([0, 1, 4, 2])
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x, y).logits, foreign(x.clone(), y), rtol=1e-9, atol=1e-9)


Other = tuple[str, type[nn.Module], dict[str, Any], str]
OTHER_GENERATORS: list[Other] = [
    ("mimicry", MimicryGenerator, {"upsampling": "nearest"}, "--set 'generator.upsampling=\"bilinear\"'"),
    ("mimicry", MimicryGenerator, {"norm": {"use": "conditional_batch", "eps": 2e-5}}, "--set generator.norm.eps=1e-05"),
    ("mimicry", MimicryGenerator, {"final_norm": {"use": "batch", "eps": 2e-5}}, "--set generator.final_norm.eps=1e-05"),
    ("studiogan", StudioGenerator, {"norm": "conditional_batch"}, "--set generator.norm.eps=0.0001"),
    ("studiogan", StudioGenerator, {"final_norm": "batch"}, "--set generator.final_norm.eps=0.0001"),
    ("studiogan", StudioGenerator, {"upsampling": "bilinear"}, "--set 'generator.upsampling=\"nearest\"'"),
    ("mimicry", MimicryGenerator, {"attention": {"use": "self_attention", "pool": 1}}, "--set generator.attention.pool=2"),
    (
        "mimicry",
        MimicryGenerator,
        {"attention": {"use": "self_attention", "scale": 2}},
        "--set generator.attention.scale=1.0",
    ),
    ("studiogan", StudioGenerator, {"attention": "multi_head"}, "--set 'generator.attention=\"self_attention\"'"),
]


@pytest.mark.parametrize(("layout", "theirs", "options", "hint"), OTHER_GENERATORS)
def test_a_generator_that_would_compute_something_else_is_refused(
    layout: str, theirs: type[nn.Module], options: dict[str, Any], hint: str
) -> None:
    component, network = generator(**SAME[layout] | options)
    with pytest.raises(PlacementError) as refused:
        component.from_foreign(layout, network, theirs().state_dict())
    assert refused.value.hint == f"add {hint}"


@pytest.mark.parametrize(("layout", "theirs"), DISCRIMINATORS)
def test_a_discriminator_that_would_compute_something_else_is_refused(layout: str, theirs: type[nn.Module]) -> None:
    component, network = discriminator(shortcut="input", pooling="mean")
    rule = rf'the network of {layout} has shortcut = "activated", pooling = "sum", and this one has shortcut = "input", pooling'
    with pytest.raises(PlacementError, match=rule):
        component.from_foreign(layout, network, theirs().state_dict())


def test_mimicry_s_wgan_gp_which_has_no_spectral_norm_takes_means() -> None:
    component, network = discriminator(weight_norm="none")
    with pytest.raises(PlacementError, match=r"add --set 'discriminator\.pooling=\"mean\"'"):
        component.from_foreign("mimicry", network, {"block1.c1.weight": torch.zeros(WIDTH, 3, 3, 3)})


@pytest.mark.parametrize(("blocks", "size"), [(3, 16), (5, 32)])
def test_mimicry_s_attention_has_its_place_although_no_name_tells_it(blocks: int, size: int) -> None:
    component, network = generator(**SAME["mimicry"])
    names = [f"block{number}.c1.weight" for number in range(2, 2 + blocks)]
    with pytest.raises(PlacementError, match=rf"add --set 'generator.attention_at=\[{size}\]'"):
        component.from_foreign("mimicry", network, dict.fromkeys([*names, "attn_block.gamma"], torch.zeros(())))


def test_no_entry_of_theirs_is_left_over() -> None:
    """A network with attention, say, in a recipe without."""
    component, network = generator(**SAME["mimicry"], attention_at=[])
    with pytest.raises(
        KeyError, match=r"attn_block.gamma, attn_block\.\S+, attn_block\.\S+ and more would have no counterpart"
    ):
        component.from_foreign("mimicry", network, MimicryGenerator().state_dict())


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"block2.c_sc.weight_orig": torch.zeros(WIDTH * WIDTH, 1, 1, 1)}, r"beside a weight of shape \(256, 1, 1, 1\)"),
        ({"l1.weight_orig": torch.zeros(Z, WIDTH * 16)}, r"l1.weight_v has shape \(6,\) beside a weight of shape \(6, 256\)"),
        ({"l1.bias": torch.zeros(WIDTH, 16)}, r"l1.bias has shape \(16, 16\), and ours has \(256,\)"),
        ({"block3.c1.bias": torch.full((WIDTH,), torch.nan)}, r"block3.c1.bias holds numbers that are not finite"),
    ],
)
def test_what_only_happens_to_fit_is_refused(change: dict[str, Tensor], rule: str) -> None:
    """As many numbers in another shape; numbers that are none; and blocks go by their names there."""
    component, network = generator(**SAME["mimicry"])
    with pytest.raises(KeyError, match=rule):
        component.from_foreign("mimicry", network, MimicryGenerator().state_dict() | change)


def test_spectral_norm_on_one_side_only_is_told() -> None:
    for norm, suffix in (("none", "_orig"), ("spectral", "")):
        component, network = generator(**SAME["mimicry"], weight_norm=norm)
        theirs = {f"l1.weight{suffix}": torch.zeros(WIDTH * 16, Z)}
        with pytest.raises(KeyError, match=f'and l1.weight{suffix} is; use weight_norm = "{"spectral" if suffix else "none"}"'):
            component.from_foreign("mimicry", network, theirs)


def recipe() -> ganblocks.Recipe:
    path = Path(__file__).parents[3] / "tests" / "fixtures" / "study.toml"
    network = {"width": WIDTH, "weight_norm": "spectral", "attention": "self_attention"}
    changes = {f"generator.{name}": value for name, value in {**network, "latent": Z, "multipliers": [1, 1, 1]}.items()}
    changes |= {f"discriminator.{name}": value for name, value in {**network, "multipliers": [1, 1, 1], "halvings": 2}.items()}
    changes |= {"generator.upsampling": "bilinear", "discriminator.shortcut": "activated"}
    return read_recipe(path, changes | {"data": {"use": "emoji", "size": 16}, "discriminator.attention_at": [8]})


def labelled() -> MimicryGenerator:
    """A generator of as many classes as the recipe has."""
    foreign, classes = MimicryGenerator(), recipe().data.dataset.describe().classes
    for norm in (foreign.block2.b1, foreign.block2.b2, foreign.block3.b1, foreign.block3.b2):
        norm.embed = nn.Embedding(classes, 2 * WIDTH)
    return foreign


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_imported_run_can_be_sampled_from(tmp_path: Path, suffix: str) -> None:
    foreign, file = labelled(), tmp_path / f"generator{suffix}"
    if suffix == ".pth":
        torch.save({"model_state_dict": foreign.state_dict(), "optimizer_state_dict": None, "global_step": 5}, file)
    else:
        save_file({name: value.contiguous() for name, value in foreign.state_dict().items()}, file)
    with pytest.warns(UserWarning, match=r"do not name their classes, which are taken by number: .* 0 to 8 \(0 "):
        import_weights(recipe(), ganblocks.discover(), "mimicry", {Player.GENERATOR: file}, tmp_path / "run")
    loaded = ganblocks.load(tmp_path / "run")
    assert loaded.image.class_names == recipe().data.dataset.describe().class_names
    torch.testing.assert_close(loaded.network.state_dict()["linear.layer.weight"], foreign.state_dict()["l1.weight_orig"])
    assert loaded.sample(4).shape == (4, 3, 16, 16)


def test_stale_vectors_settle_and_how_far_is_said(tmp_path: Path) -> None:
    """u and v of other weights make σ far too small; what is imported has the true one."""
    foreign, file = settled(labelled()).float(), tmp_path / "g.safetensors"
    state = {name: value.contiguous() for name, value in foreign.state_dict().items()}
    torch.manual_seed(0)
    for name in ("block3.c2.weight_u", "block3.c2.weight_v"):
        state[name] = torch.nn.functional.normalize(torch.randn_like(state[name]), dim=0)
    save_file(state, file)
    settled_players = import_weights(recipe(), ganblocks.discover(), "mimicry", {Player.GENERATOR: file}, tmp_path / "run")
    network = ganblocks.load(tmp_path / "run").network
    true = torch.linalg.matrix_norm(state["block3.c2.weight_orig"].flatten(1), 2)
    assert float(network.get_submodule("block2.conv2").sigma().detach()) == pytest.approx(float(true), rel=1e-3)
    there = torch.dot(state["block3.c2.weight_u"], state["block3.c2.weight_orig"].flatten(1) @ state["block3.c2.weight_v"])
    facts = settled_players[Player.GENERATOR]
    assert (facts.layers, facts.path) == (8 + 4, "block2.conv2")
    assert facts.moved == pytest.approx(abs(float(there / true) - 1), rel=1e-2)
    assert "did not belong to its weights" in words(Player.GENERATOR, facts)


def test_stale_vectors_of_a_class_table_are_said() -> None:
    component, network = generator(**SAME["studiogan"])
    state = settled(StudioGenerator()).float().state_dict()
    table = state["blocks.0.0.bn1.gain.weight_orig"]
    component.from_foreign("studiogan", network, state)  # without a warning
    state["blocks.0.0.bn1.gain.weight_u"] = torch.nn.functional.normalize(torch.ones(WIDTH), dim=0)
    with pytest.warns(UserWarning, match=r"blocks\.0\.0\.bn1\.gain: σ is \S+, and \S+ by the file's u and v"):
        converted = component.from_foreign("studiogan", network, state)
    torch.testing.assert_close(converted["block1.norm1.gain"], 1 + table.mT / torch.linalg.matrix_norm(table, 2))


def test_what_the_command_asks_for_works_when_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recipe that is mimicry's network but for what its files do not say, and both players' files."""
    source, out = Path(__file__).parents[3] / "tests" / "fixtures" / "study.toml", tmp_path / "run"
    sets = [f"generator.latent={Z}", "discriminator.halvings=2", 'data={ use = "emoji", size = 16 }', "generator.norm.eps=2e-5"]
    for player, wrong in (("generator", 1), ("discriminator", 2)):
        sets += [f"{player}.width={WIDTH}", f"{player}.multipliers=[1, 1, 1]", f"{player}.attention_at=[8]"]
        sets += [f'{player}.weight_norm="spectral"', f'{player}.attention={{ use = "self_attention", pool = {wrong} }}']
    discriminator_ = MimicryDiscriminator()
    discriminator_.l_y = sn(nn.Embedding(recipe().data.dataset.describe().classes, WIDTH))
    torch.save(settled(labelled()).float().state_dict(), tmp_path / "g.pth")
    torch.save(discriminator_.state_dict(), tmp_path / "d.pth")
    command = ["import", str(source), "--layout", "mimicry", "--out", str(out)]
    command += ["--generator", str(tmp_path / "g.pth"), "--discriminator", str(tmp_path / "d.pth")]
    command += [part for change in sets for part in ("--set", change)]
    for _ in range(2):  # one player after the other
        assert main(command) == 2
        advice = shlex.split(capsys.readouterr().err.rpartition("; add ")[2])
        assert advice[0] == "--set"
        command += advice
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "generator: spectral norm of 12 layers settled; σ moved by at most 0.0" in said
    assert "discriminator: spectral norm of 14 layers settled; σ moved by at most" in said
    assert main(["sample", str(out), "--n", "4", "--out", str(tmp_path / "grid.png")]) == 0


def test_numbers_and_arrays_of_numpy_beside_the_weights_are_skipped(tmp_path: Path) -> None:
    state = MimicryGenerator().state_dict()
    beside = {"best_fid": np.float64(7.5), "step": np.int64(3), "curve": np.arange(4.0), "seen": np.float32(1)}
    torch.save({"state_dict": state, **beside}, tmp_path / "g.pth")
    assert read_tensors(tmp_path / "g.pth").keys() == state.keys()
    with pytest.raises(Exception, match="weights_only"):
        torch.load(tmp_path / "g.pth", weights_only=True)


def test_each_player_gets_its_own_file_and_keeps_its_initial_values_without_one(tmp_path: Path) -> None:
    wanted, registry, foreign = recipe(), ganblocks.discover(), MimicryDiscriminator()
    classes = recipe().data.dataset.describe().classes
    foreign.l_y = sn(nn.Embedding(classes, WIDTH))
    torch.save({f"module.{name}": value for name, value in foreign.state_dict().items()}, tmp_path / "d.pth")
    import_weights(wanted, registry, "mimicry", {Player.DISCRIMINATOR: tmp_path / "d.pth"}, tmp_path / "run")
    game = load_tensors(latest(tmp_path / "run"), "game")
    assert torch.equal(game["discriminator.head.linear.layer.weight"], foreign.l4.weight_orig)
    fresh = build_game(wanted, recipe().data.dataset.describe(), seed=0).state_dict()
    assert all(torch.equal(game[name], fresh[name]) for name in fresh if name.startswith("generator."))


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch evil",)


def test_what_is_no_table_of_tensors_is_refused_and_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("evil.pth", Evil()), ("list.pth", [torch.zeros(1)]), ("number.pth", {"state_dict": {"a": 1}})):
        torch.save(content, tmp_path / name)
        with pytest.raises(CheckpointError, match=name):
            read_tensors(tmp_path / name)
    with pytest.raises(CheckpointError) as refused:
        read_tensors(tmp_path / "evil.pth")
    said = str(refused.value)
    assert "holds an object of posix.system" in said
    assert said.endswith('torch.save(network.state_dict(), "weights.pth"), and import that')
    assert said.isprintable()
    (tmp_path / "text.safetensors").write_text("no")
    with pytest.raises(CheckpointError, match="cannot be read as tensors"):
        read_tensors(tmp_path / "text.safetensors")
    assert not (tmp_path / "evil").exists()


def test_what_says_nothing_or_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("empty.pth", "empty.safetensors"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(CheckpointError, match=rf"{name}: is empty; download or copy it again"):
            read_tensors(tmp_path / name)
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(CheckpointError, match=r"cannot be read as tensors: .*Error"):
            read_tensors(path)


@pytest.mark.parametrize("error", [EOFError(), RuntimeError("\n"), RuntimeError("\nsecond line")])
def test_a_reader_s_error_may_have_no_message(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(CheckpointError, match=f"g.pth: cannot be read as tensors: {type(error).__name__}"):
        read_tensors(tmp_path / "g.pth")


class Speechless(ReadsForeign):
    """A component of a plugin whose errors have no message."""

    layouts = ("mine",)

    def from_foreign(self, layout: str, network: nn.Module, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        raise KeyError


def test_a_layout_s_error_may_have_no_message(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "g.safetensors")
    with pytest.raises(
        CheckpointError, match=r"g\.safetensors: not the network of this recipe in the layout of mine: KeyError"
    ):
        load_foreign(Speechless(), nn.Linear(1, 1), "mine", tmp_path / "g.safetensors")


def test_a_tensor_of_another_shape_is_the_file_s_fault(tmp_path: Path) -> None:
    """Spectral norm's v, which is turned before its size is compared."""
    wanted, state = recipe(), MimicryGenerator().state_dict()
    state["block2.c1.weight_v"] = torch.zeros(3)
    for layer in ("block2.b1", "block2.b2", "block3.b1", "block3.b2"):
        state[f"{layer}.embed.weight"] = torch.zeros(recipe().data.dataset.describe().classes, 2 * WIDTH)
    save_file(state, tmp_path / "g.safetensors")
    with pytest.raises(
        CheckpointError, match=r"g\.safetensors: not the network of this recipe in the layout of mimicry: .*shape"
    ):
        import_weights(
            wanted, ganblocks.discover(), "mimicry", {Player.GENERATOR: tmp_path / "g.safetensors"}, tmp_path / "run"
        )


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "g.safetensors"
    save_file({"l1.weight_orig": torch.zeros(3, 3)}, file)
    with pytest.raises(CheckpointError, match=r"g\.safetensors: not the network of this recipe in the layout of mimicry: l1"):
        import_weights(recipe(), ganblocks.discover(), "mimicry", {Player.GENERATOR: file}, tmp_path / "run")
    with pytest.raises(UsageError, match="knows mimicry and studiogan, not 'keras'"):
        import_weights(recipe(), ganblocks.discover(), "keras", {Player.GENERATOR: file}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
