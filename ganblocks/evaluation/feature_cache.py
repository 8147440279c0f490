"""Features of real images on disk, so that evaluations of one data set extract them once."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import attrs
from attrs import frozen
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ganblocks.errors import UsageError
from ganblocks.files import replace_file
from ganblocks.values import Sample


@frozen
class FeatureCache:
    """A folder of samples, named by all that they depend on; without a folder, nothing is kept."""

    folder: Path | None = None

    def sample(self, facts: Mapping[str, str], extract: Callable[[], Sample]) -> Sample:
        """Return the kept sample of ``facts``, or extract and keep it.

        Damaged files are replaced; a failed write is a warning.
        """
        if self.folder is None:
            return extract()
        text = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"
        if path.is_file():
            with suppress(SafetensorError, TypeError, OSError):
                return Sample(**load_file(path))
        sample = extract()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replace_file(path) as file:
                file.write(_bytes(sample))
        except OSError as error:
            warnings.warn(
                f"{self.folder}: features cannot be kept here: {error.strerror}; they will be computed again", stacklevel=2
            )
        return sample

    def refuse_unwritable(self) -> None:
        """Raise UsageError if the folder cannot be written."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            rule = f"{self.folder}: features cannot be kept here: {error.strerror}"
            raise UsageError(rule, "name another folder, or leave --feature-cache out") from error


def _bytes(sample: Sample) -> bytes:
    tensors = attrs.asdict(sample, recurse=False)
    return save({key: value.contiguous() for key, value in tensors.items() if isinstance(value, Tensor)})
