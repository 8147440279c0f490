"""Declare the fields of a component: ``option``, ``moving`` and ``socket``."""

from __future__ import annotations

import math
from typing import Any

import attrs
from attrs import field

from ganblocks.errors import OptionError
from ganblocks.options.docs import DOC
from ganblocks.options.fields import DEFAULT, INLINE, KIND, key_of, types_of
from ganblocks.options.limits import LIMITS, Limits
from ganblocks.options.reader import mistake_of
from ganblocks.schedules import as_schedule


def option(
    default: Any = attrs.NOTHING,
    *,
    low: float = -math.inf,
    above: float = -math.inf,
    high: float = math.inf,
    below: float = math.inf,
    min_items: int = 0,
    validator: Any = (),
    converter: Any = None,
    doc: str = "",
) -> Any:
    """Declare an option. Its type is checked against the annotation, choices are those of a ``Literal``.

    ::

        width: int = option(64, low=1)
        mode: Literal["sum", "mean"] = option("sum")
        betas: tuple[float, float] = option((0.0, 0.9), low=0, below=1)

    Args:
        default: value where nothing is given, or an ``attrs.Factory``; without one the option is required.
        low: inclusive lower bound of each number in the option.
        above: exclusive lower bound.
        high: inclusive upper bound.
        below: exclusive upper bound.
        min_items: smallest length of a list.
        validator: attrs validators for rules that limits cannot express. They may raise OptionError with a hint.
        converter: as in ``attrs.field``; runs before the check.
        doc: description; by default that of the class's docstring or of the field's own.

    """
    limits = Limits(low=low, above=above, high=high, below=below, min_items=min_items)
    validators = [_check, *(validator if isinstance(validator, list | tuple) else [validator])]
    return field(default=default, validator=validators, converter=converter, metadata={LIMITS: limits, DOC: doc})


def moving(default: Any = attrs.NOTHING, **limits: Any) -> Any:
    """Declare an option that holds a number or a schedule; its type is ``Moving`` or ``Moving | None``.

    It takes the arguments of :func:`option`. The limits hold for every value of the schedule, except that a schedule may start
    at 0 even if ``above=0``, as warm-ups do.
    """
    start: Any = default if default is attrs.NOTHING else as_schedule(default)
    return option(start, converter=as_schedule, **limits)


def socket(kind: str, default: str | None = None, *, optional: bool = False, validator: Any = None) -> Any:
    """Declare a field that holds a component.

    ``norm: Norm = socket("norm", default="batch")`` takes a norm. A recipe fills it with a name (``norm = "batch"``) or a
    table (``norm = { use = "group", groups = 8 }``).

    Args:
        kind: name of the kind, such as ``"norm"``.
        default: name of the component that fills it if nothing is given; without a default the socket is required.
        optional: the socket may stay empty: absent, or ``"none"`` in a recipe, and None in Python.
        validator: attrs validators of the component.

    """
    metadata = {KIND: kind, DEFAULT: default}
    return field(default=None if optional else attrs.NOTHING, metadata=metadata, validator=validator, kw_only=True)


def inline_socket(kind: str) -> Any:
    """Declare the socket of a recipe's section whose component shares the section's table.

    ``[discriminator]`` holds ``use``, the options of the network, and ``augment``, which belongs to the section.
    """
    return field(metadata={KIND: kind, DEFAULT: None, INLINE: True})


def _check(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Validate a value against the annotation and the limits."""
    cls: type = type(instance)
    if mistake := mistake_of(types_of(cls)[attribute.name], value):
        raise OptionError(mistake.rule, mistake.hint, key_of(attribute), mistake.arrived)
