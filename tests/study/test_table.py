"""Rows and words from synthetic cells whose differences are known."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from PIL import Image

import ganblocks as public
from ganblocks.cli.ablate import _show as show_table
from ganblocks.errors import UsageError
from ganblocks.evaluation import MetricValue, Report
from ganblocks.study.cells import Result
from ganblocks.study.costs import Cost, Swap, swap
from ganblocks.study.plan import BASELINE, Plan, parse_seeds, plan
from ganblocks.study.rows import Row, at
from ganblocks.study.table import Table, tabulate
from ganblocks.study.verdicts import interval
from ganblocks.study.writing import document, grid, latex, markdown, plot, write
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"
PROTOCOL = {"features": "f", "seed": "0"}
MOMENTS = (24, 48, 64)
finite = st.floats(-100, 100)


@pytest.fixture(scope="module")
def wanted() -> Plan:
    return plan(RECIPE, ["attention", "wide"], range(5), {}, public.discover())


def kd_std(protocol: Mapping[str, str]) -> MetricValue:
    return MetricValue("kd_std[x]", 0.1, protocol)


def cell(
    variant: str,
    seed: int,
    values: tuple[float, ...],
    step: float = 0.1,
    protocol: Mapping[str, str] = PROTOCOL,
    moments: tuple[int, ...] = MOMENTS,
    step_images: float | None = 8,
) -> Result:
    reports = tuple(
        Report(
            (MetricValue("kd[x]", value, protocol, "lower", 0.0, 9.0), MetricValue("kd_std[x]", 0.1, protocol)), None, images
        )
        for images, value in zip(moments, values, strict=True)
    )
    return Result(variant, seed, False, step, reports, step_images)


def cells(plan: Plan, end: Callable[[str, int], float]) -> list[Result]:
    return [cell(variant.name, seed, (9, 8, end(variant.name, seed))) for variant in plan.variants for seed in plan.seeds]


def row_of(table: Table, name: str) -> Row:
    return next(row for row in table.rows if row.variant.name == name)


def test_a_difference_that_is_there_is_said_with_its_interval(wanted: Plan) -> None:
    luck = np.random.default_rng(0).normal(5, 2, 5)
    table = tabulate(wanted, cells(wanted, lambda name, seed: luck[seed] - (1 + 0.01 * seed) * (name == "attention")))
    row = row_of(table, "attention")
    assert row.difference is not None
    assert row.difference.estimate.mean == pytest.approx(-1.02)
    assert row.adjusted_p is not None
    assert row.adjusted_p < 1e-4
    (words, _) = table.verdicts()
    assert (
        words
        == "attention against baseline: better by -1.0200 (95 % interval -1.0396 to -1.0004, 5 pairs, p = 1.4e-08 after Holm)."
    )


@pytest.mark.parametrize(("better", "word"), [("lower", "worse"), ("higher", "better"), ("", "different")])
def test_which_way_is_better_is_the_metric_s_word(wanted: Plan, better: str, word: str) -> None:
    results = []
    for variant in wanted.variants:
        for seed in wanted.seeds:
            score = MetricValue("x[y]", seed + (variant.name == "attention") * (1 + seed / 1000), PROTOCOL, better)
            results.append(Result(variant.name, seed, False, 0.1, (Report((score,), None, 64),)))
    assert tabulate(wanted, results).verdicts()[0].startswith(f"attention against baseline: {word} by +1.00")


def test_no_difference_is_said_where_there_is_none(wanted: Plan) -> None:
    rng = np.random.default_rng(3)
    said = 0
    for _ in range(200):
        luck = rng.normal(5, 3, 5)
        ends = {variant.name: luck + rng.normal(0, 1, 5) for variant in wanted.variants}
        table = tabulate(wanted, cells(wanted, lambda name, seed, ends=ends: ends[name][seed]))  # type: ignore[misc]
        said += "no difference shown" in table.verdicts()[0]
    assert said >= 186, "of 200 studies without a difference at most one in twenty may claim one, and luck"


def test_what_it_would_take_is_said_where_the_numbers_allow_nothing(wanted: Plan) -> None:
    gaps = [0.3, -0.5, 0.9, -0.2, 0.4]
    table = tabulate(wanted, cells(wanted, lambda name, seed: gaps[seed] if name == "attention" else 0.0))
    found = re.search(r"about (\d+) seeds would show it four times in five", table.verdicts()[0])
    assert found is not None
    assert 40 < int(found[1]) < 80  # (2.8 x 0.53 / 0.18) squared, and a little for Student
    none = tabulate(wanted, cells(wanted, lambda name, seed: [1e-6, -1, 1, 0, 0][seed] if name == "attention" else 0.0))
    assert "more than 1,000 seeds" in none.verdicts()[0]


def test_one_seed_allows_nothing(wanted: Plan) -> None:
    table = tabulate(wanted, [each for each in cells(wanted, lambda name, seed: len(name)) if each.seed == 2])
    assert "one seed each, +1: nothing can be said." in table.verdicts()[0]
    assert table.verdicts()[0].endswith("4 of 5 are missing.")


def test_diverged_cells_are_counted_and_in_no_mean(wanted: Plan) -> None:
    results = cells(wanted, lambda name, seed: float(seed))
    lost = [
        Result(each.variant, each.seed, True, 0.1, ()) if (each.variant, each.seed) == ("attention", 4) else each
        for each in results
    ]
    table = tabulate(wanted, lost)
    row = row_of(table, "attention")
    assert (row.finished, row.diverged, row.missing) == (4, 1, 0)
    end = row.scores["end"]
    assert end is not None
    assert (end.n, end.mean) == (4, 1.5)
    assert row.difference is not None
    assert row.difference.estimate.n == 4
    assert "1 of 5 diverged" in table.verdicts()[0]
    everything = [Result(each.variant, each.seed, True, 0.1, ()) for each in results]
    with pytest.raises(UsageError, match="no cell has finished"):
        tabulate(wanted, everything)


def test_blocks_of_unlike_size_are_shown_and_not_compared(wanted: Plan) -> None:
    table = tabulate(wanted, cells(wanted, lambda name, seed: float(len(name) + seed)))
    wide = row_of(table, "wide")
    assert wide.difference is None
    assert wide.scores["end"] is not None
    assert re.search(r"not compared: blocks of unlike size: [\d,]+ parameters for [\d,]+ \(\+\d", table.verdicts()[1])


def test_another_protocol_is_not_compared_and_stands_apart(wanted: Plan) -> None:
    other = {**PROTOCOL, "seed": "1"}
    results = [
        cell(each.variant, each.seed, (9, 8, 7), protocol=other) if each.variant == "attention" else each
        for each in cells(wanted, lambda name, seed: float(seed))
    ]
    table = tabulate(wanted, results)
    assert row_of(table, "attention").difference is None
    assert "differ: seed" in table.verdicts()[0]
    text = markdown(table, "ganblocks ablate")
    assert text.count("| variant |") == 2


@pytest.mark.parametrize("moment", [None, 0])
@pytest.mark.parametrize(("mixed", "whose"), [("attention", "its own"), (BASELINE, "baseline's")])
def test_seeds_or_moments_of_unlike_protocols_have_no_mean_and_no_difference(
    wanted: Plan, tmp_path: Path, mixed: str, whose: str, moment: int | None
) -> None:
    """One seed is scored otherwise, at all moments or at one; not the last, so that looking at that one does not do."""
    other = {**PROTOCOL, "seed": "1"}
    results = cells(wanted, lambda name, seed: float(seed))
    for i, each in enumerate(results):
        if (each.variant, each.seed) == (mixed, 1):
            odd = cell(mixed, 1, (9, 8, 1), protocol=other).reports
            chosen = odd if moment is None else (*each.reports[:moment], odd[moment], *each.reports[moment + 1 :])
            results[i] = attrs.evolve(each, reports=chosen)
    table = tabulate(wanted, results)
    row = row_of(table, mixed)
    assert set(row.scores.values()) == {None}
    assert list(row.curve) == []
    assert row_of(table, "attention").difference is None
    one, two = (MetricValue("", 0, protocol).id for protocol in (PROTOCOL, other))
    words = table.verdicts()[0] if mixed == "attention" else table.verdicts()[1]
    assert re.search(rf"not compared: protocols {one} and {two} of {whose} seeds differ: seed\.", words)
    fine = row_of(table, BASELINE if mixed == "attention" else "attention")
    assert fine.scores["end"] is not None
    assert fine.protocol == one
    write(table, results, tmp_path, "ganblocks ablate it")
    text = (tmp_path / "table.md").read_text()
    assert f"Protocol {one} and {two}:" in text
    assert f"| not compared: protocols {one} and {two} of its own seeds differ |" in text


def test_the_moments_are_budgets_equal_time_the_end_and_the_best(wanted: Plan) -> None:
    results = [
        cell(variant.name, seed, (9.0, 3.0, 5.0), step=0.2 if variant.name == "attention" else 0.1)
        for variant in wanted.variants
        for seed in wanted.seeds
    ]
    table = tabulate(wanted, results)
    assert table.columns == ("24 images", "48 images", "equal time", "end", "best")
    means = {
        name: [found.mean if found else None for found in row_of(table, name).scores.values()]
        for name in (BASELINE, "attention")
    }
    assert means[BASELINE] == [9, 3, 5, 5, 3]
    assert means["attention"] == [9, 3, pytest.approx(7.0), 5, 3]  # 32 images, a third of the way from 24 to 48


def test_time_is_by_the_images_that_a_step_sees(wanted: Plan) -> None:
    """Two turns of D a step: twice the images in twice the time, and moments up to two batches late."""
    results = [
        cell(variant.name, seed, (9.0, 3.0, 5.0), step=0.2, moments=(32, 48, 64), step_images=16)
        if variant.name == "attention"
        else cell(variant.name, seed, (9.0, 3.0, 5.0))
        for variant in wanted.variants
        for seed in wanted.seeds
    ]
    table = tabulate(wanted, results)
    means = [found.mean if found else None for found in row_of(table, "attention").scores.values()]
    assert means == [9, 3, 5, 5, 3]
    columns, rows = grid(table)
    assert [row[columns.index("ms / image")] for row in rows] == ["12.5", "12.5", "12.5"]


def test_where_nobody_knows_what_a_step_sees_no_time_is_shown(wanted: Plan) -> None:
    results = [
        attrs.evolve(each, step_images=None) if each.variant == "attention" else each
        for each in cells(wanted, lambda name, seed: float(seed))
    ]
    table = tabulate(wanted, results)
    row = row_of(table, "attention")
    assert row.scores["equal time"] is None
    assert row.scores["24 images"] is not None
    columns, rows = grid(table)
    assert [row[columns.index("ms / image")] for row in rows] == ["12.5", "", "12.5"]


def test_a_moment_that_one_cell_lacks_has_no_mean(wanted: Plan) -> None:
    results = cells(wanted, lambda name, seed: float(seed))
    first = results[0]
    results[0] = attrs.evolve(first, reports=first.reports[1:])
    scores = row_of(tabulate(wanted, results), BASELINE).scores
    assert scores["24 images"] is None
    assert scores["48 images"] is not None


@given(st.lists(finite, min_size=1, max_size=6), st.floats(0, 1))
def test_between_moments_scores_lie_on_a_line(values: list[float], share: float) -> None:
    curve = [(10 * (i + 1), value) for i, value in enumerate(values)]
    assert all(at(curve, images) == pytest.approx(value, abs=1e-9) for images, value in curve)
    assert at(curve, 9.9) is None
    assert at(curve, 1e9) == values[-1]
    if len(values) > 1:
        expected = (1 - share) * values[0] + share * values[1]
        assert at(curve, 10 + 10 * share) == pytest.approx(expected, abs=1e-6)


def test_another_score_can_be_asked_for(wanted: Plan) -> None:
    results = cells(wanted, lambda name, seed: float(seed))
    assert tabulate(wanted, results, "kd_std[x]").score.name == "kd_std[x]"
    with pytest.raises(UsageError, match=r"no score absent: there are kd\[x\], kd_std\[x\]"):
        tabulate(wanted, results, "absent")


@given(st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(1, 50), st.integers(1, 9)), min_size=1))
def test_parameters_of_equal_name_and_shape_are_shared(shapes: dict[str, tuple[int, int]]) -> None:
    cost = Cost(shapes, 1)
    assert swap(cost, cost) == Swap(0, 0)
    more = Cost({**shapes, "new": (7, 3)}, 1)
    assert swap(more, cost) == Swap(21, 0)
    assert swap(cost, more) == Swap(0, 21)
    assert cost.parameters == sum(a * b for a, b in shapes.values())


@pytest.mark.parametrize(
    ("mine", "theirs", "alike"),
    [(10_000, 10_256, True), (10_000, 10_257, False), (10_257, 10_000, False), (10, 0, True), (0, 10, True), (0, 0, True)],
)
def test_two_and_a_half_percent(mine: int, theirs: int, alike: bool) -> None:
    assert Swap(mine, theirs).alike == alike


@pytest.mark.parametrize(
    ("text", "seeds"), [("0,1,2", [0, 1, 2]), ("3-5", [3, 4, 5]), ("7", [7]), ("1, 4-5,", [1, 4, 5]), ("", [])]
)
def test_seeds(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["a", "1;2", "-1", "0-99999", "1.5"])
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("variants", "seeds", "words"),
    [
        ([], [0], "nothing to compare"),
        (["attention"], [], "no seeds"),
        (["attention", "attention"], [0], "variant attention is there twice"),
        (["attention"], [1, 1], "seed 1 is there twice"),
        (["residual"], [0], "residual is compared with attention, which is left out"),
        (["baseline"], [0], "baseline is the recipe as it is written"),
    ],
)
def test_plans_that_cannot_be(variants: list[str], seeds: list[int], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan(RECIPE, variants, seeds, {}, public.discover())


def test_every_variant_is_checked_before_anything_runs() -> None:
    with pytest.raises(public.RecipeError, match="ablation attention"):
        plan(RECIPE, ["wide", "attention"], [0], {"generator.width": 4}, public.discover())


def test_crossed_variants_change_both_and_quarrels_are_refused() -> None:
    registry = public.discover()
    crossed = plan(RECIPE, ["attention", "attention+wide"], [0], {}, registry).variants[2]
    assert (crossed.recipe.generator.width, type(crossed.recipe.generator.attention).__name__) == (16, "SelfAttention")
    assert crossed.against == BASELINE
    with pytest.raises(public.RecipeError, match="cannot be crossed"):
        plan(RECIPE, ["attention+residual"], [0], {}, registry)


def test_a_recipe_without_evaluation_is_scored_by_the_kernel_distance(tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    path.write_text(
        re.sub(r"(?s)\[evaluation\].*?\[ablation", "[ablation", RECIPE.read_text(), count=1).replace(
            "[ablation.live.set]\n", ""
        )
    )
    path.write_text(path.read_text().replace('"evaluation.weights" = "live"\n', ""))
    evaluation = plan(path, ["attention"], [0], {}, public.discover()).variants[0].recipe.evaluation
    assert evaluation is not None
    assert (list(evaluation.metrics), evaluation.n, evaluation.every) == (["kernel"], 1_000, 16)


def test_all_files_say_the_same(wanted: Plan, tmp_path: Path) -> None:
    results = cells(wanted, lambda name, seed: seed + len(name) / 7)
    table = tabulate(wanted, results)
    paths = {path.name: path for path in write(table, results, tmp_path, "ganblocks ablate it")[0]}
    lines = list(csv.DictReader(io.StringIO(paths["table.csv"].read_text())))
    assert len(lines) == len(table.rows) * len(table.columns)
    end = next(line for line in lines if line["variant"] == "attention" and line["moment"] == "end")
    known = row_of(table, "attention").scores["end"]
    assert known is not None
    assert (float(end["mean"]), float(end["low"]), float(end["high"])) == (known.mean, known.low, known.high)
    raw = list(csv.DictReader(io.StringIO(paths["cells.csv"].read_text())))
    assert len(raw) == 3 * 5 * len(MOMENTS) * 2
    document = json.loads(paths["table.json"].read_text())
    assert document["rows"][1]["scores"]["end"]["mean"] == known.mean
    assert document["verdicts"] == table.verdicts()
    text = paths["table.md"].read_text()
    assert "`ganblocks ablate it`" in text
    assert all(verdict in text for verdict in table.verdicts())
    with Image.open(paths["plot.png"]) as picture:
        assert picture.size == (960, 600)


def test_latex_is_a_tabular_of_as_many_cells_in_every_line(wanted: Plan) -> None:
    text = latex(tabulate(wanted, cells(wanted, lambda name, seed: float(seed))))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert columns is not None
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(columns[1])}
    assert not re.search(r"(?<!\\)[%#_]", text)


@given(st.lists(finite, min_size=1, max_size=5))
def test_a_mean_is_written_as_exactly_as_its_interval(values: list[float]) -> None:
    from ganblocks.study.statistics import estimate

    found = estimate(values)
    assert found is not None
    text = interval(found)
    if found.half is None:
        assert float(text) == pytest.approx(found.mean, rel=1e-3)
    else:
        mean, half = text.split(" ± ")
        assert len(mean.partition(".")[2]) == len(half.partition(".")[2])
        assert float(half) == pytest.approx(found.half, rel=0.01, abs=1e-6)


def test_what_would_be_a_difference_alone_is_none_among_several(tmp_path: Path) -> None:
    recipe = tmp_path / "study.toml"
    recipe.write_text(RECIPE.read_text() + '\n[ablation.again.set]\n"*.attention" = "self_attention"\n')
    several = plan(recipe, ["attention", "again"], range(3), {}, public.discover())
    gaps = {"attention": [1.0, 1.5, 2.5], "again": [0.1, -0.2, 0.3]}
    table = tabulate(several, cells(several, lambda name, seed: gaps.get(name, [0, 0, 0])[seed]))
    row = row_of(table, "attention")
    assert row.difference is not None
    assert row.difference.p is not None
    assert row.difference.p < 0.08
    assert row.comparisons == 2
    gaps["attention"] = [1.0, 1.4, 1.9]
    words = tabulate(several, cells(several, lambda name, seed: gaps.get(name, [0, 0, 0])[seed])).verdicts()[0]
    assert "no difference shown" in words
    assert "Alone it would be one; among 2 comparisons it is not." in words


def lacking(result: Result, last: bool) -> Result:
    """The cell without its score, at the end or at every moment."""
    places = [len(result.reports) - 1] if last else range(len(result.reports))
    reports = [attrs.evolve(each, scores=()) if i in places else each for i, each in enumerate(result.reports)]
    return attrs.evolve(result, reports=tuple(reports))


@pytest.mark.parametrize("last", [True, False])
def test_an_end_that_could_not_be_scored_is_no_earlier_moment(wanted: Plan, last: bool) -> None:
    """Of seed 2 the end is not known: it is in no mean and no pair, and the words say so."""
    whole = cells(wanted, lambda name, seed: seed + 0.01 * seed * (name == "attention"))
    spoilt = [lacking(each, last) if (each.variant, each.seed) == ("attention", 2) else each for each in whole]
    table = tabulate(wanted, spoilt)
    row = row_of(table, "attention")
    assert (row.unscored, row.missing, row.scores["end"], row.scores["equal time"]) == (1, 0, None, None)
    assert row.difference is not None
    assert row.difference.estimate.n == 4
    assert row.difference.estimate.mean == pytest.approx(0.01 * (0 + 1 + 3 + 4) / 4)
    assert "1 of 5 have no such score at their end" in table.verdicts()[0]
    assert (row.scores["24 images"] is None) != last


def test_rows_that_are_no_better_than_noise_are_named(wanted: Plan) -> None:
    """Noise scores 9: the baseline's mean is above it, and that of attention below."""
    table = tabulate(
        wanted, cells(wanted, lambda name, seed: {"baseline": 17.8, "attention": 8.9, "wide": 9.0}[name] + 0 * seed)
    )
    said = table.verdicts()[-1]
    assert said == "baseline, wide: no better than noise (kd[x] 9) at the end: not trained yet; do not compare."
    assert said in markdown(table, "ganblocks ablate it")
    rows = {row["variant"]: row["no_better_than_noise"] for row in document(table)["rows"]}
    assert rows == {"baseline": True, "attention": False, "wide": True}
    better = tabulate(wanted, cells(wanted, lambda name, seed: 5.0 + seed))
    assert not any("noise" in words for words in better.verdicts())


@pytest.mark.parametrize("name", ["table.md", "table.tex", "table.csv", "cells.csv", "table.json", "plot.png"])
def test_a_file_that_cannot_be_written_takes_no_other_with_it(name: str, wanted: Plan, tmp_path: Path) -> None:
    results = cells(wanted, lambda _, seed: float(seed))
    (tmp_path / name).mkdir()
    written, failed = write(tabulate(wanted, results), results, tmp_path, "ganblocks ablate it")
    files = {"table.md", "table.tex", "table.csv", "cells.csv", "table.json", "plot.png"}
    assert {path.name for path in written} == files - {name}
    assert all(path.is_file() for path in written)
    (words,) = failed
    assert words.startswith(f"{tmp_path / name}: not written: ")


def test_a_plot_that_fails_takes_no_table_with_it(wanted: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ImportError("no matplotlib")

    monkeypatch.setattr("ganblocks.study.writing.plot", fail)
    results = cells(wanted, lambda _, seed: float(seed))
    written, failed = write(tabulate(wanted, results), results, tmp_path, "ganblocks ablate it")
    assert len(written) == 5
    assert failed == [f"{tmp_path / 'plot.png'}: not written: ImportError: no matplotlib"]


def without_baseline(wanted: Plan) -> Table:
    """Of three variants the first has no number of its own: every seed of it diverged."""
    results = [each for each in cells(wanted, lambda name, seed: float(seed)) if each.variant != "baseline"]
    return tabulate(wanted, results)


def test_a_curve_bears_the_name_of_its_row_also_after_one_that_is_not_shown(
    wanted: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, list[float]]] = []

    def errorbar(self: Axes, x: object, y: list[float], *rest: object, label: str, **how: object) -> None:
        drawn.append((label, list(y)))

    monkeypatch.setattr(Axes, "errorbar", errorbar)
    table = without_baseline(wanted)
    plot(table, tmp_path / "plot.png")
    assert drawn == [(row.variant.name, [found.mean for _, found in row.curve]) for row in table.rows if row.curve]
    assert "baseline" not in [label for label, _ in drawn]


def test_what_is_printed_stands_under_its_heading(wanted: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tabulate(wanted, cells(wanted, lambda name, seed: float(seed)))
    columns, rows = grid(table)
    show_table(table, tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    head = next(line for line in lines if "variant" in line)
    for row in rows:
        said = next(line for line in lines if line.split()[:1] == [row[0]])
        start = head.index("parameters")
        place = columns.index("parameters")
        assert row[place] in said[start - 2 : start + len("parameters") + 2], (head, said)
