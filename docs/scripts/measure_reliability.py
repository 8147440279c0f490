"""Measure the numbers of docs/explanation/reliability.md: kills, damage, failing disks, collapse, cost of health checks.

python docs/scripts/measure_reliability.py kills|damage|disk|collapse|costs [--n N] [--seed S]
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import torch
from safetensors.torch import save_file

import ganblocks
from ganblocks import read_recipe
from ganblocks.assembly import assemble
from ganblocks.diversity import MAX_COMPARED, nearest_distance
from ganblocks.errors import CheckpointError, GanblocksError
from ganblocks.training import checkpoint as checkpoints
from ganblocks.training import manifest
from ganblocks.training.checkpoint import FORMAT, latest, load_checkpoint, save_checkpoint
from ganblocks.training.collapse import CollapseDetector
from ganblocks.training.launch import resume
from ganblocks.training.manifest import verify
from ganblocks.training.run_folder import read_metrics
from ganblocks.training.statistics import as_numbers, state_norms
from ganblocks.training.trainer import Trainer
from ganblocks.values import Player

ROOT = Path(__file__).parents[2]
SMALL = {
    "*.attention": "self_attention",
    "*.weight_norm": "spectral",
    "penalties.r1": {"weight": 0.1, "every": 3},
    "training.images": 320,
    "training.checkpoint_every": 24,
    "training.samples_every": 160,
}
"""Overrides of tests/fixtures/study.toml that include everything with state: 40 steps, a checkpoint after every third."""


def recipe() -> Any:
    return read_recipe(ROOT / "tests" / "fixtures" / "study.toml", SMALL)


def final(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in latest(run).glob("*.safetensors")}


def logged(run: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in read_metrics(run)]


def child(work: Callable[[], object]) -> int:
    """Run ``work`` in a forked process without output. Return its process ID."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        work()
        code = 0
    finally:
        os._exit(code)


def ended(number: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def kills(n: int, seed: int) -> None:
    """Kill a run at n uniformly random moments, resume it, and compare the result with an uninterrupted run."""
    rng = random.Random(seed)  # noqa: S311  # moments, no secrets
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        assert ended(child(lambda: ganblocks.run(recipe(), folder / "whole", "cpu"))) == 0
        length = time.perf_counter() - started
        lost, same, begun, reached = 0, 0, 0, []
        for i in range(n):
            run = folder / f"killed-{i}"
            killed(child(lambda run=run: ganblocks.run(recipe(), run, "cpu")), rng.uniform(0, length))
            while not list((run / "checkpoints").glob("images-*")):  # nothing saved yet: it begins again, as its user would
                begun += 1
                shutil.rmtree(run, ignore_errors=True)
                killed(child(lambda run=run: ganblocks.run(recipe(), run, "cpu")), rng.uniform(length / 4, length))
            try:
                reached.append(load_checkpoint(latest(run)).step)
            except CheckpointError:
                lost += 1
                continue
            assert ended(child(lambda run=run: resume(run))) == 0, run
            same += final(run) == final(folder / "whole") and logged(run) == logged(folder / "whole")
            shutil.rmtree(run)
            if not (i + 1) % 20:
                print(f"after {i + 1}: {lost} checkpoints lost, {same} bit-identical", file=sys.stderr, flush=True)
    print(f"{n} kills within a run of {length:.1f} s: {lost} checkpoints lost, {same} of {n} resumed runs bit-identical")
    print(
        f"(the last checkpoint was of step {min(reached)} to {max(reached)} of 40; {begun} runs were killed before their first)"
    )


def killed(number: int, after: float) -> None:
    time.sleep(after)
    os.kill(number, signal.SIGKILL)
    ended(number)


@contextmanager
def saved() -> Iterator[Path]:
    """Yield a run folder with two real checkpoints."""
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        assert ended(child(lambda: ganblocks.run(recipe(), run, "cpu"))) == 0
        yield run


def damage(n: int, seed: int) -> None:
    """Flip n bits, truncate n / 5 files, and remove or swap every file: is the damage detected, named and skipped?"""
    rng = random.Random(seed)  # noqa: S311
    with saved() as run:
        older, newer = sorted((run / "checkpoints").glob("images-*"))
        names = sorted(path.name for path in newer.iterdir())

        def flip(content: bytearray) -> bytes:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
            return bytes(content)

        def cut(content: bytearray) -> bytes:
            return bytes(content[: rng.randrange(len(content))])

        for words, count, change in (("bits flipped", n, flip), ("truncations", n // 5, cut)):
            found = sum(_found(run, newer, older, rng.choice(names), change) for _ in range(count))
            print(f"{count} {words}: {found} detected, the file named, and the previous checkpoint used")
        swaps = [name for name in names if (older / name).read_bytes() != (newer / name).read_bytes()]
        found = sum(_found(run, newer, older, name, lambda _, name=name: (older / name).read_bytes()) for name in swaps)
        print(f"{len(swaps)} files swapped with those of another checkpoint: {found} detected")
        found = sum(_found(run, newer, older, name, lambda _: None) for name in names)
        print(f"{len(names)} files missing: {found} detected")


def _found(run: Path, newer: Path, older: Path, name: str, change: Callable[[bytearray], bytes | None]) -> bool:
    """Return whether the change of a file is detected and named, and ``resume`` would use the previous checkpoint."""
    path, content = newer / name, (newer / name).read_bytes()
    changed = change(bytearray(content))
    path.unlink() if changed is None else path.write_bytes(changed)
    try:
        verify(newer, FORMAT)
        # white space between two values of the manifest has no meaning
        return name == manifest.NAME and manifest._read(newer, FORMAT) == _as_it_was(content)
    except CheckpointError as error:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            used = latest(run)
        named = name in str(error) or name == manifest.NAME
        return named and used == older and any(older.name in str(each.message) for each in caught)
    finally:
        path.write_bytes(content)


def _as_it_was(content: bytes) -> Any:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / manifest.NAME).write_bytes(content)
        return manifest._read(Path(name), FORMAT)


def disk(n: int, seed: int) -> None:
    """Raise ENOSPC, EDQUOT, EIO and EROFS at every disk operation of a save, and fill a real disk."""
    with saved() as run:
        good = load_checkpoint(latest(run))
        total = silent = 0
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS):
            at = 1
            while (raised := _fails(run, good, code, at)) is not None:
                total, silent, at = total + 1, silent + (not raised), at + 1
        print(f"{total} failing calls (4 errors at each of {total // 4}): {silent} silent; the previous checkpoint verified")
        _full_disk(good)


def _fails(run: Path, good: checkpoints.Checkpoint, code: int, at: int) -> bool | None:
    """Return whether a failing at-th call raises an error, or None if there are fewer calls. Verify the previous checkpoint."""
    folder = run.parent / "disk" / "checkpoints"
    shutil.rmtree(folder, ignore_errors=True)
    save_checkpoint(folder, good)
    calls = 0

    def failing(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            if original is not opened or (len(arguments) > 1 and arguments[1] in ("wb", "xb")):
                calls += 1
                if calls == at:
                    raise OSError(code, os.strerror(code))
            return original(*arguments, **options)

        return call

    opened = Path.open
    kept = {
        (owner, name): getattr(owner, name)
        for owner, name in ((os, "fsync"), (Path, "open"), (Path, "mkdir"), (Path, "rename"))
    }
    raised = False
    try:
        for (owner, name), original in kept.items():
            setattr(owner, name, failing(original))
        later = attrs.evolve(good, images_seen=10**6)
        save_checkpoint(folder, later)
    except GanblocksError:
        raised = True
    finally:
        for (owner, name), original in kept.items():
            setattr(owner, name, original)
    if calls < at:
        return None
    verify(latest(folder.parent), FORMAT)
    return raised


def _full_disk(good: checkpoints.Checkpoint) -> None:
    """Save to a tmpfs with room for one and a half checkpoints (needs root)."""
    size = sum(tensor.numel() * tensor.element_size() for part in (good.game, good.average) for tensor in part.values())
    with tempfile.TemporaryDirectory() as place:
        if os.system(f"mount -t tmpfs -o size={int(4 * size)} tmpfs {place} 2>/dev/null"):  # noqa: S605
            print("a full tmpfs: skipped, needs root")
            return
        try:
            folder = Path(place) / "checkpoints"
            save_checkpoint(folder, good)
            filler = Path(place) / "filler"
            filler.write_bytes(b"\0" * max(shutil.disk_usage(place).free - size // 4, 0))
            later = attrs.evolve(good, images_seen=10**6)
            try:
                save_checkpoint(folder, later)
                print("a full tmpfs: SILENT")
            except CheckpointError as error:
                verify(latest(folder.parent), FORMAT)
                print(f"a full tmpfs: {str(error).split(': ', 1)[1]}")
        finally:
            os.system(f"umount {place}")  # noqa: S605


LATENTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "healthy": lambda latent: latent,
    "one image for all": lambda latent: torch.zeros_like(latent),
    "three images": lambda latent: latent.new_tensor([-1.0, 0.0, 1.0])[(latent[:, :1] * 1000).long() % 3].expand_as(latent),
}
"""Changes of the latents [B, Z] that the generator receives."""


def collapse(n: int, seed: int) -> None:
    """Count false and true alarms in n runs of 400 steps on digits: healthy ones, and generators of one and of three images."""
    for words, change in LATENTS.items():
        alarms = [_alarmed(change, seed + i) for i in range(n)]
        steps = [step for step in alarms if step]
        when = f", at step {min(steps)} to {max(steps)}" if steps else ""
        print(f"{words}: {len(steps)} of {n} runs of 400 steps raised an alarm{when}")


def _alarmed(change: Callable[[torch.Tensor], torch.Tensor], seed: int) -> int:
    """Return the step of the first alarm, or 0."""
    settings = {"training.images": 6400, "training.batch": 16, "discriminator.conditioning": "none", "generator.norm": "batch"}
    session = assemble(read_recipe(ROOT / "tests" / "fixtures" / "study.toml", settings), ganblocks.discover(), seed=seed)
    network = session.game.networks[Player.GENERATOR]
    network.register_forward_pre_hook(lambda module, inputs: (change(inputs[0]), *inputs[1:]))
    seen = CollapseDetector()
    for step in range(1, 401):
        if seen.read(as_numbers(session.updater.step(session.batches, session.batches.images_seen))):
            return step
    return 0


def costs(n: int, seed: int) -> None:
    """Time a save against a plain safetensors write, and the health checks of a step of recipes/sagan.toml."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        session = assemble(read_recipe(ROOT / "recipes" / "sagan.toml"), ganblocks.discover())
        trainer = Trainer(session)
        steps, extra, nearest = [], [], []
        for _ in range(n):
            steps.append(_seconds(lambda: as_numbers(session.updater.step(session.batches, session.batches.images_seen))))
            extra.append(_seconds(lambda: as_numbers(state_norms(session.game, trainer.average.network))))
            images = session.batches.at(Player.DISCRIMINATOR, 0).image[:MAX_COMPARED]
            nearest.append(_seconds(lambda images=images: (nearest_distance(images, True), nearest_distance(images))))
        step = statistics.median(steps)
        watch = statistics.median(extra) + statistics.median(nearest)
        print(f"health: {1000 * watch:.2f} ms of a step of {1000 * step:.0f} ms = {watch / step:.2%} (medians of {n})")
        _cost_of_a_save(trainer, folder, n)


def _cost_of_a_save(trainer: Trainer, folder: Path, n: int) -> None:
    trainer.average.settled()
    good = checkpoints.Checkpoint(**trainer.state_dict())
    updater: dict[str, torch.Tensor] = {}
    checkpoints.split_tensors(good.updater, updater)
    plain, ours = [], []
    for i in range(n):
        later = attrs.evolve(good, images_seen=i)
        plain.append(_seconds(lambda i=i: _plain(folder / f"plain-{i % 2}", good, updater)))
        ours.append(_seconds(lambda later=later: save_checkpoint(folder / "ours", later)))
    ratio = statistics.median(a / b for a, b in zip(ours, plain, strict=True))
    print(
        f"a save of {_bytes(good, updater) / 1e6:.1f} MB: {1000 * statistics.median(ours):.0f} ms, a plain safetensors write"
        f" {1000 * statistics.median(plain):.0f} ms: {ratio:.1f} times (median of {n} pairs)"
    )


def _bytes(good: checkpoints.Checkpoint, updater: dict[str, torch.Tensor]) -> int:
    return sum(t.numel() * t.element_size() for part in (good.game, good.average, updater) for t in part.values())


def _plain(folder: Path, good: checkpoints.Checkpoint, updater: dict[str, torch.Tensor]) -> None:
    folder.mkdir(exist_ok=True)
    for name, part in (("game", good.game), ("average", good.average), ("updater", updater)):
        save_file({key: value.contiguous() for key, value in part.items()}, folder / f"{name}.safetensors")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


PARTS = {"kills": (kills, 200), "damage": (damage, 1000), "disk": (disk, 1), "collapse": (collapse, 20), "costs": (costs, 40)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--n", type=int)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    work, usual = PARTS[wanted.part]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if wanted.part == "kills":
        torch.set_num_threads(1)  # a fork has no threads of its parent's
    work(wanted.n or usual, wanted.seed)


if __name__ == "__main__":
    main()
