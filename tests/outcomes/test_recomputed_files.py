"""Samples, costs, weights that a run starts from, citations and printed lines, each computed here again."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ganblocks import load
from ganblocks.assembly import build_discriminator, build_generator, components
from ganblocks.cli import main
from tests.outcomes.zoo import RECIPE, REGISTRY, SIZE, Kept, part, pixels_of, rounded, say, tiles_of, train, write_recipe_of

ROOT = Path(__file__).parents[2]

# samples


def same_pixels(one: np.ndarray, two: np.ndarray) -> bool:
    """Up to one level in one of five hundred: batches of another size may round another way."""
    off = np.abs(one.astype(int) - two.astype(int))
    return bool(one.shape == two.shape and off.max() <= 1 and (off > 0).mean() < 0.002)


SAMPLES: dict[str, tuple[list[str], dict[str, object]]] = {
    "all classes": ([], {}),
    "one class": (["--class", "2"], {"classes": 2}),
    "truncated": (["--truncation", "0.5"], {"truncation": 0.5}),
    "scaled": (["--truncation", "0.5", "--truncation-by", "std"], {"truncation": 0.5, "convention": "std"}),
}


@pytest.mark.parametrize("case", SAMPLES)
def test_sample_draws_the_saved_average_and_lays_tiles_row_by_row(case: str, zoo: Kept, tmp_path: Path) -> None:
    words, options = SAMPLES[case]
    out = tmp_path / "sample.png"
    assert say("sample", zoo.folder, "--n", "7", "--seed", "11", "--out", out, *words).split() == [str(out)]
    sampler = load(zoo.folder, registry=REGISTRY)
    latent, label = sampler.inputs(7, seed=11, **options)  # type: ignore[arg-type]
    network = zoo.generator(112)
    assert label is not None
    with torch.no_grad():
        if "truncation" in options:  # statistics are those of cut latents
            with sampler.statistics_for(0.5, str(options.get("convention", "resample"))):
                network = copy.deepcopy(sampler.network)
        mine = rounded(network(latent, label))
    tiles = tiles_of(out, 3, 3).reshape(9, SIZE, SIZE, 3)
    assert same_pixels(tiles[:7], mine)
    assert (tiles[7:] == 255).all(), "what is left of the last row is white"
    if "classes" in options:
        assert label.tolist() == [2] * 7
    same = sampler.sample(7, seed=11, **options)  # type: ignore[arg-type]
    assert same_pixels(rounded(same), mine)


def test_a_class_is_drawn_under_its_name(zoo: Kept, tmp_path: Path) -> None:
    sampler = load(zoo.folder, registry=REGISTRY)
    if not sampler.image.class_names:
        pytest.skip("folders' names are not kept by this version")
    assert list(sampler.image.class_names) == ["Mango", "Zebra", "apple", "kiwi"]
    out = tmp_path / "sample.png"
    say("sample", zoo.folder, "--n", "4", "--class", "apple", "--out", out)
    latent, label = sampler.inputs(4, 2)
    with torch.no_grad():
        assert same_pixels(tiles_of(out, 2, 2).reshape(4, SIZE, SIZE, 3), rounded(zoo.generator(112)(latent, label)))


def test_load_gives_the_weights_that_are_asked_for(zoo: Kept) -> None:
    for weights in ("average", "live"):
        sampler = load(zoo.folder, registry=REGISTRY, weights=weights)
        wanted = zoo.generator(112, weights).state_dict()
        assert all(torch.equal(value, wanted[name]) for name, value in sampler.network.state_dict().items())


def test_colours_keep_their_order_from_file_to_picture(images: Path, tmp_path: Path) -> None:
    """What the networks see of a red apple, written as a picture, is the file's own bytes."""
    from ganblocks.training.pictures import save_grid

    names = [images / "apple" / "00.png", images / "Mango" / "03.png", images / "kiwi" / "01.png"]
    pixels = np.stack([pixels_of(name) for name in names])
    save_grid(torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255 * 2 - 1), tmp_path / "g.png", 2)
    assert np.array_equal(tiles_of(tmp_path / "g.png", 2, 2).reshape(4, SIZE, SIZE, 3)[:3], pixels)
    half = torch.tensor([-1.5, -1.0, 0.001, 0.9999, 1.5, -0.9979]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    save_grid(half, tmp_path / "h.png", 1)
    picture = pixels_of(tmp_path / "h.png")
    factor = picture.shape[0]
    assert picture[0, ::factor, 0].tolist() == [0, 0, 128, 255, 255, 0]


# costs


def built(zoo: Kept) -> dict[str, tuple[nn.Module, tuple[int, ...]]]:
    """Both networks on the processor, and the shape of one input."""
    image = zoo.session.image
    return {
        "generator": (build_generator(zoo.recipe, image, seed=0), (16,)),
        "discriminator": (build_discriminator(zoo.recipe, image, seed=0), (3, SIZE, SIZE)),
    }


def per_image(network: nn.Module, shape: tuple[int, ...]) -> tuple[dict[str, int], int]:
    """FLOPs by module and bytes that stay for backward, of one image more in a batch."""
    found = []
    for n in (4, 8):
        kept: dict[int, int] = {}
        own = {value.untyped_storage().data_ptr() for value in (*network.parameters(), *network.buffers())}
        holding = []

        def pack(value: Tensor, kept: dict[int, int] = kept, own: set[int] = own, holding: list[Tensor] = holding) -> Tensor:
            storage = value.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
                holding.append(value)
            return value

        with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
            network(torch.randn(n, *shape), torch.arange(n) % 4)
        found.append(({name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}, sum(kept.values())))
    (few, bytes_few), (many, bytes_many) = found
    return {name.partition(".")[2]: (many[name] - few[name]) // 4 for name in many}, (bytes_many - bytes_few) // 4


def test_check_counts_parameters_flops_and_memory_of_what_is_built(zoo: Kept, images: Path) -> None:
    path = write_recipe_of(images.parent, images)
    said = json.loads(say("check", path, "--json"))["networks"]
    text = say("check", path)
    kept = {}
    for name, (network, shape) in built(zoo).items():
        flops, kept[name] = per_image(network, shape)
        assert {block["name"] for block in said[name]["blocks"]} >= {child for child, _ in network.named_children()}
        for block in said[name]["blocks"]:
            module = network.get_submodule(block["name"])
            assert block["parameters"] == sum(each.numel() for each in module.parameters()), block
            assert block["kind"] == type(module).__name__
            assert block["flops"] == flops.get(block["name"], 0), block
        assert said[name]["parameters"] == sum(each.numel() for each in network.parameters())
        assert said[name]["flops"] == sum(flops.get(child, 0) for child, _ in network.named_children())
        assert said[name]["activations"] == pytest.approx(kept[name], rel=0.01), name
        assert f"{said[name]['parameters']:,}" in text
    assert memory_said(text) == [mebibytes(of_training(zoo)), mebibytes((kept["generator"] + 2 * kept["discriminator"]) * 8)]
    assert "112 images in batches of 8: about 14 discriminator steps" in text


def of_training(zoo: Kept) -> int:
    """Bytes of all weights, gradients and moments of a run, and of the average."""
    networks = zoo.session.game.networks
    weights = [each for network in networks.values() for each in network.parameters()]
    updater = load_file(zoo.checkpoint(112) / "updater.safetensors")
    moments = sum(value.nbytes for value in updater.values() if value.ndim or value.numel() > 1)
    scalars = sum(1 for each in weights if each.ndim == 0) * 2 * 4  # moments of γ, whose shape is that of a counter
    average = sum(each.nbytes for each in zoo.networks["generator"].parameters())
    return 2 * sum(each.nbytes for each in weights) + moments + scalars + average


def memory_said(text: str) -> list[float]:
    """The numbers of the line about memory, in MiB with two digits after the point."""
    (line,) = [line for line in text.splitlines() if line.startswith("memory")]
    factor = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    return [pytest.approx(float(n) * factor[unit], rel=0.1) for n, unit in re.findall(r"([\d.]+) ([KMG]iB)", line)]


def mebibytes(count: int) -> float:
    return count / 2**20


# where weights come from


def test_init_from_starts_both_players_from_the_live_weights_of_the_other_run(zoo: Kept, images: Path, tmp_path: Path) -> None:
    text = RECIPE.format(path=images).replace("images = 112", "images = 16")
    (tmp_path / "more.toml").write_text(text)
    kept = train(tmp_path / "more.toml", tmp_path / "run", seed=8, scored=False, init_from=zoo.folder)
    theirs, mine, average = zoo.tensors(112, "game"), kept.tensors(0, "game"), kept.tensors(0, "average")
    for player, network in zoo.networks.items():
        names = [name for name, _ in network.named_parameters()] + [n for n, _ in network.named_buffers() if "running" in n]
        for name in names:
            assert torch.equal(mine[f"{player}.{name}"], theirs[f"{player}.{name}"]), (player, name)
            if player == "generator" and "running" not in name:
                assert torch.equal(average[name], theirs[f"{player}.{name}"]), name
    assert int(mine["turns.generator"]) == 0
    said = json.loads((kept.folder / "provenance.json").read_text())
    assert said["init_from"]["checkpoint"] == "images-0000000112"
    assert said["seed"] == 8


PLAIN = """
title = "Plain"
[data]
use = "emoji"
size = 16
[generator]
use = "resnet"
width = 4
latent = 6
multipliers = [1, 1, 1]
upsampling = "bilinear"
norm = "batch"
weight_norm = "none"
[discriminator]
use = "resnet"
width = 4
multipliers = [1, 1]
halvings = 2
shortcut = "activated"
pooling = "mean"
conditioning = "none"
weight_norm = "none"
[loss]
use = "hinge"
[update]
use = "alternating"
[training]
images = 8
batch = 4
"""
THEIRS = {"conv1": "c1", "conv2": "c2", "shortcut": "c_sc", "norm1": "b1", "norm2": "b2"}


def test_imported_weights_are_those_of_the_file_player_by_player(tmp_path: Path) -> None:
    from ganblocks import read_recipe

    (tmp_path / "plain.toml").write_text(PLAIN)
    recipe = read_recipe(tmp_path / "plain.toml", registry=REGISTRY)
    image = recipe.data.dataset.describe()
    made = {"generator": build_generator(recipe, image, seed=41), "discriminator": build_discriminator(recipe, image, seed=42)}
    for player, network in made.items():
        for i, value in enumerate(network.state_dict().values()):
            if value.is_floating_point():
                value.add_(0.01 * i + 0.1)  # so that no two tensors are alike
        state = {foreign(player, name): value.contiguous() for name, value in network.state_dict().items()}
        save_file(state, tmp_path / f"{player}.safetensors")
    files = [word for player in made for word in (f"--{player}", tmp_path / f"{player}.safetensors")]
    say("import", tmp_path / "plain.toml", "--layout", "mimicry", "--out", tmp_path / "run", *files)
    kept = json.loads((tmp_path / "run" / "provenance.json").read_text())["imported"]
    for player in made:
        assert kept[player] == hashlib.sha256((tmp_path / f"{player}.safetensors").read_bytes()).hexdigest()
    say("import", tmp_path / "plain.toml", "--layout", "mimicry", "--out", tmp_path / "alone", *files[2:])
    alone = json.loads((tmp_path / "alone" / "provenance.json").read_text())["imported"]
    assert alone == {"layout": "mimicry", "discriminator": kept["discriminator"]}
    checkpoint = tmp_path / "run" / "checkpoints" / "images-0000000000"
    game, average = load_file(checkpoint / "game.safetensors"), load_file(checkpoint / "average.safetensors")
    for player, network in made.items():
        mine = part(game, player)
        assert all(torch.equal(mine[name], value) for name, value in network.state_dict().items()), player
    parameters = dict(made["generator"].named_parameters())
    assert all(torch.equal(average[name], value) for name, value in parameters.items())


def foreign(player: str, name: str) -> str:
    """mimicry's name: its generators count blocks from 2, and end with b and c; its discriminators end with l."""
    place, _, suffix = name.rpartition(".")
    if match := re.fullmatch(r"block(\d)\.(\w+)", place):
        return f"block{int(match[1]) + (player == 'generator')}.{THEIRS[match[2]]}.{suffix}"
    fixed = {"linear": "l1", "final_norm": "b4", "conv": "c4", "head.linear": "l3"}
    return f"{fixed[place]}.{suffix}"


# metadata


def test_cite_prints_the_entries_of_what_the_recipe_uses(zoo: Kept, images: Path) -> None:
    path = write_recipe_of(images.parent, images)
    entries = {}
    for text in re.split(r"\n(?=@)", "\n" + (ROOT / "ganblocks" / "references.bib").read_text()):
        if key := re.match(r"@\w+\{([^,]+),", text):
            numbers = re.findall(r"(?:eprint|doi)\s*=\s*[{\"]([^}\"]+)", text)
            entries[key[1]] = (text[: text.rindex("}") + 1], {number.lower() for number in numbers})
    wanted: dict[str, set[str]] = {"ganblocks": set()}
    said = json.loads((zoo.folder / "provenance.json").read_text())["components"]
    assert len(said) == len(list(components(zoo.recipe)))
    for use in said.values():
        doc = (REGISTRY.find(use["kind"], use["name"]).resolve().__doc__ or "").lower()
        for key, (_, numbers) in entries.items():
            if any(re.search(rf"{re.escape(number)}(?!\d)", doc) for number in numbers):
                wanted.setdefault(key, set()).add(f"{use['kind']} {use['name']}")
    found = json.loads(say("cite", path, "--json"))
    assert {each["key"]: set(each["used_by"]) for each in found} == wanted
    assert {each["key"]: each["bibtex"] for each in found} == {key: entries[key][0] for key in wanted}
    printed = say("cite", path)
    assert all(each["bibtex"] in printed for each in found)


# what a run prints


def test_a_run_prints_its_own_numbers(images: Path, tmp_path: Path) -> None:
    """The last line of progress, the table of scores, and the newest picture."""
    path, run = write_recipe_of(tmp_path, images), tmp_path / "run"
    sets = ("--set", "training.images=48", "--set", "evaluation.every=48")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main([str(word) for word in ("run", path, "--out", run, "--seed", "4", "--device", "cpu", *sets)]) == 0
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in err.getvalue().splitlines() if line.startswith("images ")]
    assert [line.split("  ")[0] for line in lines] == [f"images {record['images']} of 48" for record in records]
    for i, line in enumerate(lines, 1):
        mean = {name: np.mean([record[name] for record in records[:i]]) for name in records[0] if "loss" in name or "/" in name}
        assert f"loss D {mean['discriminator/loss']:+.3f}   G {mean['generator/loss']:+.3f}" in line
        assert f"D's score real {mean['discriminator/real']:+.3f}   fake {mean['discriminator/fake']:+.3f}" in line
        assert f"γ discriminator.block1.attention (live) {records[i - 1]['gamma/discriminator.block1.attention']:+.4f}" in line
    speed = 32 / (records[2]["seconds"] - records[0]["seconds"])
    assert f"speed {speed:,.0f} images/s" in lines[-1]
    (report,) = json.loads((run / "scores.json").read_text())
    for score in report["scores"]:
        (line,) = [line for line in err.getvalue().splitlines() if line.split()[:1] == [score["name"]]]
        assert line.split()[1] == f"{score['value']:.4g}"
    assert str(run / "samples" / "images-0000000048.png") in err.getvalue()
    assert json.loads((run / "provenance.json").read_text())["seed"] == 4
    assert math.isclose(records[-1]["images"], 48)
