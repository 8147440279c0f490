"""Files of a run folder that somebody else may have written: read within limits, and nothing but read.

What is not a plain file (a pipe would wait for ever, a device has no end), too large, too deep or of another shape is refused
with one line before it costs anything.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganblocks.errors import CheckpointError
from ganblocks.files import NOT_PLAIN, open_plain

LARGEST_JSON = 16 << 20
"""Bytes of a JSON document that is read at all."""
DEEPEST_JSON = 32
LARGEST_HEADER = 8 << 20
"""Bytes of what a file of tensors says of itself."""
MOST_DIMENSIONS = 16
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""safetensors' names of the types that checkpoints hold -> bytes of one number."""


def read_plain(path: Path, largest: int) -> bytes:
    """The bytes of a plain file. Raises CheckpointError."""
    try:
        descriptor = open_plain(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if size > largest:
                raise CheckpointError(f"{path}: {size:,} bytes, and at most {largest:,} are read")
            return file.read(largest)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: missing") from error
    except OSError as error:
        rule = NOT_PLAIN if error.strerror == NOT_PLAIN else f"cannot be read: {error.strerror}"
        raise CheckpointError(f"{path}: {rule}") from error


def read_json(path: Path, fits: Callable[[Any], bool] = lambda value: True) -> Any:
    """A JSON document within limits, for which ``fits`` holds. Raises CheckpointError."""
    content = read_plain(path, LARGEST_JSON)
    try:
        value = json.loads(content)
        if depth(content) > DEEPEST_JSON or not fits(value):
            raise ValueError
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, MemoryError) as error:
        raise CheckpointError(f"{path}: damaged: not what ganblocks writes") from error
    return value


def depth(content: bytes) -> int:
    """How deeply brackets nest outside of strings."""
    deepest = level = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', content):
        level += (token[0] in (b"[", b"{")) - (token[0] in (b"]", b"}"))
        deepest = max(deepest, level)
    return deepest


def check_tensors(path: Path) -> None:
    """Hold what a file of tensors says of itself against its size. Raises CheckpointError.

    Names are free text; types are known ones; the tensors follow each other without gaps and fill the file, so that whoever
    loads it needs as many bytes as it has.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise CheckpointError(f"{path}: {NOT_PLAIN}")
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(LARGEST_HEADER, size - 8):
                raise CheckpointError(f"{path}: damaged: no file of tensors")
            content = file.read(length)
        header = json.loads(content)
        if depth(content) > DEEPEST_JSON or _extent(header) != size - 8 - length:
            raise ValueError
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"{path}: damaged: its header does not fit its contents") from error


def refuse_other_types(place: object, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Names and shapes are compared where tensors are loaded; their types would be converted in silence."""
    for name, tensor in expected.items():
        if name in found and found[name].dtype != tensor.dtype:
            raise CheckpointError(f"{place}: {name} is {found[name].dtype}, and the recipe builds {tensor.dtype}")


def _extent(header: Mapping[str, Any]) -> int:
    """The bytes that the tensors of a header take; ValueError where they overlap, leave gaps, or are of no known type."""
    end = 0
    tensors = [facts for name, facts in header.items() if name != "__metadata__"]
    for facts in sorted(tensors, key=lambda facts: (facts["data_offsets"][0], facts["data_offsets"][1])):
        shape, (start, stop) = facts["shape"], facts["data_offsets"]
        numbers = (*shape, start, stop)
        if len(shape) > MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
            raise ValueError
        if start != end or stop - start != math.prod(shape) * DTYPES[facts["dtype"]]:
            raise ValueError
        end = stop
    return int(end)
