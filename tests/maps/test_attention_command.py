"""``ganblocks attention`` as a user runs it: figures, tensors, numbers, the page, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from ganblocks.plugins import discover
from ganblocks.training.map_numbers import query_dependence
from ganblocks.training.run import Run
from tests.cli.commands import ganblocks, tiny

BLOCKS = ("generator.block1.attention", "discriminator.block1.attention")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attention") / "run"
    done = ganblocks(
        "run", "recipes/sagan.toml", "--out", folder, "--quiet", "--no-score", *tiny(**{"training.samples_every": "32"})
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_figures_tensors_and_a_page_are_written(run: Path) -> None:
    done = ganblocks("attention", run)
    assert done.returncode == 0, done.stderr
    folder = run / "attention"
    written = [folder / name for block in BLOCKS for name in (f"{block}.png", f"{block}.svg")]
    assert done.stdout.split() == [str(path) for path in (folder / "index.html", *written, folder / "maps.safetensors")]
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as figure:
                assert min(figure.size) > 300
                assert figure.convert("L").getextrema() == (0, 255)
        else:
            assert "<svg" in path.read_text()
    assert "query dependence" in done.stderr
    again = {path: path.read_bytes() for path in written}
    assert ganblocks("attention", run).returncode == 0
    assert again == {path: path.read_bytes() for path in written}, "equal runs give equal figures"


def test_the_tensors_are_the_maps_of_the_run_s_own_blocks(run: Path) -> None:
    """Recomputed from the run's averaged generator and the latents in the file."""
    assert ganblocks("attention", run).returncode == 0
    with safe_open(run / "attention" / "maps.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = json.loads(file.metadata()["maps"])
    network = Run.open(run, discover()).sampler().network
    seen: list[torch.Tensor] = []
    network.get_submodule("block1.attention").register_forward_hook(lambda module, x, y: seen.append(x[0]))
    with torch.no_grad():
        image = network(tensors["latent/generator"], tensors["label/generator"])
        attention, keys = network.get_submodule("block1.attention").attention_map(seen[0])
    assert facts["blocks"][BLOCKS[0]] == {"queries": list(seen[0].shape[2:]), "keys": list(keys)}
    assert facts["images_seen"] == 64
    assert torch.allclose(tensors[f"map/{BLOCKS[0]}"], attention, atol=1e-6)
    assert torch.equal(tensors["image/generator"], image.clamp(-1, 1).add(1).mul(127.5).round().byte())
    assert tensors[f"map/{BLOCKS[1]}"].sum(-1).sub(1).abs().max() < 1e-5


def test_images_are_those_of_the_run_s_grid_and_real_ones_of_the_same_classes(run: Path) -> None:
    """The first of each row of the last grid, and the first training image of the row's class."""
    assert ganblocks("attention", run).returncode == 0
    with safe_open(run / "attention" / "maps.safetensors", "pt") as file:
        shown, real = (file.get_tensor(f"image/{name}") for name in ("generator", "discriminator"))
        labels = [file.get_tensor(f"label/{name}").tolist() for name in ("generator", "discriminator")]
    with Image.open(max((run / "samples").glob("*.png"))) as grid:
        pixels = np.asarray(grid.convert("L"))[::8, ::8]  # enlarged 8 times
    rows = [i * 10 // 9 for i in range(9)]
    for tile, row in zip(shown, rows, strict=True):
        assert np.abs(tile[0].numpy().astype(int) - pixels[8 * row : 8 * row + 8, :8].astype(int)).max() <= 1
    assert labels == [rows, rows]
    images = discover().create("dataset", "digits").open()
    first = [next(i for i in images.split["train"].tolist() if images.labels[i] == row) for row in rows]
    assert torch.equal(real, images.read(torch.tensor(first)))


def test_numbers_are_those_of_90_images(run: Path) -> None:
    done = ganblocks("attention", run, "--json")
    assert done.returncode == 0, done.stderr
    blocks = json.loads(done.stdout)["blocks"]
    assert set(blocks) == set(BLOCKS)
    sampler = Run.open(run, discover()).sampler()
    block, seen = sampler.network.get_submodule("block1.attention"), []
    block.register_forward_hook(lambda module, x, y: seen.append(x[0]))
    with torch.no_grad():
        sampler.network(*sampler.representative()(90))
        values = query_dependence(block.attention_map(seen[0])[0]).double()
    numbers = blocks[BLOCKS[0]]["query_dependence"]
    assert numbers["n"] == 90
    assert numbers["mean"] == pytest.approx(float(values.mean()), rel=1e-3)
    assert numbers["margin"] == pytest.approx(1.98698 * float(values.std()) / 90**0.5, rel=1e-3)
    assert blocks[BLOCKS[0]]["gamma"] == pytest.approx(float(block.gamma.detach()))


def view_of(page: Path) -> dict[str, object]:
    match = re.search(r'<script type="application/json" id="attention-data">(.*?)</script>', page.read_text(), re.S)
    assert match
    view: dict[str, object] = json.loads(match[1])
    return view


def test_the_page_has_the_moments_of_the_run_and_needs_nothing_from_outside(run: Path) -> None:
    assert ganblocks("attention", run).returncode == 0
    page = run / "attention" / "index.html"
    text = page.read_text()
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:|#)""", text)
    assert "http" not in text
    view = view_of(page)
    assert [moment["images"] for moment in view["moments"]] == [0, 32, 64]  # type: ignore[attr-defined, index]
    assert [block["path"] for block in view["blocks"]] == list(BLOCKS)  # type: ignore[attr-defined, index]
    assert all(len(block["maps"]) == 3 for block in view["blocks"])  # type: ignore[attr-defined, index]


def test_other_samples_are_those_of_ganblocks_sample(run: Path, tmp_path: Path) -> None:
    """With a seed and a class the images are those of ``ganblocks sample``, and only the present moment is shown."""
    done = ganblocks(
        "attention", run, "--network", "generator", "--n", "3", "--class", "7", "--seed", "5", "--out", tmp_path / "a"
    )
    assert done.returncode == 0, done.stderr
    assert ganblocks("sample", run, "--n", "3", "--class", "7", "--seed", "5", "--to", tmp_path / "s.npz").returncode == 0
    with safe_open(tmp_path / "a" / "maps.safetensors", "pt") as file:
        mine = file.get_tensor("image/generator").permute(0, 2, 3, 1).numpy()
    theirs = np.load(tmp_path / "s.npz")["images"]
    assert np.abs(mine.astype(int) - theirs.astype(int)).max() <= 1  # other batches round differently
    assert len(view_of(tmp_path / "a" / "index.html")["moments"]) == 1  # type: ignore[arg-type]


def test_the_discriminator_attends_to_a_file(run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 60), "red").save(tmp_path / "red.jpg")
    done = ganblocks("attention", run, "--image", tmp_path / "red.jpg", "--out", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    with safe_open(tmp_path / "a" / "maps.safetensors", "pt") as file:
        assert set(file.keys()) == {"image/discriminator", "label/discriminator", f"map/{BLOCKS[1]}"}
        assert file.get_tensor("image/discriminator").shape == (1, 1, 8, 8)
    assert view_of(tmp_path / "a" / "index.html")["networks"] == {"discriminator": {"captions": ["red.jpg"]}}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--block", "block9.attention"], "--block block9.attention: no block of that path has an attention map; "
         "those that have one: "
         + ", ".join(BLOCKS)),
        (["--head", "2"], "--head 2: generator.block1.attention has one head; choose another block with --block"),
        (["--network", "critic"], "--network critic: choose generator or discriminator"),
        (["--class", "99"], "class 99: no class has that name"),
        (["--queries", "9,0"], "9,0 is outside of the image, which has rows 0 to 7 and columns 0 to 7"),
        (["--queries", "middle"], "'middle' is no row,column; write pixels such as 16,8;4,20"),
        (["--image", "nothing.png"], "--image nothing.png: there is no such file"),
        (["--image", "README.md"], "--image README.md: cannot be read as an image"),
        (["--image", "x.png", "--network", "generator"], "only the discriminator takes images"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_one_sentence(
    trained: Path, arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    done = ganblocks("attention", trained, *arguments, "--out", tmp_path / "a")
    assert done.returncode == 2, done.stderr
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    done = ganblocks("attention", tmp_path)
    assert done.returncode == 3
    assert "is this a run folder?" in done.stderr


def test_a_run_without_maps_says_which_blocks_have_one(tmp_path: Path) -> None:
    done = ganblocks(
        "run", "recipes/sagan.toml", "--ablation", "residual", "--out", tmp_path / "run", "--quiet", "--no-score", *tiny()
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run" / "attention").exists()
    done = ganblocks("attention", tmp_path / "run")
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "no block of this run has an attention map (" in said
    assert "generator.attention = residual" in said
    assert "those that have one: " in said
    assert "self_attention" in said.split("those that have one: ")[1]
    assert "residual" not in said.split("those that have one: ")[1]


def test_a_damaged_moment_is_left_out_with_a_sentence(run: Path) -> None:
    (run / "attention" / "images-0000000032.safetensors").write_bytes(b"damaged")
    done = ganblocks("attention", run)
    assert done.returncode == 0, done.stderr
    assert "images-0000000032.safetensors: damaged" in done.stderr
    assert "these maps are left out" in done.stderr
    assert [moment["images"] for moment in view_of(run / "attention" / "index.html")["moments"]] == [0, 64]  # type: ignore[attr-defined, index]
