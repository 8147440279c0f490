"""Weights of networks that are named and computed here as mimicry and StudioGAN do it give the same outputs in ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu
from torch.nn.utils import spectral_norm as sn

import ganblocks
from ganblocks import Classes, ImageSpec, Player, Site
from ganblocks.assembly import build_game
from ganblocks.errors import CheckpointError, UsageError
from ganblocks.kinds.capabilities import ReadsForeign
from ganblocks.recipe import read_recipe
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
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, affine=False)
        self.embed0, self.embed1 = (sn(nn.Embedding(IMAGE.classes, channels)) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (1 + self.embed0(y))[:, :, None, None] * self.bn(x) + self.embed1(y)[:, :, None, None]


class Up(nn.Module):
    """Nearest neighbours in both, so that outputs can be compared."""

    def __init__(self, names: tuple[str, str, str, str, str], norm: type[nn.Module]) -> None:
        super().__init__()
        self.names = names
        for name, module in zip(names, (conv(WIDTH, WIDTH, 3), conv(WIDTH, WIDTH, 3), conv(WIDTH, WIDTH, 1)), strict=False):
            self.add_module(name, module)
        self.add_module(names[3], norm(WIDTH))
        self.add_module(names[4], norm(WIDTH))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        c1, c2, shortcut, b1, b2 = (self.get_submodule(name) for name in self.names)
        h = c1(interpolate(relu(b1(x, y)), scale_factor=2))
        return c2(relu(b2(h, y))) + shortcut(interpolate(x, scale_factor=2))


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
            return avg_pool2d(c2(relu(c1(x))), 2) + self.get_submodule(self.names[2])(avg_pool2d(x, 2))
        h = c2(relu(c1(relu(x))))
        return avg_pool2d(h, 2) + avg_pool2d(self.get_submodule(self.names[2])(x), 2) if self.halves else h + x


M_UP, S_UP = ("c1", "c2", "c_sc", "b1", "b2"), ("conv2d1", "conv2d2", "conv2d0", "bn1", "bn2")
M_ATTENTION = (("theta", "phi", "g", "o"), "gamma", ())
S_ATTENTION = (("conv1x1_theta", "conv1x1_phi", "conv1x1_g", "conv1x1_attn"), "sigma", (1,))


class MimicryGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l1 = sn(nn.Linear(Z, WIDTH * 16))
        self.block2, self.block3 = Up(M_UP, MimicryNorm), Up(M_UP, MimicryNorm)
        self.attn_block = Attention(WIDTH, *M_ATTENTION)
        self.b4, self.c4 = nn.BatchNorm2d(WIDTH), conv(WIDTH, 3, 3)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        h = self.attn_block(self.block2(self.l1(z).unflatten(1, (-1, 4, 4)), y))
        return self.c4(relu(self.b4(self.block3(h, y)))).tanh()


class StudioGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear0 = sn(nn.Linear(Z, WIDTH * 16))
        parts = [Up(S_UP, StudioNorm), Attention(WIDTH, *S_ATTENTION), Up(S_UP, StudioNorm)]
        self.blocks = nn.ModuleList([nn.ModuleList([part]) for part in parts])
        self.bn4, self.conv2d5 = nn.BatchNorm2d(WIDTH), conv(WIDTH, 3, 3)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        h = self.linear0(z).unflatten(1, (-1, 4, 4))
        for (block,) in self.blocks:  # type: ignore[misc]
            h = block(h) if isinstance(block, Attention) else block(h, y)
        return self.conv2d5(relu(self.bn4(h))).tanh()


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
    return network.eval()


@pytest.mark.parametrize("gain", ["direct", "one_plus"])
@pytest.mark.parametrize(("layout", "theirs"), [("mimicry", MimicryGenerator), ("studiogan", StudioGenerator)])
def test_a_generator_computes_what_it_computed_there(layout: str, theirs: type[nn.Module], gain: str) -> None:
    foreign = settled(theirs())
    norm = {"use": "conditional_batch", "gain": gain}
    options = {"width": WIDTH, "latent": Z, "multipliers": [1, 1, 1], "attention_at": [8], "norm": norm}
    component = ganblocks.discover().create("generator", "resnet", **options, weight_norm="spectral")
    site = Site(channels=3, size=16, path="generator", condition=Classes(5))
    network = component.build(IMAGE, site)
    network.load_state_dict(component.from_foreign(layout, network, foreign.state_dict()))
    z, y = torch.randn(4, Z), torch.tensor([0, 1, 4, 2])
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(z, y), foreign(z, y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("layout", "theirs"), [("mimicry", MimicryDiscriminator), ("studiogan", StudioDiscriminator)])
def test_a_discriminator_computes_what_it_computed_there(layout: str, theirs: type[nn.Module]) -> None:
    foreign = settled(theirs())
    options = {"width": WIDTH, "multipliers": [1, 1, 1], "halvings": 2, "attention_at": [8], "weight_norm": "spectral"}
    component = ganblocks.discover().create("discriminator", "resnet", **options)
    site = Site(channels=3, size=16, player=Player.DISCRIMINATOR, path="discriminator", condition=Classes(5))
    network = component.build(IMAGE, site)
    network.load_state_dict(component.from_foreign(layout, network, foreign.state_dict()))
    x, y = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 4, 2])
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x, y).logits, foreign(x, y), rtol=1e-4, atol=1e-4)


def recipe() -> ganblocks.Recipe:
    path = Path(__file__).parents[3] / "tests" / "fixtures" / "study.toml"
    network = {"width": WIDTH, "weight_norm": "spectral", "attention": "self_attention"}
    changes = {f"generator.{name}": value for name, value in {**network, "latent": Z, "multipliers": [1, 1, 1]}.items()}
    changes |= {f"discriminator.{name}": value for name, value in {**network, "multipliers": [1, 1, 1], "halvings": 2}.items()}
    return read_recipe(path, changes | {"data": {"use": "emoji", "size": 16}, "discriminator.attention_at": [8]})


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_imported_run_can_be_sampled_from(tmp_path: Path, suffix: str) -> None:
    wanted, registry = recipe(), ganblocks.discover()
    foreign = MimicryGenerator()
    for block in (foreign.block2, foreign.block3):
        for norm in (block.b1, block.b2):
            norm.embed = nn.Embedding(wanted.data.dataset.describe().classes, 2 * WIDTH)
    file = tmp_path / f"generator{suffix}"
    if suffix == ".pth":
        torch.save({"model_state_dict": foreign.state_dict(), "optimizer_state_dict": None, "global_step": 5}, file)
    else:
        save_file({name: value.contiguous() for name, value in foreign.state_dict().items()}, file)
    with pytest.warns(UserWarning, match=r"do not name their classes, which are taken by number: .* 0 to 8 \(0 "):
        import_weights(wanted, registry, "mimicry", {Player.GENERATOR: file}, tmp_path / "run")
    loaded = ganblocks.load(tmp_path / "run")
    assert loaded.image.class_names == wanted.data.dataset.describe().class_names
    torch.testing.assert_close(loaded.network.state_dict()["linear.layer.weight"], foreign.state_dict()["l1.weight_orig"])
    assert loaded.sample(4).shape == (4, 3, 16, 16)


def test_each_player_gets_its_own_file_and_keeps_its_initial_values_without_one(tmp_path: Path) -> None:
    wanted, registry, foreign = recipe(), ganblocks.discover(), MimicryDiscriminator()
    classes = wanted.data.dataset.describe().classes
    foreign.l_y = sn(nn.Embedding(classes, WIDTH))
    torch.save({f"module.{name}": value for name, value in foreign.state_dict().items()}, tmp_path / "d.pth")
    import_weights(wanted, registry, "mimicry", {Player.DISCRIMINATOR: tmp_path / "d.pth"}, tmp_path / "run")
    game = load_tensors(latest(tmp_path / "run"), "game")
    assert torch.equal(game["discriminator.head.linear.layer.weight"], foreign.l4.weight_orig)
    fresh = build_game(wanted, wanted.data.dataset.describe(), seed=0).state_dict()
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
    with pytest.raises(CheckpointError, match=r"g\.safetensors: no network of this recipe in the layout of mine: KeyError"):
        load_foreign(Speechless(), nn.Linear(1, 1), "mine", tmp_path / "g.safetensors")


def test_a_tensor_of_another_shape_is_the_file_s_fault(tmp_path: Path) -> None:
    """Spectral norm's v, which is turned before its size is compared."""
    wanted, state = recipe(), MimicryGenerator().state_dict()
    state["block2.c1.weight_v"] = torch.zeros(3)
    for place in ("block2.b1", "block2.b2", "block3.b1", "block3.b2"):
        state[f"{place}.embed.weight"] = torch.zeros(wanted.data.dataset.describe().classes, 2 * WIDTH)
    save_file(state, tmp_path / "g.safetensors")
    with pytest.raises(CheckpointError, match=r"g\.safetensors: no network of this recipe in the layout of mimicry: .*shape"):
        import_weights(
            wanted, ganblocks.discover(), "mimicry", {Player.GENERATOR: tmp_path / "g.safetensors"}, tmp_path / "run"
        )


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    file = tmp_path / "g.safetensors"
    save_file({"l1.weight_orig": torch.zeros(3, 3)}, file)
    with pytest.raises(CheckpointError, match=r"g\.safetensors: no network of this recipe in the layout of mimicry: l1"):
        import_weights(recipe(), ganblocks.discover(), "mimicry", {Player.GENERATOR: file}, tmp_path / "run")
    with pytest.raises(UsageError, match="knows mimicry and studiogan, not 'keras'"):
        import_weights(recipe(), ganblocks.discover(), "keras", {Player.GENERATOR: file}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
