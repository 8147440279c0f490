"""Tables of classes: which tensors they are, and that a class takes its entries along to its number in another run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.assembly import Session, assemble
from ganblocks.recipe import Recipe
from ganblocks.testing import examples
from ganblocks.training.checkpoint import latest, load_tensors
from ganblocks.training.class_tables import Matching, carried, class_dimensions
from ganblocks.training.initialising import start_from
from ganblocks.values import Player
from tests.cli.commands import ROOT

BEFORE, AFTER = ("ant", "bee", "cat"), ("bee", "cat", "dog", "elk")
SHARED = {"bee": (1, 0), "cat": (2, 1)}
"""Class -> its number before and after."""
BIGGAN = {"use": "biggan", "width": 2, "latent": 6, "shared": 4, "multipliers": [1, 1], "attention_at": []}
VARIANTS: dict[str, dict[str, Any]] = {
    "tables and projection": {},
    "shared embedding and classifier": {"generator": BIGGAN, "discriminator.conditioning": "auxiliary_classifier"},
    "one-hot": {
        "generator": {"use": "acgan", "width": 2, "latent": 6},
        "discriminator": {"use": "acgan", "width": 2, "multipliers": [1, 1], "dropout": 0.0},
    },
    "embedding and inner product": {
        "generator": {"use": "r3gan", "width": 4, "latent": 6, "blocks": [1, 1], "group_width": 4},
        "discriminator": {"use": "r3gan", "width": 4, "blocks": [1, 1], "group_width": 4},
    },
    "proxies": {"discriminator.conditioning": {"use": "contrastive", "embedding": 4}},
}


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Recipe]:
    """A recipe on folders of such names."""
    root = tmp_path_factory.mktemp("data")

    def recipe(names: tuple[str, ...], **overrides: Any) -> Recipe:
        folder = root / "-".join(names)
        for seed, name in enumerate(names):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for place in range(3):
                pixels = np.random.default_rng([seed, place]).integers(0, 256, (8, 8), np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{place}.png")
        data = {"use": "image_folder", "path": str(folder), "size": 8, "channels": 1, "classes": len(names)}
        base: dict[str, Any] = {"data": data, "training.images": 16, "training.checkpoint_every": 16, "*.weight_norm": "none"}
        return read_recipe(ROOT / "tests" / "fixtures" / "study.toml", base | overrides)

    return recipe


def train(recipe: Recipe, out: Path, **more: Any) -> Path:
    public.run(recipe, out, "cpu", seed=1, **more)
    return out


def networks(session: Session) -> tuple[torch.nn.Module, torch.nn.Module]:
    return tuple(session.game.networks[player].eval() for player in Player)  # type: ignore[return-value]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_class_gives_the_same_images_and_scores_under_its_new_number(
    recipes: Callable[..., Recipe], tmp_path: Path, variant: str
) -> None:
    """Through both networks, whatever their tables look like; a class that is new has its own initial values."""
    changes = VARIANTS[variant]
    before = train(recipes(BEFORE, **changes), tmp_path / "before")
    old, new, fresh = (assemble(recipes(names, **changes), public.discover(), seed=7) for names in (BEFORE, AFTER, AFTER))
    old.game.load_state_dict(load_tensors(latest(before), "game"))
    with pytest.warns(UserWarning, match="by name") as caught:
        start_from(new, before, BEFORE)
    words = "bee, cat are taken over by name; dog, elk start anew; ant of the other run are left out"
    assert [str(each.message) for each in caught] == [f"the classes of {before} differ: {words}"]
    z, image = torch.randn(4, old.recipe.generator.latent), torch.rand(4, 1, 8, 8) * 2 - 1
    for then, now in SHARED.values():
        for x, ours, theirs in zip((z, image), networks(new), networks(old), strict=True):
            outputs = [network(x, torch.full((4,), label)) for network, label in ((ours, now), (theirs, then))]
            images, others = (each if isinstance(each, torch.Tensor) else each.logits for each in outputs)
            torch.testing.assert_close(images, others, rtol=1e-5, atol=1e-6)
    for player in Player:
        mine, theirs, own = (each.game.networks[player].state_dict() for each in (new, old, fresh))
        for name, dimension in class_dimensions(new, player).items():
            assert dimension is not None
            rest = mine[name].shape[dimension] - len(AFTER)
            for number, label in enumerate(AFTER):
                source, place = (theirs, BEFORE.index(label)) if label in SHARED else (own, number)
                expected = source[name].select(dimension, rest + place)
                assert torch.equal(mine[name].select(dimension, rest + number), expected), (name, label)


TABLES = {
    "tables and projection": (
        {f"block1.norm{n}.{part}": 0 for n in (1, 2) for part in ("gain", "bias")},
        {"head.embedding.weight": 0},
    ),
    "shared embedding and classifier": ({"embedding.weight": 0}, {"head.classes.weight": 0, "head.classes.bias": 0}),
    "one-hot": ({"linear.weight": 1}, {"head.classes.weight": 0, "head.classes.bias": 0}),
    "embedding and inner product": ({"embedding.weight": 0}, {"head.embedding.weight": 0}),
    "proxies": (
        {f"block1.norm{n}.{part}": 0 for n in (1, 2) for part in ("gain", "bias")},
        {"head.proxies.weight": 0},
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_tables_are_what_grows_with_the_classes(recipes: Callable[..., Recipe], variant: str) -> None:
    session = assemble(recipes(("a", "b", "c", "d"), **VARIANTS[variant]), public.discover())
    for player, expected in zip(Player, TABLES[variant], strict=True):
        assert class_dimensions(session, player) == expected


def test_a_size_that_happens_to_be_the_number_of_classes_is_no_table(recipes: Callable[..., Recipe]) -> None:
    """Two channels everywhere, and two classes; under spectral norm, whose u has an entry per class."""
    session = assemble(recipes(("a", "b"), **{"*.weight_norm": "spectral"}), public.discover())
    assert class_dimensions(session, Player.GENERATOR) == TABLES["tables and projection"][0]
    assert class_dimensions(session, Player.DISCRIMINATOR) == {"head.embedding.u": 0, "head.embedding.layer.weight": 0}


def test_classes_in_a_place_that_nobody_tells_start_anew(
    recipes: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A one-hot class beside other inputs may stand before or behind them."""
    before = train(recipes(BEFORE, **VARIANTS["one-hot"]), tmp_path / "before")
    monkeypatch.setattr("ganblocks.training.class_tables.AppendsClasses", Exception)
    with pytest.warns(UserWarning, match=r"1 of \d+ tensors of the generator start anew: linear\.weight"):
        train(recipes(AFTER, **VARIANTS["one-hot"]), tmp_path / "after", init_from=before)


def test_the_same_classes_are_taken_over_without_a_word(recipes: Callable[..., Recipe], tmp_path: Path) -> None:
    before = train(recipes(BEFORE), tmp_path / "before")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(recipes(BEFORE), tmp_path / "after", init_from=before)


def test_as_many_classes_of_other_names_are_others(recipes: Callable[..., Recipe], tmp_path: Path) -> None:
    """Shapes are the same, and so were all tables, before names counted."""
    before = train(recipes(BEFORE), tmp_path / "before")
    session, fresh = (assemble(recipes(("x", "y", "z")), public.discover(), seed=3) for _ in range(2))
    with pytest.warns(UserWarning, match=r"x, y, z start anew; ant, bee, cat of the other run are left out"):
        start_from(session, before, BEFORE)
    for name in TABLES["tables and projection"][0]:
        ours, own = (each.game.networks[Player.GENERATOR].state_dict()[name] for each in (session, fresh))
        assert torch.equal(ours, own)


def test_without_names_classes_go_by_number_and_that_is_said(recipes: Callable[..., Recipe], tmp_path: Path) -> None:
    """A run of before names were kept."""
    before = train(recipes(BEFORE), tmp_path / "before")
    (before / "provenance.json").write_text("{}")
    with pytest.warns(UserWarning, match="have no names: they are matched by number"):
        train(recipes(("x", "y", "z")), tmp_path / "after", init_from=before)


NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


@examples(60)
@given(ours=NAMES, theirs=NAMES, before=st.integers(0, 3), dimension=st.integers(0, 2), seed=st.integers(0, 9))
def test_entries_go_by_name(ours: list[str], theirs: list[str], before: int, dimension: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)

    def table(count: int) -> torch.Tensor:
        shape = [2, 3, 4]
        shape[dimension] = before + count
        return torch.randn(shape, generator=rng)

    mine, other = table(len(ours)), table(len(theirs))
    found = carried(mine, other, dimension, Matching(ours, theirs))
    if not set(ours) & set(theirs):
        assert found is None
        return
    assert found is not None
    for place in range(before):
        assert torch.equal(found.select(dimension, place), other.select(dimension, place))
    for number, name in enumerate(ours):
        source, place = (other, theirs.index(name)) if name in theirs else (mine, number)
        assert torch.equal(found.select(dimension, before + number), source.select(dimension, before + place))
    assert carried(mine, other[..., None], dimension, Matching(ours, theirs)) is None
    assert carried(mine, other.repeat(2, 2, 2), dimension, Matching(ours, theirs)) is None
