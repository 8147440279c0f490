"""The curves of a report are those of the log."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.evaluation import MetricValue, Report
from ganblocks.report.curves import RECORDS, charts, thinned


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=900), st.integers(2, 300))
def test_a_thinned_curve_keeps_its_mean_and_its_ends(values: list[float], most: int) -> None:
    x, y = thinned([(8 * i, value) for i, value in enumerate(values)], most)
    assert len(x) == len(y) <= most or len(values) <= most
    assert x == sorted(x)
    assert min(values) - 1e-6 - 1e-4 * abs(min(values)) <= min(y)
    assert max(y) <= max(values) + 1e-6 + 1e-4 * abs(max(values))
    if len(values) <= most:
        assert y == pytest.approx(values, rel=1e-4, abs=1e-9)


def record(step: int, **numbers: float | None) -> dict[str, object]:
    return {"images": 8 * step, "step": step, "seconds": 0.5 * step, **numbers}


def test_each_number_is_in_one_chart() -> None:
    numbers = {
        "generator/loss": 1.0,
        "discriminator/real": 0.1,
        "gamma/generator.block1.attention": 0.2,
        "sigma/generator.block1.conv1": 1.5,
        "sigma/generator.block2.conv1": 2.5,
        "sigma/discriminator.block1.conv1": 1.1,
        "discriminator/gradient_penalty": 3.0,
    }
    made = charts({"run": [record(step, **numbers) for step in (1, 2)]}, {})
    curves = {(chart["title"], one["name"]): one["y"] for chart in made for one in chart["series"]}
    assert curves == {
        ("Losses", "generator loss"): [1.0, 1.0],
        ("The discriminator's outputs", "discriminator real"): [0.1, 0.1],
        ("γ of gated blocks", "generator.block1.attention"): [0.2, 0.2],
        ("Largest σ of a layer", "generator"): [2.5, 2.5],
        ("Largest σ of a layer", "discriminator"): [1.1, 1.1],
        ("discriminator: gradient penalty", "discriminator gradient penalty"): [3.0, 3.0],
        ("Speed", "images per second"): [16.0],
    }


def test_undone_steps_and_numbers_that_are_not_finite_are_no_points() -> None:
    log = [
        record(1, **{"generator/loss": 1.0}),
        {**record(2, **{"generator/loss": 9.0}), "undone": 1},
        record(3, **{"generator/loss": None}),
        record(4, **{"generator/loss": math.inf}),
        record(5, **{"generator/loss": 2.0}),
    ]
    (losses,) = [chart for chart in charts({"run": log}, {}) if chart["title"] == "Losses"]
    assert losses["series"] == [{"run": "run", "name": "generator loss", "x": [8, 40], "y": [1.0, 2.0]}]


def test_a_long_log_is_read_in_part() -> None:
    log = [record(step, **{"generator/loss": float(step)}) for step in range(1, 3 * RECORDS)]
    (losses,) = [chart for chart in charts({"run": log}, {}) if chart["title"] == "Losses"]
    (curve,) = losses["series"]
    assert len(curve["x"]) == 240
    assert curve["y"] == pytest.approx([x / 8 for x in curve["x"]], rel=1e-3)


def score(value: float, images: int, protocol: str) -> Report:
    return Report((MetricValue("kd", value, {"extractor": protocol}, "lower", 0.1, 9.0),), images=images)


def test_scores_have_their_controls_if_they_compare() -> None:
    same = {"a": [score(5.0, 8, "one"), score(3.0, 16, "one")], "b": [score(4.0, 16, "one")]}
    (chart,) = charts({}, same)
    assert [(one["run"], one["x"], one["y"]) for one in chart["series"]] == [("a", [8, 16], [5.0, 3.0]), ("b", [16], [4.0])]
    assert chart["lines"] == [{"name": "held-out real", "y": 0.1}, {"name": "noise", "y": 9.0}]
    (chart,) = charts({}, {**same, "b": [score(4.0, 16, "other")]})
    assert chart["lines"] == []
    assert len({one["name"] for one in chart["series"]}) == 2, "named by their protocols"
