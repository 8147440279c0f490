"""The kit tested on liars: each breaks one promise, and that promise must say so in words that a stranger understands."""

from __future__ import annotations

import types
from collections.abc import Mapping

import pytest

import ganblocks
from ganblocks import BrokenPlugin, Registry, UnknownComponent
from ganblocks.kinds import KINDS
from ganblocks.testing import BrokenPromise, Check, checks_of, conformance
from ganblocks.testing.promises import PROMISES
from tests.testing.liars import CONTROLS, LIARS, Absent, HonestBlock, Widening


def plugin(components: Mapping[str, Mapping[str, type]]) -> types.ModuleType:
    """A module with hooks that offer these: kind -> name -> class."""
    module = types.ModuleType("toy_plugin")
    for kind, offered in components.items():

        def hook(offered: Mapping[str, type] = offered) -> Mapping[str, type]:
            return offered

        setattr(module, KINDS[kind].hook, ganblocks.hookimpl(hook))
    return module


def checks(kind: str, component: type, **options: object) -> dict[str, Check]:
    found = checks_of(plugin({kind: {"mine": component}}), ganblocks.discover(), **options)
    return {check.promise.name: check for check in found}


@pytest.mark.parametrize(("kind", "component", "promise", "found"), LIARS, ids=lambda part: getattr(part, "__name__", None))
def test_a_liar_is_found_out(kind: str, component: type, promise: str, found: str) -> None:
    verdict = checks(kind, component)[promise].verdict()
    assert verdict.status == "broken"
    assert found in verdict.found
    assert component.__name__ in verdict.example
    assert verdict.words.endswith(".")


def test_every_promise_has_a_liar() -> None:
    caught = {promise for _, _, promise, _ in LIARS}
    assert caught == {each.name for promises in PROMISES.values() for each in promises}


@pytest.mark.parametrize(("kind", "component"), CONTROLS, ids=lambda part: getattr(part, "__name__", part))
def test_a_control_keeps_every_promise(kind: str, component: type) -> None:
    for check in checks(kind, component).values():
        assert check.verdict().status != "broken", str(check.verdict())


def test_a_broken_promise_reads_well() -> None:
    @conformance(plugin({"attention": {"mine": HonestBlock}}))
    def test(check: Check) -> None: ...

    (mark,) = test.pytestmark
    assert mark.name == "parametrize"
    assert "attention-mine-takes_a_batch_of_one" in [each.id for each in mark.args[1]]
    wide = next(cls for _, cls, _, _ in LIARS if cls.__name__ == "Widening")
    with pytest.raises(BrokenPromise) as caught:
        checks("attention", wide)["has_the_shape_and_type_of_its_kind"]()
    text = str(caught.value)
    assert "attention mine: has_the_shape_and_type_of_its_kind is broken" in text
    assert "promise: The output has the shape and the type that the kind promises" in text
    assert "found:   output in training: torch.float64 for float32 inputs" in text
    assert "example: Widening() with channels 8, size 4×4, condition None, batch 2" in text
    assert Widening.__doc__


def test_what_needs_data_is_not_checked_and_says_so() -> None:
    verdict = checks("dataset", Absent)["holds_images_out"].verdict()
    assert (verdict.status, verdict.example) == ("not checked", "the disk is elsewhere")
    with pytest.raises(pytest.skip.Exception):
        checks("dataset", Absent)["holds_images_out"]()


def test_an_author_may_excuse_a_promise_with_a_reason() -> None:
    for key in ("is_described", "attention/mine/is_described"):
        verdict = checks("attention", HonestBlock, except_for={key: "described elsewhere"})["is_described"].verdict()
        assert (verdict.status, verdict.found) == ("not checked", "described elsewhere")


def test_plugins_go_by_owner_distribution_or_module() -> None:
    registry = ganblocks.discover()
    for name in ("losses", "ganblocks_losses"):
        assert {check.offer.kind for check in checks_of(name, registry)} == {"loss"}
    assert len({check.offer.kind for check in checks_of("GANBLOCKS", registry)}) == 16
    assert {check.offer.distribution for check in checks_of("ganblocks_losses", registry)} <= {"ganblocks", ""}
    with pytest.raises(UnknownComponent, match="no plugin, distribution or module is called 'absent_plugin'"):
        checks_of("absent_plugin", registry)
    with pytest.raises(BrokenPlugin, match="registers nothing"):
        checks_of(types.ModuleType("empty"), Registry([]))
