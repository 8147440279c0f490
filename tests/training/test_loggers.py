"""Loggers get what a run logs, and have no effect on it, whatever they do."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from attrs import frozen
from PIL import Image

import ganblocks as public
from ganblocks import LoggedRun, Registry
from ganblocks.cli import main
from ganblocks.errors import CheckpointError
from ganblocks.evaluation import Scoring, evaluation_settings, read_reports
from ganblocks.recipe import Recipe, named_loggers, with_loggers
from ganblocks.training import logger_thread, manifest
from ganblocks.training.launch import resume
from ganblocks.training.run_folder import read_metrics
from tests.training.test_resuming import SEED, recipe, stopping_at

FOREVER = threading.Event()


class Diary:
    """Notes every call, in one list for all sessions."""

    calls: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, run: LoggedRun) -> None:
        self.note("start", run)

    def note(self, *call: Any) -> None:
        Diary.calls.append(call)

    def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
        self.note("log", images_seen, dict(numbers))

    def images(self, name: str, grid: np.ndarray, images_seen: int) -> None:
        self.note("images", images_seen, name, grid.copy())

    def rewind(self, images_seen: int) -> None:
        self.note("rewind", images_seen)

    def finish(self, complete: bool) -> None:
        self.note("finish", complete)


@frozen
class Noting:
    """Notes."""

    session: ClassVar[type] = Diary

    def start(self, run: LoggedRun) -> Diary:
        return self.session(run)


@frozen
class Failing(Noting):
    """Raises at its tenth call."""

    class session(Diary):  # noqa: N801
        count = 0

        def note(self, *call: Any) -> None:
            self.count += 1
            if self.count == 10:
                raise RuntimeError("the tenth call")


@frozen
class Exiting(Noting):
    """Ends the process, or tries to."""

    def start(self, run: LoggedRun) -> Diary:
        sys.exit(3)


@frozen
class Sleeping(Noting):
    """Never returns from its first record."""

    class session(Diary):  # noqa: N801
        def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
            FOREVER.wait()


@frozen
class Missing(Noting):
    """Needs what is not installed."""

    def start(self, run: LoggedRun) -> Diary:
        import no_such_library  # noqa: F401

        return Diary(run)


@frozen
class Spoiling(Noting):
    """Changes and prints what it gets, and draws random numbers."""

    class session(Diary):  # noqa: N801
        def log(self, numbers: Any, images_seen: int) -> None:
            print("spoiling", numbers)
            numbers.clear()
            np.random.rand()

        def images(self, name: str, grid: np.ndarray, images_seen: int) -> None:
            grid[:] = 0


TOYS = {
    "noting": Noting,
    "failing": Failing,
    "exiting": Exiting,
    "sleeping": Sleeping,
    "missing": Missing,
    "spoiling": Spoiling,
}
WARNED = {
    "noting": [],
    "failing": ["the logger failing is dropped, and the run goes on without it: RuntimeError: the tenth call"],
    "exiting": ["the logger exiting is dropped, and the run goes on without it: SystemExit: 3"],
    "sleeping": [
        "the logger sleeping is too slow, or does not answer: what it has no time for is lost to it, and the run goes on",
        "the logger sleeping has not stored everything 0 s after the end of the run; the rest may be missing",
    ],
    "missing": [
        "the logger missing is dropped, and the run goes on without it: ModuleNotFoundError: No module named 'no_such_library'"
    ],
    "spoiling": [],
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    Diary.calls.clear()
    yield
    FOREVER.set()
    for thread in threading.enumerate():
        if thread.name.startswith(logger_thread.NAME):
            thread.join()
    FOREVER.clear()


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.of({"logger": TOYS}).with_(public.discover())


def logged_by(*names: str, registry: Registry, **overrides: Any) -> Recipe:
    made = with_loggers(recipe(**overrides), names, registry)
    every = {name: attrs.evolve(item, every=1) for name, item in made.loggers.items()}
    return attrs.evolve(made, loggers=every)


def run(wanted: Recipe, out: Path, registry: Registry, scored: bool = False, **more: Any) -> Path:
    scoring = Scoring(wanted.data.dataset, evaluation_settings(wanted.evaluation, registry, "cpu"), registry, out)
    public.run(wanted, out, "cpu", SEED, registry, scorer=scoring if scored else None, **more)
    return out


def content(run: Path) -> dict[str, Any]:
    """Every file of a run folder but those of loggers, without times and what depends on them."""
    files: dict[str, Any] = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        name = path.relative_to(run).as_posix()
        if name.startswith("loggers") or path.name in (manifest.NAME, ".lock", ".scores.lock"):
            continue
        if path.name == "metrics.jsonl":
            files[name] = [{**json.loads(line), "seconds": 0} for line in path.read_text().splitlines()]
        elif path.name == "state.json":
            files[name] = {**json.loads(path.read_text()), "seconds": 0}
        else:
            files[name] = path.read_bytes()
    return files


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    return run(recipe(), tmp_path_factory.mktemp("plain") / "run", registry)


def of(kind: str) -> list[tuple[Any, ...]]:
    return [call[1:] for call in Diary.calls if call[0] == kind]


@pytest.mark.parametrize("name", TOYS)
def test_no_logger_changes_a_byte_of_the_run(
    name: str,
    plain: Path,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if name == "sleeping":
        monkeypatch.setattr(logger_thread, "PATIENCE", 0.1)
        monkeypatch.setattr(logger_thread, "MOST_RECORDS", 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = run(logged_by(name, registry=registry), tmp_path / "run", registry)
    assert content(out) == content(plain)
    assert [str(warning.message) for warning in caught if "the logger" in str(warning.message)] == WARNED[name]
    assert capsys.readouterr().out == ""


def test_a_logger_gets_records_grids_and_scores(registry: Registry, tmp_path: Path) -> None:
    out = run(logged_by("noting", registry=registry, **{"evaluation.every": 32}), tmp_path / "run", registry, scored=True)
    records = read_metrics(out)
    assert len(records) == 8
    scores = {report.images: {f"score/{score.name}": score.value for score in report.scores} for report in read_reports(out)}
    assert scores.keys() == {32, 64}
    wanted = [(record["images"], {key: value for key, value in record.items() if key != "images"}) for record in records]
    assert [call for call in of("log") if "step" in call[1]] == wanted
    assert {images: numbers for images, numbers in of("log") if "step" not in numbers} == scores
    files = sorted((out / "samples").iterdir())
    assert [images for images, _, _ in of("images")] == [int(path.stem[-10:]) for path in files]
    for path, (_, name, grid) in zip(files, of("images"), strict=True):
        assert name == "samples"
        assert np.array_equal(grid, np.array(Image.open(path).convert("RGB")))
    ((facts,),) = of("start")
    assert (facts.name, facts.seed, facts.folder) == ("run", SEED, out / "loggers" / "noting")
    assert facts.recipe["training"]["images"] == 64
    assert of("finish") == [(True,)]


def test_records_come_on_their_cadence_and_those_with_statistics_always(registry: Registry, tmp_path: Path) -> None:
    made = with_loggers(recipe(**{"training.statistics_every": 24}), ["noting"], registry)
    made = attrs.evolve(made, loggers={name: attrs.evolve(item, every=32) for name, item in made.loggers.items()})
    run(made, tmp_path / "run", registry)
    assert [images for images, _ in of("log")] == [24, 32, 48, 64]


def test_a_resumed_run_goes_on_with_its_loggers_from_its_checkpoint(registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(logged_by("noting", registry=registry, **{"training.checkpoint_every": 32}), out, registry, watch=stopping_at(48))
    assert of("finish") == [(False,)]
    Diary.calls.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resume(out, registry=registry, exact=True)
    assert Diary.calls[0][0] == "start"
    assert Diary.calls[1] == ("rewind", 32)
    assert [images for images, _ in of("log")] == [40, 48, 56, 64]
    assert [images for images, _, _ in of("images")] == [40, 48, 56, 64]
    assert of("finish") == [(True,)]


def test_a_logger_that_comes_later_gets_what_was_logged_before(plain: Path, registry: Registry, tmp_path: Path) -> None:
    out = shutil.copytree(plain, tmp_path / "run")
    resume(out, registry=registry, loggers=named_loggers(["noting"], registry), images=128)
    assert [images for images, _ in of("log")] == list(range(8, 129, 8))
    assert [images for images, _, _ in of("images")] == [int(path.stem[-10:]) for path in sorted((out / "samples").iterdir())]
    assert of("rewind") == []
    assert "loggers" not in (out / "recipe.toml").read_text() + (out / "provenance.json").read_text()


def test_a_rollback_rewinds_loggers(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganblocks.training.trainer import Trainer

    step, done = Trainer.step, []

    def once(self: Trainer) -> dict[str, Any]:
        record = step(self)
        if record["images"] == 48 and not done:
            done.append(record)
            record["generator/loss"] = float("nan")
        return record

    monkeypatch.setattr(Trainer, "step", once)
    overrides = {"training.checkpoint_every": 32, "health.not_finite": "rollback"}
    with pytest.warns(UserWarning, match="rolled back"):
        run(logged_by("noting", registry=registry, **overrides), tmp_path / "run", registry)
    kinds = [(call[0], call[1]) for call in Diary.calls if call[0] in ("log", "rewind")]
    assert kinds == [("log", n) for n in (8, 16, 24, 32, 40, 48)] + [("rewind", 32)] + [("log", n) for n in (40, 48, 56, 64)]
    assert "generator/loss" not in of("log")[5][1]


def test_a_file_of_loggers_that_is_wrong_stops_no_run(plain: Path, registry: Registry, tmp_path: Path) -> None:
    out = shutil.copytree(plain, tmp_path / "run")
    (out / "loggers.toml").write_text("[loggers.gone]\n")
    with pytest.warns(UserWarning, match=r"loggers.toml: is left out, and the run goes on without it: .*gone"):
        resume(out, registry=registry, images=72)
    assert len(read_metrics(out)) == 9


def test_a_folder_of_a_logger_that_is_a_link_is_not_written_to(plain: Path, registry: Registry, tmp_path: Path) -> None:
    out, elsewhere = shutil.copytree(plain, tmp_path / "run"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / "loggers").mkdir()
    (out / "loggers" / "noting").symlink_to(elsewhere)
    with pytest.warns(UserWarning, match="the logger noting is dropped, .*noting: is a link"):
        resume(out, registry=registry, loggers=named_loggers(["noting"], registry), images=72)
    assert of("start") == []
    shutil.rmtree(out / "loggers")
    (out / "loggers").symlink_to(elsewhere)
    with pytest.raises(CheckpointError, match="loggers: is a link"):
        resume(out, registry=registry, images=80)


def test_a_logger_whose_library_comes_later_gets_what_was_logged_before(registry: Registry, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.warns(UserWarning, match="no_such_library"):
        run(logged_by("missing", registry=registry), out, registry)
    complete = Registry.of({"logger": {"missing": Noting}}).with_(public.discover())
    resume(out, registry=complete, images=72)
    assert [images for images, _ in of("log")] == list(range(8, 73, 8))


def test_resume_adds_a_logger(plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboard")
    out = shutil.copytree(plain, tmp_path / "run")
    assert main(["resume", str(out), "--images", "72", "--no-score", "--log", "tensorboard"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert (out / "loggers.toml").read_text() == '[loggers.tensorboard]\nuse = "tensorboard"\n'
    assert list((out / "loggers" / "tensorboard").glob("events.out.tfevents.*"))


def test_an_unknown_name_is_refused_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[1] / "fixtures" / "study.toml"
    assert main(["run", str(path), "--out", str(tmp_path / "run"), "--log", "tensorbord"]) == 2
    assert "no logger is called 'tensorbord'; did you mean 'tensorboard'?" in capsys.readouterr().err
    assert main(["run", str(path), "--out", str(tmp_path / "run"), "--set", "loggers={tensorbord={}}"]) == 2
    assert "did you mean 'tensorboard'?" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_table_and_an_option_name_loggers_alike(registry: Registry) -> None:
    table = public.read_recipe(
        Path(__file__).parents[1] / "fixtures" / "study.toml", {"loggers.noting": {"every": 7}}, registry=registry
    )
    assert table.loggers["noting"].every == 7
    both = with_loggers(table, ["noting", "here:failing"], registry)
    assert {name: (type(item.logger), item.every) for name, item in both.loggers.items()} == {
        "noting": (Noting, 7),
        "failing": (Failing, None),
    }
