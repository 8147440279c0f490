"""Many samples as PNG files: images per second and peak memory, beside torch-mimicry.

As a script, ``python -m benchmarks.sample SIDE FOLDER N OUT`` writes N samples and prints the peak memory of its process in MB.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
from attrs import field, frozen

from benchmarks.commands import python, short_run
from benchmarks.memory import peak
from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, timed
from benchmarks.workloads import EQUAL, RECIPES, TOY_WIDTH, Peer, PeerMissing, count, mimicry, mimicry_version, toy_changes
from ganblocks.cli import main as command_line
from ganblocks.training.run import load

OURS, MIMICRY = "ganblocks", "torch-mimicry"
FEW, MANY = 2_000, 20_000
TOY_FEW, TOY_MANY = 4, 8
ROUNDS = 3
BATCH = 50
"""Images per forward pass, as torch-mimicry's own scores draw them."""
NOTE = (
    "Generators of SAGAN-32 with 48 channels and equally many parameters (`benchmarks/recipes/quality.toml`), in fp32. "
    "ganblocks: the whole command `ganblocks sample RUN --n N --to FOLDER`. torch-mimicry writes no samples itself; a "
    f"process restores a checkpoint, and in evaluation mode without gradients draws batches of {BATCH} by `generate_images`, "
    "and writes each image by torchvision's `save_image(image, path, normalize=True)`, the call of its logger. Both write a "
    "PNG each, and times include imports. Memory is the peak of the process, imports included."
)


@frozen
class Drawn:
    """What was measured with one number of samples by one side."""

    speeds: list[float] = field(factory=list)
    """Images per second, one number per round."""
    peaks: list[float] = field(factory=list)
    """MB."""


def measure(settings: Settings) -> Result:
    """Draw few samples several times, and many samples a third as often, by both sides in turn."""
    few, many = (TOY_FEW, TOY_MANY) if settings.toy else (FEW, MANY)
    rounds = settings.rounds(ROUNDS, toy=1)
    with tempfile.TemporaryDirectory() as name:
        sides, skipped = prepared(Path(name), settings.toy)
        measured: dict[tuple[str, int], Drawn] = {}
        for n, repeats in ((few, rounds), (many, -(-rounds // 3))):
            measured |= {(side, n): Drawn() for side in sides}
            for number in range(repeats):
                for side in sides if number % 2 else sides[::-1]:
                    draw(side, n, Path(name), measured[side, n])
    rows = [row for n in (few, many) for side in sides for row in _rows(measured, side, n, few)]
    return Result([*rows, *([Row(MIMICRY, skipped=skipped)] if skipped else [])], NOTE, mimicry_version())


def _rows(measured: dict[tuple[str, int], Drawn], side: str, n: int, few: int) -> list[Row]:
    """Return the speed of a side over the other's, and its memory over that with few samples."""
    mine, other, least = measured[side, n], measured.get((MIMICRY, n)), measured[side, few]
    name, beside = f"{n:,} samples: {side}", other is not None and side != MIMICRY
    faster = [one / two for one, two in zip(mine.speeds, other.speeds, strict=True)] if other is not None else []
    larger = [one / two for one, two in zip(mine.peaks, least.peaks, strict=False)]
    return [
        Row(name, "images/s", Spread.of(mine.speeds), Spread.of(faster) if beside else None, MIMICRY if beside else ""),
        Row(name, "MB", Spread.of(mine.peaks), Spread.of(larger) if n != few else None, f"{few:,} samples" if n != few else ""),
    ]


def prepared(folder: Path, toy: bool) -> tuple[list[str], str]:
    """Write a run and torch-mimicry's checkpoint with equally many parameters; return the sides, and why one is left out."""
    run = short_run(RECIPES / "quality.toml", folder / "run", toy_changes(TOY_WIDTH) if toy else {})
    try:
        peer = Peer(EQUAL, EQUAL.recipe("fp32", toy)).generator
    except PeerMissing as missing:
        return [OURS], str(missing)
    ours = count(load(run).network)
    assert count(peer) == ours, f"{count(peer)} parameters in {MIMICRY}, {ours} here"
    peer.save_checkpoint(directory=str(folder), global_step=1, name="generator.pth")
    widths = {"num_classes": peer.num_classes, "ngf": peer.ngf}
    (folder / "generator.json").write_text(json.dumps(widths), encoding="utf-8")
    return [OURS, MIMICRY], ""


def draw(side: str, n: int, folder: Path, measured: Drawn) -> None:
    """Write so many samples in a new process, and add its speed and its memory."""
    with tempfile.TemporaryDirectory(dir=folder) as out:
        printed: list[str] = []
        seconds = timed(lambda: printed.append(python("-m", "benchmarks.sample", side, str(folder), str(n), f"{out}/samples")))
        written = sum(1 for _ in Path(out).rglob("*.png"))
    assert written == n, f"{side} wrote {written} of {n} samples"
    measured.speeds.append(n / seconds)
    measured.peaks.append(float(printed[0].split()[-1]))


def draw_by_mimicry(folder: Path, n: int, out: Path) -> None:
    """Write samples as users of torch-mimicry do."""
    from torchvision.utils import save_image

    widths = json.loads((folder / "generator.json").read_text(encoding="utf-8"))
    generator = mimicry("nets.sagan.sagan_32").SAGANGenerator32(**widths)
    generator.restore_checkpoint(str(folder / "generator.pth"))
    generator.eval()
    out.mkdir()
    with torch.no_grad():
        for start in range(0, n, BATCH):
            for index, image in enumerate(generator.generate_images(min(BATCH, n - start)), start):
                save_image(image, out / f"{index}.png", normalize=True)


def main(side: str, folder: str, n: str, out: str) -> None:
    """Write samples in this process, and print its peak memory."""
    if side == OURS:
        code = command_line(["sample", f"{folder}/run", "--n", n, "--to", out])
        assert code == 0, f"ganblocks sample ended with {code}"
    else:
        draw_by_mimicry(Path(folder), int(n), Path(out))
    print(peak())


if __name__ == "__main__":
    main(*sys.argv[1:])
