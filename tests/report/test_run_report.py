"""``ganblocks report`` on runs: what the page says, what it leaves out, and how it behaves in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import pytest

from ganblocks.plugins import discover
from ganblocks.report.run_report import embedded
from ganblocks.training.run import Run
from tests.cli.commands import ganblocks, tiny
from tests.report.browser import chromium, errors, open_page, overflow, requests, resize, serious_faults

REPORTED = {"training.report": "true", "training.samples_every": "32", "evaluation.every": "32"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs with reports, the second with another rate."""
    parent = tmp_path_factory.mktemp("runs")
    folders = parent / "one", parent / "two"
    for seed, folder in enumerate(folders):
        changes = tiny(**REPORTED, **({"update.generator.rate": "1e-3"} if seed else {}))
        done = ganblocks("run", "recipes/sagan.toml", "--out", folder, "--seed", str(seed), "--quiet", *changes)
        assert done.returncode == 0, done.stderr
    return folders


@pytest.fixture
def run(runs: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs[0], tmp_path / "run"))


class Page(HTMLParser):
    """The text of a page by heading, and its addresses."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.data: dict[str, Any] = {}
        self.text = ""
        self._inside, self._id = "", ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = dict(attributes)
        self.addresses += [value for name in ("src", "href") if (value := known.get(name))]
        self._inside = tag if tag in ("script", "style") else self._inside
        self._id = known.get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside
        self.text += " "

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and self._id.endswith("-data"):
            self.data[self._id.removesuffix("-data")] = json.loads(data)
        elif not self._inside:
            self.text += data


def words(page: Page) -> str:
    return " ".join(page.text.split())


def test_a_run_ends_with_its_report(runs: tuple[Path, Path]) -> None:
    page = Page(runs[0] / "report.html")
    said = words(page)
    assert "SAGAN at desk scale" in said
    assert "64 of 64 images in 8 steps" in said
    assert "generator.width 8 64" in said  # an entry, its value and its default
    score = json.loads((runs[0] / "scores.json").read_text())[-1]["scores"][0]
    assert f"{score['name']} {score['value']:.4g} {score['held_out']:.4g} {score['noise']:.4g}" in said
    assert all(address.startswith("data:") for address in page.addresses)
    assert "http" not in (runs[0] / "report.html").read_text().replace('"http" + "://', "")


def test_its_curves_are_those_of_the_log(runs: tuple[Path, Path]) -> None:
    page = Page(runs[0] / "report.html")
    charts = {chart["title"]: chart for chart in page.data["charts"]}
    records = [json.loads(line) for line in (runs[0] / "metrics.jsonl").read_text().splitlines()]
    losses = {series["name"]: series for series in charts["Losses"]["series"]}
    assert losses["generator loss"]["x"] == [record["images"] for record in records]
    assert losses["generator loss"]["y"] == pytest.approx([record["generator/loss"] for record in records], rel=1e-4)
    assert {series["name"] for series in charts["γ of gated blocks"]["series"]} == {
        "generator.block1.attention",
        "discriminator.block1.attention",
    }
    (score,) = [chart for title, chart in charts.items() if title.startswith("kd[")]
    assert score["series"][0]["x"] == [32, 64]
    assert {line["name"] for line in score["lines"]} == {"held-out real", "noise"}
    drawn = {name for chart in charts.values() for name in (chart["title"],)}
    assert {"Query dependence of attention", "Gradient norms", "Largest σ of a layer", "Speed"} <= drawn


def test_its_maps_are_those_that_the_run_has_kept(runs: tuple[Path, Path]) -> None:
    view = Page(runs[0] / "report.html").data["attention"]
    assert [moment["images"] for moment in view["moments"]] == [0, 32, 64]
    gates = {gate["path"]: gate for gate in json.loads((runs[0] / "health.json").read_text())["gates"]}
    assert {block["path"]: block["numbers"] for block in view["blocks"]} == {path: gate["map"] for path, gate in gates.items()}


def test_a_run_without_a_report_has_none_until_it_is_asked_for(tmp_path: Path) -> None:
    done = ganblocks("run", "recipes/sagan.toml", "--out", tmp_path / "run", "--quiet", "--no-score", *tiny())
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run" / "report.html").exists()
    done = ganblocks("report", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "run" / "report.html")
    said = words(Page(tmp_path / "run" / "report.html"))
    assert "Not scored." in said
    assert "The same samples at several truncations" in said


def test_several_runs_are_side_by_side(runs: tuple[Path, Path], tmp_path: Path) -> None:
    done = ganblocks("report", *runs, "--out", tmp_path / "two.html")
    assert done.returncode == 0, done.stderr
    page = Page(tmp_path / "two.html")
    said = words(page)
    assert "Runs side by side" in said
    assert "update.generator.rate 0.0004 0.001" in said
    losses = next(chart for chart in page.data["charts"] if chart["title"] == "Losses")
    assert {series["run"] for series in losses["series"]} == {"one", "two"}
    html = (tmp_path / "two.html").read_text()
    assert "<strong>0.001</strong>" in html  # where they differ
    assert "<strong>8</strong>" not in html


def test_a_run_that_is_still_going_has_a_report(run: Path) -> None:
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    for name in ("health.json", "scores.json"):
        (run / name).unlink()
    done = ganblocks("report", run)
    assert done.returncode == 0, done.stderr
    said = words(Page(run / "report.html"))
    assert "24 of 64 images in 3 steps" in said
    assert "not finished" in said


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("metrics.jsonl", "metrics.jsonl"),
        ("scores.json", "scores"),
        ("health.json", "health.json"),
        ("provenance.json", "provenance.json"),
        ("samples/images-0000000064.png", "samples"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_named(run: Path, file: str, what: str) -> None:
    (run / file).unlink()
    (run / file).mkdir() if file == "metrics.jsonl" else (run / file).write_bytes(b"\x00 damaged")
    done = ganblocks("report", run)
    assert done.returncode == 0, done.stderr
    assert f"left out: {what}: " in done.stderr
    assert "Traceback" not in done.stderr
    page = Page(run / "report.html")
    assert f"Could not be read: run: {what}: " in words(page)
    assert "Recipe" in page.text


def line(**more: object) -> str:
    return json.dumps({"images": 8, "step": 1, "seconds": 1.0, "generator/loss": 1.0, **more}) + "\n"


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("metrics.jsonl", '{"images": 8, "step": 1, "generator/loss": 1.0}\n', ""),
        ("metrics.jsonl", line(seconds=None), ""),
        ("metrics.jsonl", "".join(line(**{"generator/loss": 1.7e308}) for _ in range(600)), ""),
        (
            "metrics.jsonl",
            line() + "damaged\n" + line() + line(),
            "metrics.jsonl: 3 of 4 lines are damaged, or follow one that is",
        ),
        ("metrics.jsonl", "damaged\n", "metrics.jsonl: 1 of 1 lines are damaged, or follow one that is"),
        (
            "scores.json",
            '[{"images": 8, "nearest": null, "scores": [{"name": "kd", "value": "x", "protocol": {}}]}]',
            "left out: scores: ",
        ),
        (
            "health.json",
            '{"events": [], "gates": [{"path": "g", "gamma": 1e999, "change": 0.1, "words": ""}]}',
            "health.json: ",
        ),
        ("health.json", '{"events": [{"images": 1, "step": 1, "event": "odd", "words": "\\ud800"}]}', ""),
        (
            "attention/images-0000000064.safetensors",
            "damaged",
            "images-0000000064.safetensors: damaged: ",
        ),
    ],
)
def test_damaged_files_leave_a_report(run: Path, file: str, content: str, sentence: str) -> None:
    (run / file).write_text(content)
    done = ganblocks("report", run)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert sentence in done.stderr
    assert "Samples over time" in Page(run / "report.html").text


def test_images_of_files_are_compared_only_on_request(run: Path, tmp_path: Path) -> None:
    """At the end of a run they would be opened and read again."""
    opened = Run.open(run, discover())
    assert embedded(opened)
    (tmp_path / "photos" / "a").mkdir(parents=True)
    folder = discover().create("dataset", "image_folder", path=tmp_path / "photos", size=8, channels=1, classes=1)
    data = attrs.evolve(opened.recipe.data, dataset=folder)
    assert not embedded(attrs.evolve(opened, recipe=attrs.evolve(opened.recipe, data=data)))


def test_a_run_that_diverges_ends_with_a_report(tmp_path: Path) -> None:
    changes = tiny(**{"training.report": "true", "update.generator.rate": "1e30", "update.discriminator.rate": "1e31"})
    done = ganblocks("run", "recipes/sagan.toml", "--out", tmp_path / "run", "--quiet", "--no-score", *changes)
    assert done.returncode == 4, done.stderr
    said = words(Page(tmp_path / "run" / "report.html"))
    assert "not finished" in said
    assert "stopped at" in said


def test_text_of_a_recipe_cannot_become_markup(run: Path) -> None:
    recipe = (run / "recipe.toml").read_text()
    hostile = 'title = "</script><script>alert(1)</script><b>"'
    (run / "recipe.toml").write_text(re.sub(r'^title = ".*"$', hostile, recipe, flags=re.M))
    assert ganblocks("report", run).returncode == 0
    assert "<script>alert" not in (run / "report.html").read_text()
    assert "</script><script>alert(1)</script><b>" in Page(run / "report.html").text


def test_missing_images_leave_out_the_nearest_ones(run: Path, tmp_path: Path) -> None:
    """A run on a folder that has gone: everything else is there."""
    recipe = (run / "recipe.toml").read_text()
    moved = recipe.replace('use = "digits"', f'use = "image_folder"\npath = "{tmp_path / "gone"}"\nclasses = 10\nchannels = 1')
    (run / "recipe.toml").write_text(moved)
    done = ganblocks("report", run)
    assert done.returncode == 0, done.stderr
    assert "left out: nearest training images: " in done.stderr
    assert "Samples over time" in Page(run / "report.html").text


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nowhere"], 3, "is this a run folder?"),
        (["RUN", "--out", "page.pdf"], 2, "--out page.pdf: is an HTML page: name it page.html"),
        (["RUN", "--out", "/nowhere/page.html"], 2, "cannot be written"),
    ],
)
def test_what_cannot_be_reported_is_refused(runs: tuple[Path, Path], arguments: list[str], code: int, sentence: str) -> None:
    done = ganblocks("report", *[str(runs[0]) if word == "RUN" else word for word in arguments])
    assert done.returncode == code
    assert sentence in " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def browser(runs: tuple[Path, Path]) -> Iterator[Any]:
    with chromium() as driver:
        open_page(driver, runs[0] / "report.html")
        yield driver


def test_the_page_opens_without_errors_and_asks_for_nothing(browser: Any, runs: tuple[Path, Path]) -> None:
    assert errors(browser) == []
    assert requests(browser, runs[0] / "report.html") == []


def test_the_slider_changes_the_grid(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    image, slider, text = (browser.find_element(By.CSS_SELECTOR, f".slides {tag}") for tag in ("img", "input", "output"))
    last = image.get_attribute("src")
    assert text.text == "64 images"
    slider.send_keys(Keys.HOME)
    assert text.text == "0 images"
    assert image.get_attribute("src") != last
    assert image.get_attribute("alt") == "Sample grid after 0 images"


def test_charts_are_read_and_zoomed(browser: Any) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    figure = next(one for one in browser.find_elements(By.CLASS_NAME, "chart") if "Losses" in one.text)
    svg, text = figure.find_element(By.TAG_NAME, "svg"), figure.find_element(By.TAG_NAME, "output")
    lines = "return arguments[0].querySelector('polyline').getAttribute('points')"
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", svg)
    ActionChains(browser).move_to_element(svg).perform()
    assert re.match(r"\d+ images: discriminator loss [-\d.e]+; generator loss [-\d.e]+", text.text)
    whole = browser.execute_script(lines, svg)
    ActionChains(browser).move_to_element_with_offset(svg, -40, 0).click_and_hold().move_by_offset(80, 0).release().perform()
    zoomed = browser.execute_script(lines, svg)
    assert 0 < len(zoomed.split()) < len(whole.split())
    ActionChains(browser).double_click(svg).perform()
    assert browser.execute_script(lines, svg) == whole
    svg.send_keys(Keys.ARROW_RIGHT)
    assert "images: " in text.text


@pytest.mark.parametrize("width", [360, 1600])
def test_it_fits_the_width(browser: Any, width: int) -> None:
    resize(browser, width)
    assert overflow(browser) <= 0
    assert 1_000 < browser.execute_script("return document.documentElement.scrollHeight") < 12_000


def test_axe_reports_no_serious_fault(browser: Any) -> None:
    assert serious_faults(browser) == []
