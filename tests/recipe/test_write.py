"""A recipe that is written reads back equal, whatever it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.recipe import Recipe, read_recipe, write_recipe
from ganblocks.recipe.schema import Ablation, Averaging, Data, DiscriminatorPlayer, PenaltyTerm, Training
from ganblocks.schedules import Constant, Cosine, LinearSchedule, Moving, WarmUp
from ganblocks.testing import examples

counts = st.integers(1, 10**9)
positive = st.floats(1e-9, 1e6)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True)
text = st.text(st.characters(codec="utf-8"), max_size=20)
lines = st.builds(LinearSchedule, start=positive, end=positive, images=st.none() | counts)
waves = st.builds(Cosine, start=positive, end=positive, images=st.none() | counts)
rates: st.SearchStrategy[Moving] = st.one_of(
    st.builds(Constant, positive), lines, waves, st.builds(WarmUp, images=counts, then=lines | waves)
)
plain = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3),
)


def recipes(toys: Any) -> st.SearchStrategy[Recipe]:
    part = toys.get
    attentions = st.builds(part("attention", "look"), heads=counts, reduction=counts) | st.builds(part("attention", "none"))
    norms = st.builds(part("norm", "scale"), groups=counts, gain=positive) | st.builds(part("norm", "none"))
    augments = st.none() | st.builds(part("augment", "flip"), probability=positive)
    optimizers = st.builds(part("optimizer", "descent"), rate=rates, betas=st.tuples(positive, positive))
    judges = st.builds(part("discriminator", "judge"), widths=st.lists(counts, max_size=3).map(tuple), attention=attentions)
    terms = st.builds(PenaltyTerm, penalty=st.builds(part("penalty", "slope"), target=positive), weight=rates, every=counts)
    return st.builds(
        Recipe,
        title=text,
        paper=text,
        data=st.builds(
            Data,
            dataset=st.builds(part("dataset", "pictures"), size=st.sampled_from([16, 32])),
            fake_classes=st.sampled_from(["data", "uniform"]),
            augment=augments,
        ),
        generator=st.builds(part("generator", "maker"), latent=counts, attention=attentions, norm=norms),
        discriminator=st.builds(DiscriminatorPlayer, network=judges, augment=augments),
        loss=st.builds(part("loss", "simple")),
        penalties=st.dictionaries(names, terms, max_size=2),
        update=st.builds(part("update_rule", "turns"), generator=optimizers, discriminator=optimizers, steps=counts),
        average=st.builds(Averaging, decay=st.floats(0, 1), start=st.integers(0, 10**9)),
        training=st.builds(
            Training, images=counts, batch=counts, precision=st.sampled_from(["fp32", "bf16"]), samples_every=st.none() | counts
        ),
        ablation=st.dictionaries(
            names,
            st.builds(
                Ablation,
                set=st.dictionaries(text.map(lambda key: f"a.{key}"), plain),
                remove=st.lists(text, max_size=2).map(tuple),
            ),
            max_size=2,
        ),
    )


@pytest.mark.statement(102)
def test_round_trip(toys: Any, tmp_path: Path) -> None:
    @examples(50)
    @given(recipes(toys))
    def check(recipe: Recipe) -> None:
        written = write_recipe(recipe, toys)
        (tmp_path / "x.toml").write_bytes(written.encode())
        again = read_recipe(tmp_path / "x.toml", registry=toys)
        assert again == recipe
        assert write_recipe(again, toys) == written

    check()


def test_a_resolved_recipe_says_every_default(read: Callable[..., Recipe], toys: Any) -> None:
    written = write_recipe(read(), toys)
    for line in (
        "latent = 6",
        "groups = 4",
        "rate = 0.01",
        "every = 1",
        'use = "slope"',
        "decay = 0.999",
        'fake_classes = "data"',
    ):
        assert line in written.split("\n"), line


def test_an_ablated_recipe_keeps_its_ablations(read: Callable[..., Recipe], toys: Any) -> None:
    ablated = read(ablation="plain")
    assert read(write_recipe(ablated, toys)) == ablated
    assert ablated.ablation == read().ablation
