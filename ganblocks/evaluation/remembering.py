"""Features of real images on disk, so that many evaluations of one data set look at it once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
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
class Remembered:
    """A folder of samples by what they depend on; without a folder, nothing is kept."""

    folder: Path | None = None

    def sample(self, facts: Mapping[str, str], look: Callable[[], Sample]) -> Sample:
        """The sample of ``facts``, looked at where it is not there yet. A damaged file is written anew.

        Raises UsageError where the folder cannot be written.
        """
        if self.folder is None:
            return look()
        text = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"
        if path.is_file():
            try:
                return Sample(**load_file(path))
            except (SafetensorError, TypeError):
                path.unlink()
        sample = look()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replace_file(path) as file:
                file.write(_bytes(sample))
        except OSError as error:
            raise UsageError(f"{self.folder}: features cannot be kept here: {error.strerror}") from error
        return sample


def _bytes(sample: Sample) -> bytes:
    tensors = attrs.asdict(sample, recurse=False)
    return save({key: value.contiguous() for key, value in tensors.items() if isinstance(value, Tensor)})
