"""``ganblocks ablate`` as a user runs it: resumed, killed, failing, diverging."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from filelock import FileLock

from ganblocks.training.checkpoint import images_seen, latest
from ganblocks.training.run_folder import read_metrics
from tests.cli.commands import ROOT, ganblocks

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"
SHORT = ("--set", "training.images=32", "--set", "evaluation.every=16", "--set", "evaluation.n=16")


def ablate(out: Path, *more: str, seeds: str = "0,1", variants: str = "attention") -> subprocess.CompletedProcess[str]:
    return ganblocks("ablate", RECIPE, "--seeds", seeds, "--variants", variants, "--out", out, *SHORT, *more)


def values(out: Path) -> list[list[str]]:
    """cells.csv without its last column, the time."""
    return [line.split(",")[:-1] for line in (out / "cells.csv").read_text().splitlines()]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    done = ablate(out)
    assert done.returncode == 0, done.stderr
    assert "attention against baseline" in done.stdout
    assert str(out / "table.md") in done.stdout
    return out


def test_a_study_leaves_one_table_one_plot_csv_and_latex(study: Path) -> None:
    assert {"table.md", "table.tex", "table.csv", "cells.csv", "table.json", "plot.png"} <= {
        path.name for path in study.iterdir()
    }
    lines = values(study)
    assert {tuple(line[:2]) for line in lines[1:]} == {(name, seed) for name in ("baseline", "attention") for seed in "01"}
    assert {line[2] for line in lines[1:]} == {"16", "32"}


def test_cells_of_one_seed_share_data_and_initial_values(study: Path) -> None:
    """γ starts at 0, so the first step of D sees the very same numbers with and without attention."""
    first = [read_metrics(study / "cells" / name / "seed-0")[0] for name in ("baseline", "attention")]
    other = read_metrics(study / "cells" / "baseline" / "seed-1")[0]
    assert first[0]["discriminator/loss"] == first[1]["discriminator/loss"]
    assert first[0]["discriminator/loss"] != other["discriminator/loss"]


def test_finished_cells_are_kept_and_more_seeds_are_added(study: Path) -> None:
    before = {path: path.read_bytes() for path in study.glob("cells/*/*.json")}
    table = (study / "table.csv").read_bytes()
    again = ablate(study)
    assert "4 finished before, 0 to run" in again.stderr
    assert (study / "table.csv").read_bytes() == table
    more = ablate(study, seeds="0,1,2")
    assert "4 finished before, 2 to run" in more.stderr
    assert all(path.read_bytes() == content for path, content in before.items())
    ablate(study)


def test_another_recipe_in_the_same_folder_is_refused(study: Path) -> None:
    done = ablate(study, "--set", "update.generator.rate=3e-4")
    assert done.returncode == 2
    assert "has run another recipe" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_at_once_in_one_folder_are_refused(study: Path) -> None:
    with FileLock(study / ".lock"):
        done = ablate(study)
    assert done.returncode == 2
    assert "another ganblocks ablate is at work" in done.stderr


def test_a_damaged_result_is_named(study: Path, tmp_path: Path) -> None:
    path = study / "cells" / "baseline" / "seed-0.json"
    kept = path.read_bytes()
    try:
        path.write_bytes(kept[: len(kept) // 2])
        done = ablate(study)
        assert done.returncode == 3
        assert "seed-0.json: damaged" in done.stderr
    finally:
        path.write_bytes(kept)


def test_a_table_that_cannot_be_written_is_shown_all_the_same(study: Path, tmp_path: Path) -> None:
    out = shutil.copytree(study, tmp_path / "out")
    for name in ("table.md", "plot.png"):
        (out / name).unlink()
        (out / name).mkdir()
    done = ablate(out)
    assert done.returncode == 1
    assert "attention against baseline" in done.stdout
    assert f"{out / 'plot.png'}: not written: " in done.stderr
    assert "the same command tries it again, without training" in done.stderr
    assert "Traceback" not in done.stderr
    assert str(out / "table.md") not in done.stdout
    for name in ("table.md", "plot.png"):
        (out / name).rmdir()
    again = ablate(out)
    assert again.returncode == 0, again.stderr
    assert "0 to run" in again.stderr
    assert (out / "plot.png").is_file()


def test_json_is_one_document(study: Path) -> None:
    done = ablate(study, "--json")
    document = json.loads(done.stdout)
    assert [row["variant"] for row in document["rows"]] == ["baseline", "attention"]
    assert document["score"] == "kd[pixels]"
    other = json.loads(ablate(study, "--json", "--score", "precision[pixels]").stdout)
    assert (other["score"], other["better"]) == ("precision[pixels]", "higher")


def test_nothing_runs_in_a_dry_run(tmp_path: Path) -> None:
    done = ganblocks("ablate", RECIPE, "--dry-run", "--out", tmp_path / "out")
    assert done.returncode == 0
    assert "residual: " in done.stderr
    assert "against attention" in done.stderr
    assert not (tmp_path / "out").exists()


@contextmanager
def at_work(out: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A study in a session of its own, as a terminal has one."""
    command = [sys.executable, "-m", "ganblocks", "ablate", str(RECIPE), "--seeds", "0,1", "--variants", "attention"]
    process = subprocess.Popen(
        [*command, "--out", str(out), *SHORT, *more],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
        preexec_fn=heard,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            kill_all(process)
        process.communicate()


def heard() -> None:
    """The tests may have been started with nohup, which is inherited."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def kill_all(study: subprocess.Popen[str]) -> None:
    """Kill it and its cells, which have sessions of their own, at once: nobody can do anything about it."""
    cells = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == study.pid]
    for pid in (study.pid, *cells):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _parent(stat: Path) -> int:
    with suppress(OSError):  # it has ended meanwhile
        return int(stat.read_text().rpartition(")")[2].split()[1])
    return 0


def wait_for(path: Path) -> None:
    wait_until(path.exists, str(path))


def wait_until(met: Callable[[], bool], words: str) -> None:
    until = time.monotonic() + 120
    while not met() and time.monotonic() < until:
        time.sleep(0.02)
    assert met(), words


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_study_that_is_killed_goes_on_where_it_was(number: signal.Signals, study: Path, tmp_path: Path) -> None:
    """The first cell has finished, the second is at work when the signal comes: it has no number until it has gone on."""
    out = tmp_path / "out"
    with at_work(out) as working:
        wait_for(out / "cells" / "attention" / "seed-0" / "metrics.jsonl")
        if number is signal.SIGKILL:
            kill_all(working)
        else:
            working.send_signal(number)
        _, errors = working.communicate(timeout=120)
    assert working.returncode == (-9 if number is signal.SIGKILL else 143), errors
    assert [path.parent.name for path in out.glob("cells/*/*.json")] == ["baseline"]
    done = ablate(out)
    assert "1 finished before, 3 to run" in done.stderr
    assert values(out) == [line for line in values(study) if line[1] != "2"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_study_stopped_from_its_terminal_leaves_a_checkpoint_of_its_cell(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C reaches all that the terminal has in front, a closed terminal's signal likewise; and the cell is asked once."""
    out = tmp_path / "out"
    cell = out / "cells" / "baseline" / "seed-0"
    names = ("training.images", "training.checkpoint_every", "training.samples_every", "evaluation.every")
    long = [part for name in names for part in ("--set", f"{name}=400")]
    with at_work(out, *long) as working:
        wait_for(cell / "samples" / "images-0000000000.png")  # from here on it minds signals
        os.killpg(working.pid, number)
        _, errors = working.communicate(timeout=120)
    assert working.returncode == 128 + number, errors
    assert "the same command goes on from there" in errors
    seen = images_seen(latest(cell))
    assert 0 < seen < 400
    with at_work(out, *long):
        wait_until(lambda: f"from {seen:,} images on" in cell.with_suffix(".log").read_text(), "the same command goes on")


def test_a_cell_that_fails_is_reported_and_stops_no_other(tmp_path: Path) -> None:
    plugin = tmp_path / "fails.py"
    plugin.write_text(FAILS)
    recipe = tmp_path / "study.toml"
    recipe.write_text(RECIPE.read_text().replace('"generator.width" = 16\n', 'loss = "fails"\n', 1))
    done = ganblocks(
        "-p", plugin, "ablate", recipe, "--seeds", "0", "--variants", "wide,attention", "--out", tmp_path / "out", *SHORT
    )
    assert done.returncode == 1
    assert "wide, seed 0: failed: exit code 1" in done.stderr
    assert "1 cells failed: wide, seed 0" in done.stderr
    assert "wide against baseline: not compared: no seed has finished in both. 1 of 1 are missing." in done.stdout
    assert "attention against baseline: one seed each" in done.stdout
    assert "on purpose" in (tmp_path / "out" / "cells" / "wide" / "seed-0.log").read_text()


FAILS = '''
import attrs, ganblocks

@attrs.frozen
class Fails:
    """Fails on purpose."""

    generator_reads_real = False

    def for_discriminator(self, real, fake):
        raise RuntimeError("on purpose")

    def for_generator(self, real, fake):
        raise RuntimeError("on purpose")

@ganblocks.hookimpl
def ganblocks_losses():
    return {"fails": Fails}
'''


def test_a_cell_that_diverges_is_a_result(tmp_path: Path) -> None:
    recipe = tmp_path / "study.toml"
    rates = '"update.generator.rate" = 1e30\n"update.discriminator.rate" = 4e30\n'
    recipe.write_text(RECIPE.read_text().replace('"generator.width" = 16\n', rates, 1))
    for expected in ("0 finished before, 2 to run", "2 finished before, 0 to run"):
        done = ganblocks("ablate", recipe, "--seeds", "0", "--variants", "wide", "--out", tmp_path / "out", *SHORT)
        assert done.returncode == 0, done.stderr
        assert expected in done.stderr
    assert "1 of 1 diverged" in done.stdout


def test_cells_at_once_give_the_same_numbers(study: Path, tmp_path: Path) -> None:
    done = ablate(tmp_path / "out", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert values(tmp_path / "out") == [line for line in values(study) if line[1] != "2"]


def test_data_that_is_not_there_is_one_error_before_anything_runs(tmp_path: Path) -> None:
    folder = f'"{tmp_path}/absent"'
    sets = (
        "--set",
        'data.use="image_folder"',
        "--set",
        f"data.path={folder}",
        "--set",
        "data.size=8",
        "--set",
        "data.classes=2",
    )
    done = ganblocks("ablate", RECIPE, "--variants", "attention", "--out", tmp_path / "out", *sets)
    assert done.returncode == 3, done.stderr
    assert not (tmp_path / "out").exists()


def test_a_cell_that_still_trains_is_not_touched(study: Path, tmp_path: Path) -> None:
    """A study that was killed alone leaves its cell at work."""
    folder = tmp_path / "out" / "cells" / "baseline" / "seed-0"
    folder.mkdir(parents=True)
    (folder / "kept").write_text("")
    with FileLock(folder / ".lock"):
        done = ablate(tmp_path / "out", seeds="0")
    assert done.returncode == 2
    assert "a process still trains here" in done.stderr
    assert (folder / "kept").exists()


def test_a_folder_that_cannot_be_written_is_a_user_s_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = ablate(tmp_path / "file" / "out", seeds="0")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
