"""Reading files of a run folder that may be hostile.

Anything but a plain file (a pipe would block, a device has no end), and anything too large, too deeply nested or of another
shape, is refused with a one-line error before it costs time or memory.
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
"""Maximum size of a JSON document in bytes."""
DEEPEST_JSON = 32
LARGEST_HEADER = 8 << 20
"""Maximum header size of a safetensors file in bytes."""
MOST_DIMENSIONS = 16
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
"""safetensors' names of the dtypes of checkpoints -> bytes per element."""


def read_plain(path: Path, largest: int) -> bytes:
    """Return the content of a plain file of at most ``largest`` bytes. Raise CheckpointError."""
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
    """Return a JSON document within the limits that satisfies ``fits``. Raise CheckpointError."""
    content = read_plain(path, LARGEST_JSON)
    try:
        value = json.loads(content)
        if depth(content) > DEEPEST_JSON or not fits(value):
            raise ValueError
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, MemoryError) as error:
        raise CheckpointError(f"{path}: damaged: not what ganblocks writes") from error
    return value


def depth(content: bytes) -> int:
    """Return the nesting depth of the brackets of JSON text, outside of strings."""
    deepest = level = 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', content):
        level += (token[0] in (b"[", b"{")) - (token[0] in (b"]", b"}"))
        deepest = max(deepest, level)
    return deepest


def check_tensors(path: Path) -> None:
    """Check the header of a safetensors file against its size. Raise CheckpointError.

    Dtypes must be known, and the tensors must fill the file without gaps, so that loading needs no more memory than its size.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise CheckpointError(f"{path}: {NOT_PLAIN}")
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(LARGEST_HEADER, size - 8):
                raise CheckpointError(f"{path}: damaged: not a safetensors file")
            content = file.read(length)
        header = json.loads(content)
        if depth(content) > DEEPEST_JSON or _extent(header) != size - 8 - length:
            raise ValueError
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"{path}: damaged: its header does not fit its contents") from error


def refuse_other_types(source: object, expected: Mapping[str, Any], loaded: Mapping[str, Any]) -> None:
    """Raise CheckpointError for another dtype: loading compares names and shapes, but converts dtypes silently."""
    for name, tensor in expected.items():
        if name in loaded and loaded[name].dtype != tensor.dtype:
            raise CheckpointError(f"{source}: {name} is {loaded[name].dtype}, and the recipe builds {tensor.dtype}")


def _extent(header: Mapping[str, Any]) -> int:
    """Return the bytes of a header's tensors. Raise ValueError if they overlap, leave gaps or have an unknown dtype."""
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
