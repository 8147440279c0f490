"""The kit tested on broken components: each lacks one property, whose check must fail with a clear message."""

from __future__ import annotations

import types
from collections.abc import Mapping

import pytest

import ganblocks
from ganblocks import BrokenPlugin, Registry, UnknownComponent
from ganblocks import testing as kit
from ganblocks.kinds import KINDS
from ganblocks.testing import Check, ConformanceError, checks_of, conformance
from ganblocks.testing.checks import PROPERTIES
from tests.testing.broken_components import BROKEN, CONTROLS, Absent, HonestBlock, Widening


def plugin(components: Mapping[str, Mapping[str, type | str]]) -> types.ModuleType:
    """A module with hooks that offer these: kind -> name -> class, or where it is."""
    module = types.ModuleType("toy_plugin")
    for kind, offered in components.items():

        def hook(offered: Mapping[str, type | str] = offered) -> Mapping[str, type | str]:
            return offered

        setattr(module, KINDS[kind].hook, ganblocks.hookimpl(hook))
    return module


def checks(kind: str, component: type | str, **options: object) -> dict[str, Check]:
    all_checks = checks_of(plugin({kind: {"mine": component}}), ganblocks.discover(), **options)
    return {check.tested.name: check for check in all_checks}


@pytest.mark.parametrize(("kind", "component", "name", "observed"), BROKEN, ids=lambda part: getattr(part, "__name__", None))
def test_a_broken_component_fails(kind: str, component: type, name: str, observed: str) -> None:
    verdict = checks(kind, component)[name].verdict()
    assert verdict.status == "broken"
    assert observed in verdict.observed
    assert component.__name__ in verdict.example
    assert verdict.statement.endswith(".")


def test_every_property_has_a_broken_component() -> None:
    caught = {name for _, _, name, _ in BROKEN} | {"is_a_component_of_its_kind"}  # below
    assert caught == {item.name for properties in PROPERTIES.values() for item in properties}


def test_every_kind_has_properties() -> None:
    assert set(PROPERTIES) == set(KINDS)
    for properties in PROPERTIES.values():
        names = [item.name for item in properties]
        assert len(names) == len(set(names)) > 4


@pytest.mark.parametrize(("kind", "component"), CONTROLS, ids=lambda part: getattr(part, "__name__", part))
def test_a_control_has_every_property(kind: str, component: type) -> None:
    for check in checks(kind, component).values():
        assert check.verdict().status != "broken", str(check.verdict())


def test_a_component_that_cannot_be_loaded_is_reported_once() -> None:
    target = "tests.testing.broken_components:Incomplete"
    first, *others = (check.verdict() for check in checks("attention", target).values())
    assert (first.property, first.status, first.example) == ("is_a_component_of_its_kind", "broken", target)
    assert "Incomplete lacks build, which every attention has" in first.observed
    assert {(verdict.status, verdict.observed) for verdict in others} == {("not checked", "the component cannot be loaded")}


def test_a_failure_reads_well() -> None:
    @conformance(plugin({"attention": {"mine": HonestBlock}}))
    def test(check: Check) -> None: ...

    (mark,) = test.pytestmark
    assert mark.name == "parametrize"
    assert "attention-mine-takes_a_batch_of_one" in [case.id for case in mark.args[1]]
    wide = next(cls for _, cls, _, _ in BROKEN if cls.__name__ == "Widening")
    with pytest.raises(ConformanceError) as caught:
        checks("attention", wide)["has_the_shape_and_type_of_its_kind"]()
    text = str(caught.value)
    assert "attention mine: has_the_shape_and_type_of_its_kind is broken" in text
    assert "property: The output has the shape and the type that the kind requires" in text
    assert "observed: output in training: torch.float64 for float32 inputs" in text
    assert "example: Widening() with batch 2, scale 1.0, channels 8, size 4×4, condition None" in text
    assert Widening.__doc__


def test_what_needs_data_is_not_checked_and_says_so() -> None:
    verdict = checks("dataset", Absent)["holds_images_out"].verdict()
    assert (verdict.status, verdict.example) == ("not checked", "the disk is elsewhere")
    with pytest.raises(pytest.skip.Exception):
        checks("dataset", Absent)["holds_images_out"]()


def test_an_author_may_excuse_a_property_with_a_reason() -> None:
    for key in ("is_described", "attention/mine/is_described"):
        verdict = checks("attention", HonestBlock, except_for={key: "described elsewhere"})["is_described"].verdict()
        assert (verdict.status, verdict.observed) == ("not checked", "described elsewhere")


def test_the_former_name_of_the_error_still_works() -> None:
    with pytest.warns(DeprecationWarning, match="use ganblocks.testing.ConformanceError"):
        assert kit.BrokenPromise is ConformanceError
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        kit.absent  # noqa: B018


def test_plugins_go_by_owner_distribution_or_module() -> None:
    registry = ganblocks.discover()
    for name in ("losses", "ganblocks_losses"):
        assert {check.offer.kind for check in checks_of(name, registry)} == {"loss"}
    assert {check.offer.kind for check in checks_of("GANBLOCKS", registry)} == set(KINDS)
    assert {check.offer.distribution for check in checks_of("ganblocks_losses", registry)} <= {"ganblocks", ""}
    with pytest.raises(UnknownComponent, match="no plugin, distribution or module is called 'absent_plugin'"):
        checks_of("absent_plugin", registry)
    with pytest.raises(BrokenPlugin, match="registers nothing"):
        checks_of(types.ModuleType("empty"), Registry([]))
