"""Training from a folder of JPEGs that are read batch by batch, over training on the same batches from memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from ganblocks_data import image_folder
from PIL import Image
from torch import Tensor

from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, alternate, ratio, timed
from benchmarks.workloads import RECIPES, registry, session_iteration, toy_changes
from ganblocks.assembly import Session, assemble
from ganblocks.recipe import read_recipe
from ganblocks.values import Images, Player

FILES, TOY_FILES = 20_000, 40
PICTURES = 200
"""Different ones among the files."""
CLASSES, SIDE, QUALITY, DETAIL, NOISE = 10, 128, 90, 16, 12.0
NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "L128": ({}, 4),
    "L128, an eighth as wide": ({"generator.width": 4, "discriminator.width": 4}, 20),
}
"""Name -> what differs from the recipe of L128, and the steps that are timed together."""
TOY_WIDTH, TOY_STEPS = 4, 2
ROUNDS = 6
READ = 256
"""Files of a reading without training."""
NOTE = (
    f"{FILES:,} JPEGs of {SIDE}×{SIDE} pixels in {CLASSES} folders, of {PICTURES} different pictures; decoded they are more "
    "than a data set keeps in memory, so that every batch is read from the files, which are in the system's cache. The "
    "other side trains equal networks on the same images, decoded beforehand. L128 has its batch of 8, in bfloat16 if the "
    "processor computes in it; networks of an eighth of its width are there because so little computing leaves the least "
    "time to read."
)


def measure(settings: Settings) -> Result:
    """Make the folder, and time blocks of steps from the files and from memory in turn."""
    with tempfile.TemporaryDirectory() as name, read_on_demand(settings.toy):
        folder = Path(name)
        make_folder(folder, TOY_FILES if settings.toy else FILES)
        networks = list(NETWORKS)[: 1 if settings.toy else None]  # at toy size they are equally wide
        rows = [row for network in networks for row in network_rows(network, folder, settings)]
        rows.append(reading_row(session(folder, {}, settings.toy).batches.images, settings))
    return Result(rows, NOTE)


def read_on_demand(toy: bool) -> AbstractContextManager[object]:
    """Within the block, keep no folder in memory if it is of toy size; a large one is not kept anyway."""
    return mock.patch.object(image_folder, "MEMORY", 0) if toy else nullcontext()


def make_folder(folder: Path, files: int) -> None:
    """Write so many JPEGs of smooth colours with noise, in a folder per class."""
    rng = np.random.default_rng(0)
    pictures = [jpeg(rng) for _ in range(min(PICTURES, files))]
    for label in range(CLASSES):
        (folder / str(label)).mkdir()
    for index in range(files):
        (folder / str(index % CLASSES) / f"{index:05}.jpg").write_bytes(pictures[index % len(pictures)])


def jpeg(rng: np.random.Generator) -> bytes:
    """Return a random picture as a JPEG."""
    coarse = Image.fromarray(rng.integers(0, 256, (DETAIL, DETAIL, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float64)
    pixels = (smooth + rng.normal(0, NOISE, smooth.shape)).clip(0, 255).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="JPEG", quality=QUALITY)
    return content.getvalue()


def session(folder: Path, changes: Mapping[str, Any], toy: bool) -> Session:
    """Return L128 with changes, assembled on the folder."""
    other = {"data.path": str(folder), "training.precision": "auto", "update.use": "alternating", **changes}
    other |= toy_changes(TOY_WIDTH) if toy else {}
    assembled = assemble(read_recipe(RECIPES / "l128.toml", other, registry=registry()), registry())
    assert assembled.batches.images.fingerprint.startswith("sampled:"), "the folder is read on demand"
    return assembled


def network_rows(network: str, folder: Path, settings: Settings) -> list[Row]:
    """Return the times of steps from files and from memory."""
    changes, steps = NETWORKS[network]
    steps, rounds = TOY_STEPS if settings.toy else steps, settings.rounds(ROUNDS)
    from_files, from_memory = (session(folder, changes, settings.toy) for _ in range(2))
    keep_in_memory(from_memory, steps * (rounds + 1))
    first = [one.batches.at(Player.DISCRIMINATOR, 0).image for one in (from_files, from_memory)]
    assert torch.equal(*first), "both sides train on the same images"
    files, memory = (f"{network}: {steps} steps, {where}" for where in ("from files", "from memory"))
    times = alternate({files: block(from_files, steps), memory: block(from_memory, steps)}, rounds)
    return [
        Row(files, "s", Spread.of(times[files]), ratio(times, files, memory), "from memory"),
        Row(memory, "s", Spread.of(times[memory])),
    ]


def keep_in_memory(session: Session, steps: int) -> None:
    """Read all images of a session's next steps now, so that the steps find them in memory."""
    batches, images = session.batches, session.batches.images
    kept: dict[int, Tensor] = {}

    def record(indices: Tensor) -> Tensor:
        raw = images.read(indices)
        kept.update(zip(indices.tolist(), raw, strict=True))
        return raw

    def recall(indices: Tensor) -> Tensor:
        return torch.stack([kept[index] for index in indices.tolist()])

    batches.images = Images(record, images.labels, images.fingerprint, images.split)
    for start in range(0, steps * batches.size, batches.size):
        _ = batches.at(Player.DISCRIMINATOR, start).image  # the generator's turns read none
    batches.images = Images(recall, images.labels, images.fingerprint, images.split)


def block(session: Session, steps: int) -> Callable[[], None]:
    """Return so many steps of a session, with its data."""
    step = session_iteration(session)

    def run() -> None:
        for _ in range(steps):
            step()

    return run


def reading_row(images: Images, settings: Settings) -> Row:
    """Return how many images are read per second where nothing else is done."""
    some = images.split["train"][:READ]
    speeds = [len(some) / timed(lambda: images.read(some)) for _ in range(settings.rounds(ROUNDS))]
    return Row("reading alone", "images/s", Spread.of(speeds))
