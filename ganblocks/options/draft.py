"""A draft of a component, to run its validators although some of its fields are wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ganblocks.errors import GanblocksError
from ganblocks.options.fields import options_of
from ganblocks.options.types import UNREADABLE


def broken_rules(cls: type, values: Mapping[str, Any]) -> Iterator[tuple[attrs.Attribute[Any], Any, Exception]]:
    """Run every validator whose field could be read; yield (field, its value, what the validator says).

    Args:
        cls: the attrs class.
        values: key -> value, or UNREADABLE; what is absent takes its default.

    """
    draft, complaints = _draft(cls, values)
    yield from complaints
    options = options_of(cls).values()
    complete = all(hasattr(draft, attribute.name) for attribute in options)
    for attribute in options:
        if attribute.validator is None or not hasattr(draft, attribute.name):
            continue
        value = getattr(draft, attribute.name)
        try:
            attribute.validator(draft, attribute, value)
        except (ValueError, TypeError, GanblocksError) as error:
            yield attribute, value, error
        except AttributeError:  # a rule about two fields, of which the other has a mistake of its own
            if complete:
                raise


def default_of(attribute: attrs.Attribute[Any], instance: Any) -> Any:
    """What a field holds where nothing is given."""
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, whatever its stub says
        return default.factory(*([instance] if default.takes_self else []))
    return default


def _draft(cls: type, values: Mapping[str, Any]) -> tuple[Any, list[tuple[attrs.Attribute[Any], Any, Exception]]]:
    """An instance with every field that can be set, and what converters complain of."""
    draft: Any = cls.__new__(cls)  # type: ignore[call-overload]  # of whatever class it is
    complaints: list[tuple[attrs.Attribute[Any], Any, Exception]] = []
    for key, attribute in options_of(cls).items():
        value = values[key] if key in values else default_of(attribute, draft)
        if value is UNREADABLE or value is attrs.NOTHING:
            continue
        try:
            object.__setattr__(draft, attribute.name, _converted(attribute, value, draft))
        except (ValueError, TypeError) as error:
            complaints.append((attribute, value, error))
    return draft, complaints


def _converted(attribute: attrs.Attribute[Any], value: Any, draft: Any) -> Any:
    convert: Any = attribute.converter
    if convert is None:
        return value
    takes_more = isinstance(convert, attrs.Converter)
    return convert(value, draft, attribute) if takes_more else convert(value)
