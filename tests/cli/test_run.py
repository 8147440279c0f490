"""ganblocks run and sample as a user runs them: what the folder holds, that a seed repeats, what signals leave."""

from __future__ import annotations

import json
import os
import pickletools
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import ganblocks as public
from ganblocks.recipe import parse_override
from ganblocks.training.run_folder import read_metrics
from tests.cli.commands import ROOT, ganblocks, tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    done = ganblocks("run", "recipes/sagan.toml", "--out", folder, "--seed", "5", *tiny(**{"training.samples_every": "16"}))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder)
    return folder


def final(folder: Path, name: str = "game") -> dict[str, torch.Tensor]:
    return load_file(sorted(folder.glob(f"checkpoints/*/{name}.safetensors"))[-1])


def test_the_folder_holds_what_the_run_was(run: Path) -> None:
    assert {path.name for path in run.iterdir()} - {".lock", ".scores.lock"} == {
        "recipe.toml",
        "provenance.json",
        "metrics.jsonl",
        "samples",
        "attention",
        "scores.json",
        "health.json",
        "checkpoints",
    }
    facts = json.loads((run / "provenance.json").read_text())
    assert facts["seed"] == 5
    assert facts["torch"] == torch.__version__
    assert facts["components"]["generator.attention"] == {
        "kind": "attention",
        "name": "self_attention",
        "owner": "attention",
        "distribution": "ganblocks",
        "version": public.__version__,
    }
    assert facts["components"]["data"]["name"] == "digits"
    assert facts["components"]["update.discriminator"]["name"] == "adam"


def test_metrics_have_losses_scores_gradient_norms_gammas_and_sigmas(run: Path) -> None:
    records = read_metrics(run)
    assert [record["images"] for record in records] == list(range(8, 65, 8))
    wanted = {"discriminator/loss", "generator/loss", "discriminator/real", "discriminator/fake"}
    wanted |= {"discriminator/gradient_norm", "generator/gradient_norm"}
    wanted |= {"gamma/generator.block1.attention", "gamma/discriminator.block1.attention"}
    assert all(wanted <= record.keys() for record in records)
    assert any(name.startswith("sigma/generator.block1.conv1") for record in records for name in record)
    assert records[-1]["gamma/generator.block1.attention"] != 0


@pytest.mark.statement(79)
def test_the_resolved_recipe_reads_back_as_itself(run: Path, tmp_path: Path) -> None:
    recipe = public.read_recipe(run / "recipe.toml")
    assert recipe.training.images == 64
    again = tmp_path / "again"
    done = ganblocks("run", run / "recipe.toml", "--out", again, "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert (again / "recipe.toml").read_text() == (run / "recipe.toml").read_text()
    assert all(torch.equal(value, final(again)[name]) for name, value in final(run).items())


def test_grids_show_one_row_per_class(run: Path) -> None:
    pictures = sorted((run / "samples").glob("*.png"))
    assert len(pictures) >= 3
    assert Image.open(pictures[-1]).size == (12 * 64, 10 * 64)


def test_nothing_in_a_run_folder_is_a_pickle(run: Path) -> None:
    for path in run.rglob("*"):
        if path.is_file():
            with pytest.raises(Exception):  # noqa: B017, PT011  # whatever pickletools says, it is not a pickle
                list(pickletools.genops(path.read_bytes()))


def test_sampling_needs_the_folder_only_and_repeats(run: Path, tmp_path: Path) -> None:
    pictures = []
    by_std = ("--truncation", "0.5", "--truncation-by", "std")
    for name, extra in (("a", ()), ("b", ()), ("c", ("--seed", "1")), ("d", ("--truncation", "0.5")), ("e", by_std)):
        out = tmp_path / f"{name}.png"
        done = ganblocks("sample", run, "--n", "9", "--class", "3", "--out", out, *extra, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        pictures.append(out.read_bytes())
    assert pictures[0] == pictures[1]
    assert len(set(pictures)) == 4
    assert Image.open(tmp_path / "a.png").size == (3 * 64, 3 * 64)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--class", "10"), 2, "classes 0 to 9"),
        (("--class", "nine"), 2, "no class has that name"),
        (("--truncation", "-1"), 2, "above 0"),
        (("--truncation-by", "std"), 2, "there is no truncation"),
        (("--n", "0"), 2, "n"),
    ],
)
def test_wrong_wishes_are_refused_with_a_hint(run: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = ganblocks("sample", run, *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_python_does_what_the_command_line_does(run: Path) -> None:
    images = public.load(run).sample(16, classes=None, seed=0)
    assert images.shape == (16, 1, 8, 8)
    assert images.abs().max() <= 1
    assert not public.load(run).network.training


def test_a_used_folder_is_not_written_into(run: Path) -> None:
    before = sorted(path.name for path in run.rglob("*"))
    done = ganblocks("run", "recipes/sagan.toml", "--out", run, *tiny())
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert sorted(path.name for path in run.rglob("*")) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_usable_run_folder(tmp_path: Path, number: signal.Signals, code: int) -> None:
    folder = tmp_path / "run"
    endless = tiny(**{"training.images": "800000000", "training.samples_every": "8000000"})
    command = [sys.executable, "-m", "ganblocks", "run", "recipes/sagan.toml", "--out", str(folder), *endless]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not (folder / "samples").is_dir() or not list((folder / "samples").glob("images-*")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert not list(folder.rglob(".tmp-*"))
    assert public.load(folder).sample(2).shape == (2, 1, 8, 8)
    assert read_metrics(folder)


def test_missing_data_is_named_before_a_folder_is_made(tmp_path: Path) -> None:
    sets = ["--set", 'data={use="image_folder", path="nowhere", size=32, classes=3}']
    done = ganblocks("run", "recipes/sagan.toml", "--out", tmp_path / "run", *sets)
    assert done.returncode == 3
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_diverging_run_stops_with_exit_code_4_and_keeps_its_last_good_weights(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    wild = {
        "update.generator.rate": "1e30",
        "update.discriminator.rate": "1e32",
        "*.weight_norm": '"none"',
        "training.images": "800",
    }
    done = ganblocks("run", "recipes/sagan.toml", "--out", folder, *tiny(**wild))
    assert done.returncode == 4, done.stderr
    assert "not finite" in done.stderr
    assert "Traceback" not in done.stderr
    for path in folder.glob("checkpoints/*/*.safetensors"):
        assert all(value.isfinite().all() for value in load_file(path).values())


def test_without_a_device_cuda_is_refused(tmp_path: Path) -> None:
    arguments = ("run", "recipes/sagan.toml", "--out", tmp_path / "x", "--device", "cuda")
    done = ganblocks(*arguments, environment={"CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 2
    assert "--device cpu" in done.stderr


@pytest.mark.parametrize(
    "sets",
    [
        {"loss": "relativistic_paired"},
        {"penalties.r1": "{weight=0.1, every=2}"},
        {"penalties.gradient_penalty": "{weight=10}", "loss": "wasserstein", "*.weight_norm": "none"},
        {"update.use": "simultaneous"},
        {"update.use": "alternating", "update.discriminator_steps": "2"},
        {"training.microbatch": "4", "training.precision": '"bf16"'},
        {"discriminator.norm": "batch", "*.initialization": "orthogonal"},
        {"data.fake_classes": '"uniform"', "data.augment": '"flip"', "average.start": "32"},
        {"generator.norm": "batch", "discriminator.conditioning": "none"},
        {
            "generator.norm": '{use="conditional_batch", gain="one_plus"}',
            "update.rate_factor": '{use="cosine", start=1.0, end=0.1}',
        },
    ],
    ids=lambda sets: " ".join(sets),
)
def test_components_swap_by_one_line(sets: dict[str, str], tmp_path: Path) -> None:
    overrides = dict(parse_override(text) for text in tiny(**{"training.images": "24", **sets}) if "=" in text)
    registry = public.discover()
    recipe = public.read_recipe(ROOT / "recipes" / "sagan.toml", overrides, registry=registry)
    public.run(recipe, tmp_path / "run", device="cpu", registry=registry)
    records = read_metrics(tmp_path / "run")
    assert len(records) == (2 if "alternating" in sets.values() else 3)
    assert all(value is not None for record in records for value in record.values())
