"""Listing commands: what they say."""

from __future__ import annotations

import json

import pytest

import ganblocks as public
from tests.cli.commands import ganblocks


def test_every_public_word_exists() -> None:
    assert all(getattr(public, name) is not None for name in public.__all__)
    assert public.__all__ == sorted(public.__all__, key=lambda name: (not name[0].isupper(), name))


def test_list_names_every_component_with_its_owner() -> None:
    offers = json.loads(ganblocks("list", "--json").stdout)
    names = {(offer["kind"], offer["name"]) for offer in offers}
    expected = {
        "attention": "self_attention residual none",
        "norm": "batch conditional_batch instance layer group none",
        "weight_norm": "spectral none",
        "initialization": "xavier orthogonal normal",
        "loss": "hinge non_saturating minimax least_squares wasserstein relativistic_paired relativistic_average",
        "penalty": "gradient_penalty r1 r2",
        "conditioning": "projection none",
        "update_rule": "ttur alternating simultaneous",
        "optimizer": "adam",
        "generator": "resnet",
        "discriminator": "resnet",
        "dataset": "emoji digits image_folder cifar10",
        "augment": "flip diffaug",
    }
    assert {(kind, name) for kind, words in expected.items() for name in words.split()} <= names
    assert {offer["distribution"] for offer in offers} == {"ganblocks"}
    only = ganblocks("list", "loss").stdout
    assert "hinge" in only
    assert "resnet" not in only


def test_show_says_what_a_component_is_and_takes() -> None:
    done = ganblocks("show", "attention", "self_attention")
    for words in ("attention:self_attention", "1805.08318", "reduction", "value_ratio", "at least 1", '"auto"', "softmax"):
        assert words in done.stdout
    facts = json.loads(ganblocks("show", "optimizer", "adam", "--json").stdout)
    rate = next(option for option in facts["options"] if option["name"] == "rate")
    assert rate["type"] == "a number or a schedule"
    assert rate["range"]
    options = json.loads(ganblocks("show", "generator", "resnet", "--json").stdout)["options"]
    sockets = {option["name"]: option["type"] for option in options}
    assert sockets["norm"] == "norm component"


def test_list_has_a_sentence_about_each_component() -> None:
    offers = json.loads(ganblocks("list", "--json").stdout)
    assert [offer["name"] for offer in offers if not offer["summary"].endswith(".")] == []
    for offer in offers[:3]:
        component = public.discover().get(offer["kind"], offer["name"])
        assert (component.__doc__ or "").split()[0] == offer["summary"].split()[0]
    assert offers[0]["summary"].split(".")[0][:40] in ganblocks("list").stdout


def test_show_without_a_name_lists_the_kind() -> None:
    assert ganblocks("show", "loss").stdout == ganblocks("list", "loss").stdout


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [
        ("loss", "hinge", 'loss = "hinge"'),
        ("norm", "group", 'generator.norm = { use = "group", groups = 8, eps = 1e-05 }'),
        ("metric", "kernel", 'evaluation.metrics.kernel = { use = "kernel", subsets = 100, subset = 1000 }'),
        ("optimizer", "sgd", 'update.generator = { use = "sgd", rate = 0.01'),
    ],
)
def test_show_ends_with_a_line_for_a_recipe(kind: str, name: str, line: str) -> None:
    done = ganblocks("show", kind, name)
    assert f"in a recipe: {line}" in done.stdout
    assert "``" not in done.stdout
    assert "Options:" not in done.stdout


def test_every_component_can_be_shown() -> None:
    registry = public.discover()
    from ganblocks.options.describe import describe

    for offer in registry.offers():
        component = offer.resolve()
        assert component.__doc__, offer
        assert all(option.type for option in describe(component))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "attenton"], "did you mean 'attention'"),
        (["show", "attention", "self_atention"], "did you mean"),
        (["lst"], "lst"),
        (["list", "--jsn"], "--jsn"),
        (["run", "absent.toml"], "absent.toml"),
        (["check", "recipes/sagan.toml", "--set", "training.images"], "path=value"),
        (["check", "recipes/sagan.toml", "--ablation", "residul"], "residual"),
        (["sample", "absent"], "absent"),
    ],
)
def test_a_user_s_mistake_ends_with_a_hint_and_no_traceback(arguments: list[str], words: str) -> None:
    done = ganblocks(*arguments)
    assert done.returncode == (3 if arguments[0] == "sample" else 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in ganblocks("--debug", "list", "attenton").stderr


def test_markup_in_a_message_is_printed_as_it_is() -> None:
    assert "'[bold]x'" in ganblocks("list", "[bold]x").stderr
