"""What loggers have stored, read back by the readers of their own libraries: complete, and no moment twice after resuming."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganblocks

RECIPE = """
title = "Tiny"
[data]
use = "digits"
[generator]
use = "dcgan"
width = 8
attention = "none"
[discriminator]
use = "dcgan"
width = 8
attention = "none"
[loss]
use = "hinge"
[update]
use = "alternating"
generator = { use = "adam", rate = 1e-4 }
discriminator = { use = "adam", rate = 4e-4 }
[training]
images = 64
batch = 8
samples_every = 16
checkpoint_every = 32
"""
CURVE = "generator/loss"
Curves = dict[str, list[tuple[int, float]]]
"""Name -> (images seen, value) of every stored point, as often as it is stored."""


def tensorboard_reader(run: Path) -> tuple[Curves, list[int]]:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(run / "loggers" / "tensorboard"), {"scalars": 0, "images": 0})
    events.Reload()
    curves = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    images = events.Images("samples")
    for event in images:
        (run / "seen.png").write_bytes(event.encoded_image_string)
        drawn = Image.open(run / "samples" / f"images-{event.step:010d}.png").convert("RGB")
        assert np.array_equal(np.array(Image.open(run / "seen.png").convert("RGB")), np.array(drawn))
    return curves, [event.step for event in images]


def mlflow_reader(run: Path) -> tuple[Curves, list[int]]:
    tracking = pytest.importorskip("mlflow.tracking")
    folder = run / "loggers" / "mlflow"
    client = tracking.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (stored,) = client.search_runs([item.experiment_id for item in client.search_experiments()])
    assert stored.info.run_id == (folder / "run-id.txt").read_text()
    assert stored.info.status == "FINISHED"
    assert stored.data.params["training.images"] == "64"
    names = stored.data.metrics
    curves = {
        name: [(point.step, point.value) for point in client.get_metric_history(stored.info.run_id, name)] for name in names
    }
    files = [Path(item.path) for item in client.list_artifacts(stored.info.run_id, "images")]
    return curves, sorted(int(path.name.split("+")[2]) for path in files if path.suffix == ".png")


def trackio_reader(run: Path) -> tuple[Curves, list[int]]:
    storage = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    rows = storage.get_logs("ganblocks", (run / "loggers" / "trackio" / "run-id.txt").read_text())
    curves: Curves = {}
    for row in rows:
        for name, value in row.items():
            curves.setdefault(name, []).append((row["step"], value))
    images = [step for step, _ in curves.pop("samples")]
    return curves, images


def wandb_records(file: Path) -> Iterator[bytes]:
    """The records of an offline run, whose library has no reader in Python: LevelDB's log format after a header of 7 bytes."""
    data, position, record = file.read_bytes(), 7, b""
    while position + 7 <= len(data):
        if (left := -position % 32768) < 7 and left:
            position += left
            continue
        _, length, part = struct.unpack_from("<IHB", data, position)
        record += data[position + 7 : position + 7 + length]
        position += 7 + length
        if part in (1, 4):  # whole, or the last part
            yield record
            record = b""


def wandb_reader(run: Path) -> tuple[Curves, list[int]]:
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    curves: Curves = {}
    ids = set()
    for file in sorted((run / "loggers" / "wandb").glob("wandb/offline-run-*/*.wandb")):
        ids.add(file.stem)
        for content in wandb_records(file):
            record = messages.Record()
            record.ParseFromString(content)
            row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            for name, value in row.items():
                curves.setdefault(name, []).append((row["images"], value))
    assert ids == {f"run-{(run / 'loggers' / 'wandb' / 'run-id.txt').read_text()}"}
    images = [step for step, _ in curves.pop("samples")]
    return curves, images


READERS: dict[str, Callable[[Path], tuple[Curves, list[int]]]] = {
    "tensorboard": tensorboard_reader,
    "mlflow": mlflow_reader,
    "trackio": trackio_reader,
    "wandb": wandb_reader,
}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Slow machines have time; nothing is kept outside of the test's folder, and nothing leaves the machine."""
    monkeypatch.setattr("ganblocks.training.logger_thread.PATIENCE", 600.0)
    for name in ("MLFLOW_TRACKING_URI", "WANDB_MODE", "TRACKIO_SERVER_URL", "TRACKIO_SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    if "trackio" in sys.modules:
        monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path / "trackio")


def logging(name: str, tmp_path: Path) -> Any:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return ganblocks.read_recipe(path, {f"loggers.{name}": {"every": 1}})


def stopping(record: dict[str, Any]) -> None:
    """Interrupt as a crash would, 16 images after the checkpoint."""
    if record["images"] == 48:
        raise KeyboardInterrupt


@pytest.fixture
def stopped(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A run that was stopped at 48 images, which are logged, and goes on from its checkpoint at 32."""
    name, run = request.param, tmp_path / "run"
    library = {"tensorboard": "tensorboard", "mlflow": "mlflow.tracking"}.get(name, name)
    pytest.importorskip(library)
    with pytest.raises(KeyboardInterrupt):
        ganblocks.run(logging(name, tmp_path), run, "cpu", watch=stopping)
    return name, run


def expect_complete(name: str, run: Path) -> None:
    """Every number of metrics.jsonl and every grid is stored once."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    curves, images = READERS[name](run)
    assert [step for step, _ in curves[CURVE]] == [record["images"] for record in records] == list(range(8, 65, 8))
    for key in records[0].keys() - {"images", "step", "seconds"}:
        stored = dict(curves[key])
        assert stored == pytest.approx({record["images"]: record[key] for record in records if key in record}, rel=1e-6)
        assert len(stored) == len(curves[key])
    assert images == [int(path.stem[-10:]) for path in sorted((run / "samples").iterdir())]


@pytest.mark.parametrize("stopped", READERS, indirect=True)
def test_a_resumed_run_goes_on_with_its_curves(stopped: tuple[str, Path]) -> None:
    name, run = stopped
    ganblocks.resume(run)
    expect_complete(name, run)


@pytest.mark.parametrize("stopped", READERS, indirect=True)
def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_again(stopped: tuple[str, Path]) -> None:
    name, run = stopped
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()
    ganblocks.resume(run)
    expect_complete(name, run)


@pytest.mark.parametrize("name", READERS)
def test_a_finished_run_goes_on_with_its_curves(name: str, tmp_path: Path) -> None:
    pytest.importorskip({"mlflow": "mlflow.tracking"}.get(name, name))
    run = tmp_path / "run"
    ganblocks.run(logging(name, tmp_path), run, "cpu")
    ganblocks.resume(run)
    expect_complete(name, run)


@pytest.mark.parametrize("name", READERS)
def test_a_missing_library_is_one_warning_that_says_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.warns(UserWarning, match="is dropped") as caught:
        ganblocks.run(logging(name, tmp_path), tmp_path / "run", "cpu")
    (message,) = (str(warning.message) for warning in caught if "logger" in str(warning.message))
    assert message.startswith(f"the logger {name} is dropped, and the run goes on without it: ")
    assert message.endswith(f"pip install 'ganblocks[{name}]'")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 8


def test_names_that_a_store_may_refuse_are_refused_before_the_run(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    with pytest.raises(ganblocks.RecipeError, match=r"loggers.wandb.project: must be a name of at most 100 letters"):
        ganblocks.read_recipe(path, {"loggers.wandb": {"project": "a/b"}})
