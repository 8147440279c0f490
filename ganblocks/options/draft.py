"""A draft of a component, to run its validators although some of its fields are wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ganblocks.errors import GanblocksError
from ganblocks.options.fields import default_of, options_of
from ganblocks.options.types import UNREADABLE

Broken = tuple["attrs.Attribute[Any]", Any, Exception]
"""A field, its value, and the error of its converter or validator."""


def broken_rules(cls: type, values: Mapping[str, Any]) -> Iterator[Broken]:
    """Run every validator whose field could be read; yield the fields that break a rule.

    Args:
        cls: the attrs class.
        values: key -> value, or UNREADABLE; what is absent takes its default.

    """
    draft: Any = cls.__new__(cls)  # type: ignore[call-overload]  # of whatever class it is
    fields = options_of(cls)
    for key, attribute in fields.items():
        value = values[key] if key in values else default_of(attribute, draft)
        if value is not UNREADABLE and value is not attrs.NOTHING:
            try:
                object.__setattr__(draft, attribute.name, _converted(attribute, value, draft))
            except (ValueError, TypeError) as error:
                yield attribute, value, error
    readable = [attribute for attribute in fields.values() if hasattr(draft, attribute.name)]
    for attribute in readable:
        try:
            if attribute.validator is not None:
                attribute.validator(draft, attribute, getattr(draft, attribute.name))
        except (ValueError, TypeError, GanblocksError) as error:
            yield attribute, getattr(draft, attribute.name), error
        except AttributeError:  # a rule about two fields, of which the other has a mistake of its own
            if len(readable) == len(fields):
                raise


def _converted(attribute: attrs.Attribute[Any], value: Any, draft: Any) -> Any:
    convert: Any = attribute.converter or (lambda given: given)
    arguments = (value, draft, attribute) if isinstance(convert, attrs.Converter) else (value,)
    return convert(*arguments)
