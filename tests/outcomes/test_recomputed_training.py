"""What a run writes down while it trains, against a second trainer: numbers, weights, pictures, and the moment of each."""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganblocks.assembly import build_discriminator, build_generator
from ganblocks.seeding import seed_of
from ganblocks.training.checkpoint import load_checkpoint
from tests.outcomes.replay import Replay
from tests.outcomes.zoo import (
    COLOURS,
    COUNTS,
    MOMENTS,
    Kept,
    files_by_class,
    part,
    pixels_of,
    rounded,
    tiles_of,
    train,
)

STEPS = 7
OF_BLOCKS = ("effect/", "query_dependence/", "evenness/", "distance/", "colour_correlation/", "nearness_correlation/")
"""Numbers of the blocks, on inputs of their own."""


@pytest.fixture(scope="session")
def replay(zoo: Kept) -> Replay:
    """Seven steps of two turns of the discriminator; rates fall from twice to a fifth, the penalty's weight rises to 8."""

    def factor(seen: int) -> float:
        return 2.0 + (0.2 - 2.0) * seen / 112

    played = Replay(
        zoo,
        "hinge",
        discriminator_steps=2,
        rates=lambda seen: (2e-3 * factor(seen), 4e-3 * factor(seen)),
        betas=(0.0, 0.9),
        decay=0.6,
        start=20,
        penalty_weight=lambda seen: 8.0 * seen / 112,
        penalty_every=2,
    )
    for _ in range(STEPS):
        played.step()
    return played


def test_a_run_begins_with_the_weights_of_its_seed(zoo: Kept) -> None:
    for name, build in (("generator", build_generator), ("discriminator", build_discriminator)):
        mine = build(zoo.recipe, zoo.session.image, seed=3).state_dict()
        assert all(torch.equal(value, mine[key]) for key, value in zoo.networks[name].state_dict().items())


def test_every_number_of_metrics_is_that_of_its_step(zoo: Kept, replay: Replay) -> None:
    records = zoo.records()
    assert [(record["step"], record["images"]) for record in records] == [(i, 16 * i) for i in range(1, STEPS + 1)]
    for record, mine in zip(records, replay.records, strict=True):
        assert {name for name in record if not name.startswith(("sigma/", *OF_BLOCKS))} - {"step", "images", "seconds"} == {
            name for name in mine if not name.startswith("sigma/")
        }
        for name, value in mine.items():
            if not name.startswith("sigma/"):
                assert record[name] == pytest.approx(value, rel=1e-4, abs=1e-6), (record["step"], name)


def test_every_sigma_is_the_largest_singular_value_of_that_layer_s_weight(zoo: Kept, replay: Replay) -> None:
    """The estimate comes from below, one iteration a turn: within a few percent."""
    for record, mine in zip(zoo.records(), replay.records, strict=True):
        wanted = {name: value for name, value in mine.items() if name.startswith("sigma/")}
        assert {name for name in record if name.startswith("sigma/")} == set(wanted)
        for name, value in wanted.items():
            assert 0.9 * value < record[name] < 1.0001 * value, (record["step"], name)


def test_the_numbers_of_blocks_are_those_of_the_live_networks(zoo: Kept) -> None:
    """Of the last step: on every third latent of the grid, and on real images; each number by numpy from the map itself."""
    live = {"generator": build_generator, "discriminator": build_discriminator}
    for player, inputs in zip(live, examined(zoo), strict=True):
        network = live[player](zoo.recipe, zoo.session.image, seed=99)
        network.load_state_dict(part(zoo.states[-1], player))
        (x, y), output = seen_by_block(network, inputs)
        attention, keys = network.get_submodule("block1.attention").attention_map(x)
        rows, record = np.asarray(attention.detach().double()), zoo.records()[-1]
        image = output if player == "generator" else inputs[0]
        distances = [[math.dist(a, b) for b in centres(keys)] for a in centres((x.shape[2], x.shape[3]))]
        expected = {
            "effect": float((y - x).double().norm() / x.double().norm()),
            "query_dependence": np.mean([dependence(row) for row in rows[:, 0]]),
            "evenness": -(rows * np.log(rows)).sum(-1).mean() / np.log(rows.shape[-1]),
            "distance": (rows * np.array(distances)).sum(-1).mean(),
            "colour_correlation": colour_correlation(rows, image),
        }
        for name, value in expected.items():
            assert record[f"{name}/{player}.block1.attention"] == pytest.approx(value, rel=1e-2, abs=1e-4), (player, name)


def examined(zoo: Kept) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Every third latent of the grid, and real images evenly over the classes: what blocks are examined on."""
    rng = torch.Generator().manual_seed(seed_of(3, "grid"))
    latent, label = torch.randn(4 * 12, 16, generator=rng)[::3], torch.arange(4).repeat_interleave(4)
    images = zoo.session.batches.images
    in_order = sorted(images.split["train"].tolist(), key=lambda index: int(images.labels[index]))
    chosen = torch.tensor([in_order[i * len(in_order) // 16] for i in range(16)])
    return (latent, label), (images.read(chosen).float() / 127.5 - 1, images.labels[chosen])


def seen_by_block(network: nn.Module, inputs: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """(input and output of block1.attention in evaluation mode, output of the network)."""
    seen: list[tuple[Tensor, Tensor]] = []
    network.eval().get_submodule("block1.attention").register_forward_hook(lambda *call: seen.append((call[1][0], call[2])))
    with torch.no_grad():
        output = network(*inputs)
    return seen[0], output


def dependence(rows: np.ndarray) -> float:
    """Mutual information between a uniform query and its key, over the logarithm of the fewer of them."""
    marginal = rows.mean(0)
    return float((rows * np.log(rows / marginal)).sum(1).mean() / math.log(min(rows.shape)))


def centres(grid: tuple[int, int]) -> list[tuple[float, float]]:
    """Of the cells of a grid over the unit square."""
    return [((row + 0.5) / grid[0], (column + 0.5) / grid[1]) for row in range(grid[0]) for column in range(grid[1])]


def test_what_is_watched_is_what_is_written(zoo: Kept) -> None:
    assert zoo.seen == zoo.records()


def test_a_step_s_seconds_are_time_of_training(zoo: Kept) -> None:
    seconds = [record["seconds"] for record in zoo.records()]
    elapsed = zoo.clock[-1] - zoo.clock[0]
    gathering_and_scores = elapsed - (seconds[-1] - seconds[0])
    assert sum(zoo.waited[:2]) - 0.3 < gathering_and_scores < sum(zoo.waited[:2]) + 0.3, "scores do not count, all else does"
    facts = [json.loads((zoo.checkpoint(images) / "state.json").read_text()) for images in MOMENTS]
    assert all(before < after for before, after in itertools.pairwise(seconds))
    for images, fact in zip(MOMENTS, facts, strict=True):
        step = images // 16
        assert seconds[step - 1] <= fact["seconds"] <= [*seconds, float("inf")][step]


def test_checkpoints_hold_the_state_of_their_moment(zoo: Kept, replay: Replay) -> None:
    assert sorted(path.name for path in zoo.checkpoints.iterdir()) == [f"images-{images:010d}" for images in (0, *MOMENTS)]
    for images in MOMENTS:
        state = zoo.states[images // 16 - 1]
        game, facts = zoo.tensors(images, "game"), json.loads((zoo.checkpoint(images) / "state.json").read_text())
        assert set(game) == set(state)
        assert all(torch.equal(game[name], value) for name, value in state.items()), images
        assert (facts["images_seen"], facts["step"]) == (images, images // 16)
        assert facts["drawn"] == {"discriminator": images, "generator": images // 2}
        assert game["turns.discriminator"] == images // 8
        assert game["turns.generator"] == images // 16
    begin = zoo.tensors(0, "game")
    assert all(torch.equal(begin[name], value) for name, value in zoo.begin.items())


def is_noise(player: str, name: str) -> bool:
    """Whether a bias comes before a batch norm, so that its gradient is rounding errors only, or is such a norm's mean.

    Adam takes steps of the full rate along rounding errors, and two ways to compute the same numbers part there. All biases of
    the generator's blocks come before one; of the discriminator's, only those between a block's convolutions.
    """
    parts = name.split(".")
    before = {"conv1", "conv2", "shortcut"} if player == "generator" else {"conv1"}
    means = name.endswith("running_mean") and (player == "generator" or "norm2" in parts)
    return means or (name.endswith("bias") and not before.isdisjoint(parts))


def test_checkpoints_hold_both_optimizers_by_name(zoo: Kept, replay: Replay) -> None:
    held = load_checkpoint(zoo.checkpoint(112)).updater
    for player, network in (("generator", replay.G), ("discriminator", replay.D)):
        for name, parameter in network.named_parameters():
            mine = replay.optimizers[network].state[parameter]
            for moment in ("exp_avg", "exp_avg_sq"):
                theirs = held[player]["parameters"][name][moment]
                assert torch.allclose(theirs, mine[moment], rtol=1e-3, atol=1e-6), (player, name)


def test_the_average_is_that_of_the_weights_step_by_step(zoo: Kept, replay: Replay) -> None:
    """Computed twice: from the run's own live weights, and from those of the second trainer."""
    names = [name for name, _ in zoo.networks["generator"].named_parameters()]
    mine = {name: zoo.begin[f"generator.{name}"].double() for name in names}
    for i, state in enumerate(zoo.states, 1):
        keep = 0.6 if 16 * i > 20 else 0.0
        mine = {name: keep * value + (1 - keep) * state[f"generator.{name}"].double() for name, value in mine.items()}
        if 16 * i in MOMENTS:
            saved = zoo.tensors(16 * i, "average")
            for name in names:
                assert torch.allclose(saved[name].double(), mine[name], rtol=1e-5, atol=1e-6), (i, name)
                if not is_noise("generator", name):
                    assert torch.allclose(saved[name], replay.averages[i - 1][name], rtol=1e-3, atol=1e-4), (i, name)
    live = part(zoo.states[-1], "generator")
    assert max(float((saved[name] - live[name]).abs().max()) for name in names) > 1e-3, "the average differs from the live one"


def test_the_average_s_statistics_are_those_of_its_own_weights(zoo: Kept) -> None:
    """Against an estimate from latents of our own; the live network's are far from it after so few steps."""
    for images in MOMENTS:
        saved, live = zoo.tensors(images, "average"), part(zoo.tensors(images, "game"), "generator")
        far = 0.0
        for name, (mean, var) in moments_of(zoo, zoo.generator(images)).items():
            spread = var.sqrt() + 1e-3
            assert ((saved[f"{name}.running_mean"] - mean).abs() < 0.25 * spread).all(), (images, name)
            assert ((saved[f"{name}.running_var"] / var - 1).abs() < 0.35).all(), (images, name)
            far = max(far, float(((live[f"{name}.running_var"] / var - 1).abs()).max()))
        assert far > 0.35


def moments_of(zoo: Kept, network: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Norm -> mean and variance of its input in training mode, over latents and the classes of training images."""
    labels = zoo.session.batches.images.labels[zoo.session.batches.images.split["train"]]
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def note(name: str) -> object:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].transpose(0, 1).flatten(1)
            found[name] = x.mean(1), x.var(1)

        return hook

    norms = [(name, module) for name, module in network.named_modules() if hasattr(module, "running_mean")]
    for name, module in norms:
        module.register_forward_pre_hook(note(name))
        module.train()
    rng = torch.Generator().manual_seed(77)
    with torch.no_grad():
        network(torch.randn(64 * 8, 16, generator=rng), labels.repeat(8))
    return found


def test_every_grid_shows_the_average_of_its_moment_row_k_class_k(zoo: Kept) -> None:
    rng = torch.Generator().manual_seed(seed_of(3, "grid"))
    latent, rows = torch.randn(4 * 12, 16, generator=rng), torch.tensor([k for k in range(4) for _ in range(12)])
    files = sorted((zoo.folder / "samples").iterdir())
    assert [file.name for file in files] == [f"images-{images:010d}.png" for images in (0, *MOMENTS)]
    for file, images in zip(files, (0, *MOMENTS), strict=True):
        with torch.no_grad():
            mine = rounded(zoo.generator(images)(latent, rows))
        shown = tiles_of(file, 4, 12).reshape(48, 8, 8, 3)
        off = np.abs(shown.astype(int) - mine.astype(int))
        assert off.max() <= 1, images
        assert (off > 0).mean() < 0.002, images  # batches of another size may round another way


def test_the_first_grid_is_of_the_weights_before_the_first_step(zoo: Kept) -> None:
    average, names = zoo.tensors(0, "average"), [name for name, _ in zoo.networks["generator"].named_parameters()]
    assert all(torch.equal(average[name], zoo.begin[f"generator.{name}"]) for name in names)


def test_batches_hold_training_images_their_classes_and_flips_of_them(zoo: Kept, images: Path) -> None:
    """The classes of an image are those of its file; only real images are flipped."""
    known = {pixels.tobytes(): label for label, pixels in files_by_class(images)}
    found, flipped = [], 0
    for start in range(0, 112, 8):
        batch = zoo.session.batches.at("discriminator", start)  # type: ignore[arg-type]
        assert batch.label is not None
        for image, label in zip(rounded(batch.image), batch.label.tolist(), strict=True):
            turned = np.ascontiguousarray(image[:, ::-1])
            flipped += image.tobytes() not in known
            assert known.get(image.tobytes(), known.get(turned.tobytes())) == label
            found.append(min(image.tobytes(), turned.tobytes()))
    assert 30 < flipped < 82
    assert len(set(found[:64])) == 64, "64 training images before any comes again"


def test_the_resolved_recipe_says_what_ran(zoo: Kept, images: Path) -> None:
    said = tomllib.loads((zoo.folder / "recipe.toml").read_text())
    record = zoo.records()[-1]
    assert said["training"]["images"] == record["images"] == 112
    assert said["training"]["batch"] * said["update"]["discriminator_steps"] == record["images"] / record["step"]
    assert said["training"]["precision"] == "fp32"
    assert said["data"]["path"] == str(images)
    assert said["data"]["classes"] == len(COLOURS)
    updater = load_checkpoint(zoo.checkpoint(112)).updater
    for player in ("generator", "discriminator"):
        own = said["update"][player]
        (group,) = updater[player]["groups"]
        assert group["lr"] == pytest.approx(own["rate"] * (2 - 1.8 * 96 / 112)), "the rate of the last step's beginning"
        assert tuple(group["betas"]) == tuple(own["betas"])
    assert said["penalties"]["r1"]["weight"]["end"] == 8.0
    assert said["average"] == {"decay": 0.6, "start": 20}


def test_provenance_says_where_the_run_came_from(zoo: Kept) -> None:
    said = json.loads((zoo.folder / "provenance.json").read_text())
    recipe = tomllib.loads((zoo.folder / "recipe.toml").read_text())
    assert said["seed"] == 3
    assert said["data"] == zoo.session.batches.images.fingerprint
    assert said["torch"] == torch.__version__
    assert said["threads"] == torch.get_num_threads()
    assert set(said["components"]) >= {"generator", "discriminator", "loss", "update", "penalties.r1"}
    for path, component in said["components"].items():
        place = recipe
        for step in path.split("."):
            place = place.get(step, {}) if isinstance(place, dict) else place
        named = place if isinstance(place, str) else place.get("use")
        if path not in ("data.dataset", "discriminator.network"):
            assert component["name"] == named, path
    for each in (zoo.checkpoint(112) / name for name in ("recipe.toml", "provenance.json")):
        assert each.read_bytes() == (zoo.folder / each.name).read_bytes()


def test_health_tells_what_gated_blocks_do_at_the_end(zoo: Kept) -> None:
    """Of the average to every third image of the grid; of the live discriminator to real images, evenly over the classes."""
    (latent, label), (real, real_label) = examined(zoo)
    generator, discriminator = zoo.generator(112), build_discriminator(zoo.recipe, zoo.session.image, seed=99)
    discriminator.load_state_dict(part(zoo.tensors(112, "game"), "discriminator"))
    looked: list[tuple[nn.Module, Tensor, Tensor]] = []
    for network in (generator, discriminator.eval()):
        network.get_submodule("block1.attention").register_forward_hook(
            lambda *call: looked.append((call[0], call[1][0], call[2]))
        )
    with torch.no_grad():
        fake = generator(latent, label)
        discriminator(real, real_label)
    gates = json.loads((zoo.folder / "health.json").read_text())["gates"]
    assert [gate["path"] for gate in gates] == ["generator.block1.attention", "discriminator.block1.attention"]
    for gate, (module, x, y), image in zip(gates, looked, (fake, real), strict=True):
        assert gate["gamma"] == float(module.gamma.detach())
        assert gate["change"] == pytest.approx(float((y - x).double().norm() / x.double().norm()), rel=1e-3)
        rows = np.asarray(module.attention_map(x)[0].detach().double())
        even = -(rows * np.log(np.clip(rows, 1e-300, None))).sum(-1).mean() / np.log(rows.shape[-1])
        assert gate["map"]["evenness"]["mean"] == pytest.approx(even, rel=1e-3)
        assert gate["map"]["colour_correlation"]["mean"] == pytest.approx(colour_correlation(rows, image), rel=1e-2)
        assert (f"{gate['change']:.1%}" in gate["words"]) == (gate["change"] < 0.01)


def colour_correlation(rows: np.ndarray, image: Tensor) -> float:
    """The mean over samples and queries of numpy's correlation between a row and minus the distances of colours."""
    samples = []
    for row, pixels in zip(rows[:, 0], np.asarray(image.double()), strict=True):
        query, key = (
            pixels.reshape(len(pixels), side, pixels.shape[1] // side, side, -1).mean((2, 4)).reshape(len(pixels), -1).T
            for side in (int(count**0.5) for count in row.shape)
        )
        like = -np.linalg.norm(query[:, None] - key, axis=-1)
        pairs = zip(row, like, strict=True)
        varied = [(a, b) for a, b in pairs if np.ptp(b) > 1e-6 and np.ptp(a) > 1e-6 * a.max()]
        samples.append(np.mean([np.corrcoef(a, b)[0, 1] for a, b in varied]) if varied else np.nan)
    return float(np.nanmean(samples))


MIXED = """
title = "Digits, by a discriminator that holds batch norm"
[data]
use = "digits"
fake_classes = "uniform"
[generator]
use = "resnet"
width = 8
latent = 8
multipliers = [1, 1]
norm = "conditional_batch"
weight_norm = "none"
[discriminator]
use = "resnet"
width = 8
multipliers = [1, 1]
halvings = 1
norm = "batch"
weight_norm = "none"
conditioning = "projection"
augment = {{ use = "diffaug", policy = ["color", "translation", "cutout"] }}
[loss]
use = "non_saturating"
[update]
use = "alternating"
[update.generator]
use = "adam"
rate = {{ use = "linear", start = 4e-3, end = 1e-3 }}
betas = [0.5, 0.99]
[update.discriminator]
use = "adam"
rate = 2e-3
betas = [0.5, 0.99]
[average]
decay = 0.5
[training]
images = 36
batch = 12
microbatch = {micro}
samples_every = 36
checkpoint_every = 36
statistics_every = 36
"""


@pytest.mark.parametrize("micro", [12, 6])
def test_a_discriminator_with_batch_norm_sees_real_and_fake_apart_and_augmented(micro: int, tmp_path: Path) -> None:
    """Three steps, of whole batches and of halves: losses, scores and weights of both players."""
    (tmp_path / "mixed.toml").write_text(MIXED.format(micro=micro))
    kept = train(tmp_path / "mixed.toml", tmp_path / "run", seed=1, scored=False)
    played = Replay(
        kept, "non_saturating", 1, lambda seen: (4e-3 - 3e-3 * seen / 36, 2e-3), betas=(0.5, 0.99), decay=0.5, start=0
    )
    for record in kept.records():
        played.step()
        for name, value in played.records[-1].items():
            assert record[name] == pytest.approx(value, rel=1e-4, abs=1e-6), (record["step"], name)
    for name, network in (("generator", played.G), ("discriminator", played.D)):
        theirs = part(kept.states[-1], name)
        for key, value in network.state_dict().items():
            if not is_noise(name, key):
                assert torch.allclose(value.float(), theirs[key].float(), rtol=1e-3, atol=1e-4), (name, key)
    the_grey_grid_has_a_row_for_each_digit(kept)


def the_grey_grid_has_a_row_for_each_digit(kept: Kept) -> None:
    latent = torch.randn(10 * 12, 8, generator=torch.Generator().manual_seed(seed_of(1, "grid")))
    with torch.no_grad():
        mine = rounded(kept.generator(36)(latent, torch.arange(10).repeat_interleave(12)))
    shown = tiles_of(kept.folder / "samples" / "images-0000000036.png", 10, 12).reshape(120, 8, 8, 3)
    assert np.abs(shown.astype(int) - mine.astype(int)).max() <= 1


def test_class_folders_are_what_this_file_says(zoo: Kept) -> None:
    """Names in the order of their text, capitals first, and as many images as the folders hold."""
    labels = zoo.session.batches.images.labels.bincount().tolist()
    assert labels == [COUNTS[name] for name in sorted(COUNTS)]
    assert pixels_of(Path(zoo.recipe.data.dataset.path) / "Mango" / "00.png").shape == (8, 8, 3)  # type: ignore[attr-defined]
