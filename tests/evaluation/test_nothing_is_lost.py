"""What fails after expensive work does not lose it: a score, a picture, a note, a cache, a damaged file."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from filelock import FileLock

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.cli import main
from ganblocks.errors import CheckpointError, DataError
from ganblocks.evaluation import Evaluator, Report, Scoring, evaluation_settings, read_reports
from ganblocks.evaluation.measurement import error_message
from ganblocks.recipe import Recipe
from ganblocks.training.checkpoint import latest
from ganblocks.training.health import read_health
from ganblocks.training.run_folder import RunFolder, read_metrics
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"
SHORT = ("--set", "training.images=32", "--set", "evaluation.every=16")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def recipe(**changes: object) -> Recipe:
    return read_recipe(RECIPE, {"training.images": 32, "evaluation.every": 16, "*.attention": "self_attention", **changes})


def weights(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in latest(run).glob("*.safetensors")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    scored(folder)
    return folder


def scored(folder: Path) -> Scoring:
    registry, wanted = public.discover(), recipe()
    scoring = Scoring(wanted.data.dataset, evaluation_settings(wanted.evaluation, registry, "cpu"), registry, folder)
    public.run(wanted, folder, "cpu", scorer=scoring)
    return scoring


def failing(error: BaseException) -> object:
    def fail(*_arguments: object, **_options: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    "error",
    [DataError("photos/7.png: cannot be read"), ValueError("odd"), MemoryError(), FULL],
    ids=lambda each: type(each).__name__,
)
def test_training_goes_on_without_scores(
    error: Exception, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Evaluator, "report", failing(error))
    with pytest.warns(UserWarning, match="images: not scored: ") as said:
        scoring = scored(tmp_path / "run")
    assert [str(each.message).partition(":")[0] for each in said] == ["16 images", "32 images"]
    assert weights(tmp_path / "run") == weights(undisturbed)
    assert (scoring.last, scoring.error) == (None, error)
    assert error_message(error) in str(said[-1].message)


@pytest.mark.parametrize(("error", "code"), [(DataError("photos/7.png: cannot be read"), 3), (ValueError("odd"), 1)])
def test_a_run_whose_end_is_not_scored_says_how_to_do_it_later(
    error: Exception, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "report", failing(error))
        assert main(["run", str(RECIPE), "--out", str(folder), *SHORT]) == code
    found = capsys.readouterr()
    assert found.out.strip() == str(folder)
    assert f"not scored: {error_message(error)}" in found.err
    assert "Traceback" not in found.err
    command = found.err.splitlines()[-1].partition("is fixed: ")[2].split()
    assert command == ["ganblocks", "evaluate", str(folder)]
    assert main(command[1:]) == 0
    assert read_reports(folder)[-1].images == 32


def test_a_score_that_fails_within_a_run_costs_that_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Evaluator.report

    def once(self: Evaluator, sampler: object, images_seen: int) -> Report:
        if images_seen == 16:
            raise DataError("not now")
        return report(self, sampler, images_seen)  # type: ignore[arg-type]

    monkeypatch.setattr(Evaluator, "report", once)
    assert main(["run", str(RECIPE), "--out", str(tmp_path / "run"), *SHORT]) == 0
    assert "16 images: not scored: not now" in capsys.readouterr().err
    assert [each.images for each in read_reports(tmp_path / "run")] == [32]


def test_a_picture_that_cannot_be_written_stops_nothing(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganblocks.training.grid.save_picture", failing(FULL))
    attention = ("--set", "*.attention=self_attention")
    assert main(["run", str(RECIPE), "--out", str(tmp_path / "run"), *SHORT, *attention]) == 0
    said = capsys.readouterr().err
    assert "samples/images-0000000000.png: cannot be written: No space left on device" in said
    assert "finished; samples: none could be written" in said
    assert weights(tmp_path / "run") == weights(undisturbed)
    assert read_reports(tmp_path / "run") == read_reports(undisturbed)


@pytest.mark.parametrize("place", ["ganblocks.training.loop.gates", "ganblocks.training.health.write_text"])
def test_what_only_tells_of_a_run_does_not_end_it(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, failing(FULL))
    with pytest.warns(UserWarning, match="No space left on device"):
        scoring = scored(tmp_path / "run")
    assert scoring.last is not None
    assert not read_health(tmp_path / "run").get("gates")


@pytest.mark.parametrize("content", ["{", "[1]", '[{"scores": 3}]', ""])
def test_damaged_scores_do_not_hide_new_ones(
    content: str, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the end of a run, and in ``evaluate``: the report is printed, and the damaged file stays as it is."""
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    (folder / "scores.json").write_text(content)
    for command in (["resume", str(folder)], ["evaluate", str(folder)]):
        assert main(command) == 0
        found = capsys.readouterr()
        assert "kd[pixels]" in found.out + found.err
        assert "the scores are not kept: " in found.err
        assert "damaged" in found.err
        assert "kept in scores.json" not in found.out + found.err
    assert (folder / "scores.json").read_text() == content


def test_a_damaged_health_file_does_not_hide_the_end_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    monkeypatch.setattr("ganblocks.training.health.HealthFile.finish", lambda *_: (folder / "health.json").write_text("{"))
    assert main(["run", str(RECIPE), "--out", str(folder), *SHORT]) == 0
    said = capsys.readouterr().err
    assert "health.json: damaged" in said
    assert "kd[pixels]" in said


@pytest.mark.parametrize("as_json", [False, True])
def test_evaluating_a_folder_that_cannot_be_written_prints_the_report(
    as_json: bool, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder in the lock's place, because tests may run as somebody to whom no permission is denied."""
    folder = shutil.copytree(undisturbed, tmp_path / "run", ignore=shutil.ignore_patterns(".scores.lock"))
    (folder / ".scores.lock").mkdir()
    before = (folder / "scores.json").read_bytes()
    assert main(["evaluate", str(folder), *(["--json"] if as_json else [])]) == 0
    found = capsys.readouterr()
    assert f"the scores are not kept: {folder / 'scores.json'}: cannot be written" in found.err
    assert (json.loads(found.out)["images"] == 32) if as_json else ("after 32 images; not kept" in found.out)
    assert (folder / "scores.json").read_bytes() == before


def test_scores_of_later_moments_that_cannot_be_dropped_stop_no_resume(
    undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(undisturbed, tmp_path / "run")
    shutil.rmtree(latest(folder))
    (folder / "scores.json").write_text("{")
    assert main(["resume", str(folder), "--quiet"]) == 0
    assert f"scores of later moments stay: {folder / 'scores.json'}: damaged" in capsys.readouterr().err
    assert weights(folder) == weights(undisturbed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder._metrics.close()
    folder._metrics = open("/dev/full", "w")  # noqa: SIM115
    folder.log({"images": 8, "step": 1})
    with pytest.raises(
        CheckpointError, match=r"metrics\.jsonl: cannot be written: No space left on device; .* ganblocks resume"
    ):
        folder.flush()
    folder.close()
    with FileLock(tmp_path / "run" / ".lock", blocking=False):
        pass


def test_without_scores_nothing_is_scored_whatever_the_recipe_says(
    undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Evaluator, "__init__", failing(AssertionError("scored")))
    folder = tmp_path / "run"
    attention = ("--set", "*.attention=self_attention")
    assert main(["run", str(RECIPE), "--out", str(folder), "--no-score", *SHORT, *attention]) == 0
    assert weights(folder) == weights(undisturbed)
    assert not (folder / "scores.json").exists()
    assert (folder / "recipe.toml").read_text() == (undisturbed / "recipe.toml").read_text()
    assert main(["resume", str(folder), "--no-score"]) == 0
    monkeypatch.undo()
    assert "not scored" not in capsys.readouterr().err
    assert main(["evaluate", str(folder)]) == 0
    assert read_reports(folder)[-1].scores == read_reports(undisturbed)[-1].scores


def test_a_cache_and_no_scores_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", str(RECIPE), "--out", str(tmp_path / "run"), "--no-score", "--feature-cache", str(tmp_path / "cache")]
    assert main(words) == 2
    assert "--no-score leaves no features to keep" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "evaluation={}",
        "evaluation.metrics={}",
        "evaluation.n=0",
        "evaluation=none",
        "evaluation=false",
        "evaluation.metrics=[]",
    ],
)
def test_what_means_no_scores_is_refused_and_named(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", str(RECIPE), "--out", str(tmp_path / "run"), "--set", text]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert text.partition("=")[0] in said
    assert "to score nothing, add --no-score to ganblocks run" in said
    assert not (tmp_path / "run").exists()


def test_an_ablation_s_empty_table_is_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        RECIPE.read_text()
        + "\n[ablation.unscored.set]\n\"evaluation.metrics\" = {}\n[ablation.without]\nremove = ['evaluation']\n"
    )
    (tmp_path / "recipe.toml").write_text(text)
    assert main(["check", str(tmp_path / "recipe.toml"), "--ablation", "unscored"]) == 2
    assert "an empty table asks for the usual scores" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "recipe.toml"), "--ablation", "without"]) == 0


def test_gamma_says_whose_it_is(undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Progress shows the live network's, and the closing line the average's beside it: both as they are on the disk."""
    found = {gate["path"]: gate for gate in read_health(undisturbed)["gates"]}
    gate = found["generator.block1.attention"]
    averaged = public.load(undisturbed).network.state_dict()["block1.attention.gamma"]
    live = read_metrics(undisturbed)[-1]["gamma/generator.block1.attention"]
    assert gate["gamma"] == pytest.approx(float(averaged))
    assert gate["live"] == pytest.approx(live)
    assert not torch.isclose(averaged, torch.tensor(live))
    assert found["discriminator.block1.attention"]["live"] is None
    attention = ("--set", "*.attention=self_attention", "--no-score")
    assert main(["run", str(RECIPE), "--out", str(tmp_path / "run"), *SHORT, *attention]) == 0
    said = capsys.readouterr().err
    assert f"γ generator.block1.attention (live) {live:+.4f}" in said
    assert f"γ = {gate['gamma']:.2g} in the averaged network ({live:.2g} in the live one)" in said
