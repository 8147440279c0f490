"""What compares samples with each other needs some of them: refused where there are too few, by a remedy that works."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
import torch
from ganblocks_conditionings.auxiliary_classifier import AuxiliaryClassifier
from ganblocks_conditionings.contrastive import Contrastive, contrast
from ganblocks_conditionings.data_to_data import DataToData, cross_entropy
from ganblocks_penalties.dragan import Dragan

import ganblocks as public
from ganblocks import CouplesSamples, Facts, ImageSpec, RecipeError, read_recipe
from ganblocks.assembly import check
from tests.cli.commands import ROOT

REGISTRY = public.discover()
STUDY = ROOT / "tests" / "fixtures" / "study.toml"
NEEDY: dict[str, dict[str, Any]] = {
    "discriminator.conditioning": {"discriminator.conditioning": "contrastive"},
    "discriminator.conditioning ": {"discriminator.conditioning": "data_to_data"},
    "loss": {"loss": "relativistic_average"},
    "generator.norm": {"generator.norm": "batch"},
    "generator.norm ": {"generator.norm": "conditional_batch"},
    "discriminator.norm": {"discriminator.norm": "batch"},
}
"""Where the complaint must stand -> what asks for it."""


@pytest.mark.parametrize(
    "sizes",
    [
        {"training.batch": 8, "training.microbatch": 1},
        {"training.batch": 15, "training.microbatch": 1},
        {"training.batch": 1},
        {"training.batch": 1, "training.microbatch": 1},
        {"training.batch": 7, "training.microbatch": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("place", NEEDY)
def test_too_few_samples_are_refused_and_the_remedy_works(place: str, sizes: dict[str, int]) -> None:
    wanted = {"generator.norm": "none", "generator.final_norm": "none", **NEEDY[place], **sizes}
    with pytest.raises(RecipeError, match="1 at once is too few, and 2 are needed") as caught:
        check(read_recipe(STUDY, wanted), REGISTRY)
    (mistake,) = caught.value.mistakes
    assert mistake.where == place.strip()
    name, value = re.findall(r"set (training\.\w+) = ([\w.]+)", mistake.rule)[0]
    remedy = {name: sizes["training.batch"] if value == "training.batch" else int(value)}
    if "training.microbatch with it" in mistake.rule:
        remedy["training.microbatch"] = remedy["training.batch"]
    check(read_recipe(STUDY, wanted | remedy), REGISTRY)


@pytest.mark.parametrize("name", ["contragan", "reacgan", "sagan", "dcgan"])
def test_shipped_recipes_refuse_single_images(name: str) -> None:
    for sizes in ({"training.batch": 1}, {"training.microbatch": 1}):
        with pytest.raises(RecipeError, match="too few"):
            check(read_recipe(ROOT / "recipes" / f"{name}.toml", sizes), REGISTRY)


def test_nothing_else_minds_single_images() -> None:
    wanted = {"generator.norm": "none", "generator.final_norm": "none", "loss": "relativistic_paired"}
    check(read_recipe(STUDY, wanted | {"training.batch": 1}), REGISTRY)


@pytest.mark.parametrize("component", [Contrastive(), DataToData(), AuxiliaryClassifier()])
@pytest.mark.parametrize("classes", [1, 2])
def test_one_class_cannot_be_told_from_others(component: Any, classes: int) -> None:
    found = list(component.check(Facts(ImageSpec(1, 8, classes), (), 8)))
    assert len(found) == (classes == 1)
    assert all("the term is 0 at every step" in words for words in found)


def test_the_reason_that_is_given_is_true() -> None:
    """By the functions themselves: a term of one image, and of one class, is 0."""
    rng = torch.Generator().manual_seed(0)
    for count, classes in ((1, 5), (4, 1)):
        embedded, proxies = (torch.nn.functional.normalize(torch.randn(count, 6, generator=rng)) for _ in range(2))
        label = torch.randint(classes, (count,), generator=rng)
        assert float(contrast(embedded, proxies, label, 1.0)) == pytest.approx(0, abs=1e-6)
        assert float(cross_entropy(embedded, proxies, label, 0.5, 0.98, 0.02)) == pytest.approx(0, abs=1e-6)


def test_what_couples_samples_says_so() -> None:
    """All of the built-in ones; the conformance kit asks the others whether they should."""
    coupling = {
        offer.name
        for kind in ("loss", "conditioning", "penalty")
        for offer in REGISTRY.offers(kind)
        if issubclass(offer.resolve(), CouplesSamples)
    }
    assert coupling == {"relativistic_average", "contrastive", "data_to_data", "dragan"}
    assert attrs.has(Dragan)


@pytest.mark.parametrize(("batch", "microbatch", "together"), [(8, None, 8), (8, 2, 2), (None, None, None)])
def test_how_many_meet(batch: int | None, microbatch: int | None, together: int | None) -> None:
    facts = Facts(ImageSpec(1, 8), (), batch, microbatch)
    assert facts.together == together
    assert not facts.too_few(2)
    assert bool(facts.too_few(9)) == (together is not None)
