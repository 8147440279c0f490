"""Every hint of ``check`` leads to a recipe that passes, or says that nothing helps: each is followed to the letter.

Sizes have a file of their own, tests/test_followed_sizes.py.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ganblocks import Registry, Site, discover
from tests.cli.commands import ROOT
from tests.following import followed, mistakes_of, put, recipe_of

ATTENTION = {"generator.attention_at": [16]}
GRADIENTS = {"penalties": {"r1": {"weight": 1.0}}, "discriminator.attention_at": [16]}
TTUR = {"update.use": "ttur", "update.discriminator.rate": 1e-4}
R3GAN = {"generator.use": "r3gan", "generator.norm": None, "discriminator.use": "r3gan"}
CASES: dict[str, dict[str, Any]] = {
    "resnet, attention": {"generator.attention_at": [12], "discriminator.attention_at": [4, 32]},
    "resnet, attention on a rectangle": {"data.size": [32, 64], "generator.attention_at": [64]},
    "resnet, multipliers": {"generator.multipliers": [4, 2]},
    "resnet, multipliers at 96": {"data.size": 96, "generator.multipliers": [4, 2, 1]},
    "resnet, more multipliers": {"generator.multipliers": [4, 4, 4, 4, 4, 2, 1]},
    "resnet, too many pixels": {"data.size": 1024, "generator.width": 1, "discriminator.width": 1},
    "resnet, halvings": {"discriminator.halvings": 5},
    "resnet, halvings of 48": {"data.size": 48, "discriminator.halvings": 5, "discriminator.multipliers": [1, 1, 1, 1, 1]},
    "dcgan, attention": {"generator.use": "dcgan", "generator.attention_at": [32]},
    "acgan, multipliers": {"generator.use": "acgan", "generator.multipliers": [2, 1]},
    "acgan, too many pixels": {"generator.use": "acgan", "data.size": 256},
    "acgan, too few pixels": {"discriminator.use": "acgan", "data.size": 8, "discriminator.padding": 0},
    "acgan, a map that is too small": {"discriminator.use": "acgan", "data.size": 4},
    "r3gan, widths": R3GAN | {"generator.widths": [8, 8]},
    "r3gan, blocks": R3GAN | {"generator.blocks": [1, 1, 1, 1, 1, 1]},
    "r3gan, groups": R3GAN | {"generator.group_width": 12, "discriminator.group_width": 12},
    "biggan, latent": {"generator.use": "biggan", "generator.norm": "conditional_batch", "generator.latent": 81},
    "biggan, nothing is heard": {"generator.use": "biggan"},
    "biggan, no embedding": {"generator.use": "biggan", "generator.norm": "conditional_batch", "generator.shared": 0},
    "norm without classes": {"data.classes": 0, "generator.norm": "conditional_batch"},
    "last norm without classes": {"data.classes": 0, "generator.final_norm": "conditional_batch"},
    "gain that silences": {"generator.use": "biggan", "generator.norm": {"use": "conditional_batch", "gain": "direct"}},
    "groups": {"generator.norm": {"use": "group", "groups": 5}},
    "one value": {"data.size": 2, "generator.norm": "instance"},
    "one value in a layer": {"data.size": 2, "generator.width": 1, "generator.norm": "layer"},
    "projection without classes": {"data.classes": 0, "discriminator.conditioning": "projection"},
    "classifier without classes": {"data.classes": 0, "discriminator.conditioning": "auxiliary_classifier"},
    "contrast without classes": {"data.classes": 0, "discriminator.conditioning": "contrastive"},
    "data to data without classes": {"data.classes": 0, "discriminator.conditioning": "data_to_data"},
    "self_attention, channels": ATTENTION | {"generator.width": 12},
    "self_attention, values": ATTENTION | {"generator.attention": {"use": "self_attention", "value_ratio": 3}},
    "self_attention, pool": ATTENTION | {"generator.attention": {"use": "self_attention", "pool": 3}},
    "self_attention, odd map": {"data.size": 28, "discriminator.attention_at": [7]},
    "self_attention, one key": ATTENTION | {"generator.attention": {"use": "self_attention", "pool": 16}},
    "self_attention, fused": GRADIENTS | {"discriminator.attention": {"use": "self_attention", "path": "fused"}},
    "multi_head, fused": GRADIENTS | {"discriminator.attention": {"use": "multi_head", "path": "fused"}},
    "multi_head, heads": ATTENTION | {"generator.attention": {"use": "multi_head", "heads": 5}},
    "multi_head, pool": ATTENTION | {"generator.attention": {"use": "multi_head", "pool": 5}},
    "multi_head, one key": ATTENTION | {"generator.attention": {"use": "multi_head", "pool": 16}},
    "multi_head, positions": ATTENTION
    | {"generator.width": 6, "generator.attention": {"use": "multi_head", "heads": 2, "positions": "sinusoidal"}},
    "non_local, channels": ATTENTION | {"generator.attention": {"use": "non_local", "reduction": 7}},
    "linear, one channel": ATTENTION | {"generator.attention": {"use": "linear", "reduction": 16}},
    "windowed, window": ATTENTION | {"generator.attention": {"use": "windowed", "window": 5}},
    "windowed, odd map": {"data.size": 28, "discriminator.attention_at": [7], "discriminator.attention": "windowed"},
    "residual, like nothing": ATTENTION | {"generator.attention": {"use": "residual", "like": {"use": "attention:none"}}},
    "residual, no width fits": ATTENTION
    | {"generator.width": 4, "generator.attention": {"use": "residual", "like": {"use": "linear", "reduction": 2}}},
    "global_context, reduction": ATTENTION | {"generator.attention": {"use": "global_context", "reduction": 7}},
    "global_context, narrow": ATTENTION | {"generator.attention": {"use": "global_context", "reduction": 64}},
    "squeeze_excitation, channels": ATTENTION | {"generator.width": 15, "generator.attention": "squeeze_excitation"},
    "squeeze_excitation, two widths": ATTENTION
    | {"generator.attention": {"use": "squeeze_excitation", "reduction": 4, "like": "linear"}},
    "squeeze_excitation, like nothing": ATTENTION
    | {"generator.attention": {"use": "squeeze_excitation", "like": {"use": "attention:none"}}},
    "squeeze_excitation, no width fits": ATTENTION
    | {"generator.attention": {"use": "squeeze_excitation", "like": {"use": "windowed", "heads": 1, "head_width": 1}}},
    "frozen, too much": {"discriminator": {"use": "frozen", "blocks": 9, "network": {"use": "resnet", "conditioning": "none"}}},
    "frozen, no such part": {
        "discriminator": {"use": "frozen", "names": ["blok"], "network": {"use": "resnet", "conditioning": "none"}}
    },
    "frozen, all": {"discriminator": {"use": "frozen", "blocks": 5, "network": {"use": "resnet", "conditioning": "none"}}},
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover()


UNREACHABLE = {
    "inner_product.py",  # a discriminator's head gets classes or nothing
    "site.py",  # a weight norm that refuses a layer; no shipped network has such a layer
}


def test_what_check_says_works(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each alternative of each hint, one after another, until the recipe passes; and no line that raises is left out.

    One test, because the lines that the cases have reached can only be counted together.
    """
    met = noted_refusals(monkeypatch)
    for case, changes in CASES.items():
        trails = list(followed(recipe_of(changes), tmp_path, registry))
        assert trails[0].said, f"{case}: there is no mistake"
        for trail in trails:
            assert trail.passed, "\n".join((case, *trail.said))
    missed = {line for line in refusals() if line[0].name not in UNREACHABLE and line not in met}
    assert not missed, "whoever writes another refusal adds a case"


def noted_refusals(monkeypatch: pytest.MonkeyPatch) -> set[tuple[Path, int]]:
    """(file, line) of every refusal from now on."""
    seen: set[tuple[Path, int]] = set()
    make_error = Site.error

    def noted(self: Site, *args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        file = Path(frame.f_code.co_filename)
        seen.update((file, line) for line in lines_of_call(file, frame.f_lineno))
        return make_error(self, *args, **kwargs)

    monkeypatch.setattr(Site, "error", noted)
    return seen


def lines_of_call(file: Path, line: int) -> list[int]:
    """The first line of the refusal around a line."""
    return [node.lineno for node in calls(file) if node.lineno <= line <= (node.end_lineno or node.lineno)]


def refusals() -> set[tuple[Path, int]]:
    """(file, line) of every refusal in the core and the shipped plugins."""
    files = [ROOT / "ganblocks" / "site.py", *(ROOT / "plugins").glob("*/ganblocks_*/**/*.py")]
    return {(file, node.lineno) for file in files for node in calls(file)}


@cache
def calls(file: Path) -> list[ast.Call]:
    """Calls of Site.error, which has a rule as its argument."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "error" and node.args]


SLOWER = TTUR | {"update.discriminator.rate": 5e-5}
MOVING = TTUR | {"update.discriminator.rate": {"use": "linear", "start": 4e-4, "end": 0.0}}
CONSENSUS = {"update.use": "consensus", "update.weight": 0.0}
WASSERSTEIN = {"loss.use": "wasserstein", "discriminator.weight_norm": "spectral"}
COMPLAINTS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (TTUR, "a larger rate than update.generator (SAGAN: 4e-4 and 1e-4)", {"update.discriminator.rate": 4e-4}),
    (TTUR, 'or use "alternating"', {"update.use": "alternating"}),
    (SLOWER, "the larger rate (SAGAN: 4e-4 and 1e-4)", {"update.discriminator.rate": 4e-4}),
    (SLOWER, 'or use "alternating"', {"update.use": "alternating"}),
    (
        MOVING,
        "give both optimizers constant rates, and the schedule to update.rate_factor",
        {"update.discriminator.rate": 4e-4, "update.rate_factor": {"use": "linear", "start": 1.0, "end": 0.0}},
    ),
    (CONSENSUS, "give update.weight a number above 0 (10)", {"update.weight": 10.0}),
    (CONSENSUS, 'or use "simultaneous"', {"update.use": "simultaneous", "update.weight": None}),
    (WASSERSTEIN, 'use loss "hinge"', {"loss.use": "hinge"}),
    (
        WASSERSTEIN,
        'or weight_norm "none" for the discriminator and the penalty "gradient_penalty"',
        {"discriminator.weight_norm": "none", "penalties": {"gradient_penalty": {"weight": 10.0}}},
    ),
    ({"data.augment": "ada"}, "use it as discriminator.augment", {"data.augment": None, "discriminator.augment": "ada"}),
]
LOOKAHEAD = {"use": "lookahead", "rule": {"use": "alternating", "generator": "adam", "discriminator": "adam"}}
INNER = {"update": LOOKAHEAD["rule"]}
COMPLAINTS += [
    ({"update": LOOKAHEAD | {"alpha": 1.0}}, "give update.alpha a share below 1 (0.5)", {"update.alpha": 0.5}),
    ({"update": LOOKAHEAD | {"alpha": 1.0}}, "or use the inner rule alone", INNER),
    ({"update": LOOKAHEAD | {"steps": 1}}, "give update.steps at least 2", {"update.steps": 2}),
    ({"update": LOOKAHEAD | {"steps": 1}}, "or use the inner rule alone, at lower rates", INNER),
    (
        {"update": LOOKAHEAD | {"steps": 5, "rule": LOOKAHEAD | {"steps": 2}}},
        "give update.steps a multiple of update.rule.steps",
        {"update.steps": 6},
    ),
]


@pytest.mark.parametrize(("wrong", "words", "remedy"), COMPLAINTS)
def test_what_a_component_complains_of_goes_with_the_remedy_that_it_names(
    wrong: dict[str, Any], words: str, remedy: dict[str, Any], registry: Registry, tmp_path: Path
) -> None:
    table = recipe_of(wrong)
    assert any(words in mistake.rule for mistake in mistakes_of(table, tmp_path, registry))
    for path, value in remedy.items():
        put(table, path, value)
    assert not mistakes_of(table, tmp_path, registry)
