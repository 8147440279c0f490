"""``ganblocks report`` on a study: table, samples of all runs, differences seed by seed, and links."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, ganblocks
from tests.report.browser import chromium, errors, open_page, overflow, requests, resize, serious_faults
from tests.report.test_run_report import Page, words


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study") / "out"
    short = ("training.images=32", "evaluation.every=16", "evaluation.n=16", "training.report=true")
    done = ganblocks(
        "ablate",
        ROOT / "tests" / "fixtures" / "study.toml",
        "--seeds",
        "0,1",
        "--variants",
        "attention",
        "--out",
        out,
        *(word for setting in short for word in ("--set", setting)),
    )
    assert done.returncode == 0, done.stderr
    done = ganblocks("report", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out / "report.html")
    return out


def test_it_has_the_table_and_its_words(study: Path) -> None:
    table, page = json.loads((study / "table.json").read_text()), Page(study / "report.html")
    said = words(page)
    for verdict in table["verdicts"]:
        assert " ".join(verdict.split()) in said
    for row in table["rows"]:
        end = row["scores"]["end"]
        assert f"{end['mean']:.3g} ± {(end['high'] - end['low']) / 2:.2g}" in said
        assert f"{row['parameters']:,}" in said


def test_every_run_is_linked_to_its_report(study: Path) -> None:
    page = Page(study / "report.html")
    links = [address for address in page.addresses if not address.startswith("data:")]
    assert sorted(links) == sorted(
        f"cells/{name}/seed-{seed}/report.html" for name in ("baseline", "attention") for seed in (0, 1)
    )
    assert all((study / link).is_file() for link in links)
    pictures = [address for address in page.addresses if address.startswith("data:image/png")]
    assert len(pictures) == 5, "the plot, and a grid of each run"


def test_differences_are_paired_by_seed(study: Path) -> None:
    ends = {}
    for name in ("baseline", "attention"):
        for seed in (0, 1):
            result = json.loads((study / "cells" / name / f"seed-{seed}.json").read_text())["result"]
            ends[name, seed] = result["reports"][-1]["scores"][0]["value"]
    said = words(Page(study / "report.html"))
    for seed in (0, 1):
        assert f"seed {seed}: {ends['attention', seed] - ends['baseline', seed]:+.3g}" in said


def test_a_page_elsewhere_has_links_that_lead_there(study: Path, tmp_path: Path) -> None:
    done = ganblocks("report", study, "--out", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    links = [address for address in Page(tmp_path / "page.html").addresses if not address.startswith("data:")]
    assert len(links) == 4
    assert all((tmp_path / link).resolve().is_file() for link in links)


def test_a_study_without_its_table_shows_its_runs(study: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "study"))
    (copy / "table.json").unlink()
    (copy / "plot.png").write_bytes(b"damaged")
    done = ganblocks("report", copy)
    assert done.returncode == 0, done.stderr
    assert "left out: table.json: " in done.stderr
    assert "left out: plot.png: " in done.stderr
    page = Page(copy / "report.html")
    assert "The study has no table yet" in page.text
    assert len([address for address in page.addresses if address.startswith("data:image/png")]) == 4


@pytest.mark.parametrize("content", ["[1]", '{"rows": [{}]}', '{"title": 3}', "damaged"])
def test_a_damaged_table_leaves_the_samples(study: Path, tmp_path: Path, content: str) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "study"))
    (copy / "table.json").write_text(content)
    done = ganblocks("report", copy)
    assert done.returncode == 0, done.stderr
    assert "left out: table.json: " in done.stderr
    assert "after 32 images" in words(Page(copy / "report.html"))


def test_a_study_is_reported_alone(study: Path) -> None:
    done = ganblocks("report", study, study / "cells" / "baseline" / "seed-0")
    assert done.returncode == 2
    assert "is a study, which has a report of its own; give it alone" in done.stderr


def test_in_a_browser(study: Path) -> None:
    with chromium() as driver:
        open_page(driver, study / "report.html")
        assert errors(driver) == []
        assert requests(driver, study / "report.html") == []
        for width in (360, 1600):
            resize(driver, width)
            assert overflow(driver) <= 0
        assert serious_faults(driver) == []
