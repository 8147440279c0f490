"""Features of real images and of noise on disk, so that evaluations of one data set extract them once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import attrs
from attrs import frozen
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganblocks.errors import UsageError
from ganblocks.files import STAGED, replace_file
from ganblocks.values import Sample

VARIABLE = "GANBLOCKS_CACHE"
"""The environment variable that names the user's cache folder, or ``off``."""
LIMIT = 2**30
"""Bytes that the user's cache holds at most; the files that were not used for longest are deleted."""
SUFFIX = ".safetensors"
DAY = 24 * 60 * 60
"""Seconds after which an unfinished file belongs to a process that was killed."""


@frozen
class FeatureCache:
    """A folder of samples, named by all that they depend on; without a folder, nothing is kept.

    Several processes may use it at once: files are written under another name and then renamed.
    """

    folder: Path | None = None
    automatic: bool = False
    """Whether no option named it: then its size is limited, and it keeps no data whose fingerprint covers only a part of it."""

    def sample(self, facts: Mapping[str, str], extract: Callable[[], Sample]) -> Sample:
        """Return the kept sample of ``facts``, or extract and keep it.

        A damaged file is replaced, with a warning; a failed write is a warning.
        """
        if self.folder is None:
            return extract()
        text = json.dumps(dict(facts), sort_keys=True, ensure_ascii=False)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}{SUFFIX}"
        if path.is_file():
            try:
                return _read(path)
            except (SafetensorError, TypeError, ValueError, OSError) as error:
                warnings.warn(f"{path}: cannot be used, and is computed again: {error}", stacklevel=2)
        sample = extract()
        try:
            self._keep(path, sample, text)
        except OSError as error:
            fix = f"set {VARIABLE} to another folder, or to off" if self.automatic else "they will be computed again"
            warnings.warn(f"{self.folder}: features cannot be kept here: {error.strerror}; {fix}", stacklevel=2)
        return sample

    def refuse_unwritable(self) -> None:
        """Raise UsageError if a folder that the user named cannot be written."""
        if self.folder is None or self.automatic:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            rule = f"{self.folder}: features cannot be kept here: {error.strerror}"
            raise UsageError(rule, "name another folder, or leave --feature-cache out") from error

    def _keep(self, path: Path, sample: Sample, facts: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(path, durable=False) as file:  # after a power cut, a file that is not whole is computed again
            file.write(_bytes(sample, facts))
        if self.automatic:
            _prune(path.parent, LIMIT, path)


def user_cache() -> FeatureCache:
    """Return the user's cache: in the folder that ``GANBLOCKS_CACHE`` names, none if it is ``off``, else in the platform's."""
    from platformdirs import user_cache_path

    given = os.environ.get(VARIABLE, "")
    if given == "off":
        return FeatureCache()
    folder = Path(given).expanduser() if given else user_cache_path("ganblocks", appauthor=False)
    return FeatureCache(folder / "features", automatic=True)


def as_cache(given: FeatureCache | Path | None) -> FeatureCache:
    """Return the cache of a folder, or the given one; None: nothing is kept."""
    return given if isinstance(given, FeatureCache) else FeatureCache(given)


def _read(path: Path) -> Sample:
    """Return a kept sample and mark it as used. Raises ValueError if it is not what was written."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
        written = (file.metadata() or {}).get("sha256")
    if written != _digest(tensors):
        raise ValueError("its content has changed since it was written")
    with suppress(OSError):
        os.utime(path)
    return Sample(**tensors)


def _bytes(sample: Sample, facts: str) -> bytes:
    fields = attrs.asdict(sample, recurse=False)
    tensors = {name: value.contiguous() for name, value in fields.items() if isinstance(value, Tensor)}
    return save(tensors, {"sha256": _digest(tensors), "facts": facts})


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a hash of names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _prune(folder: Path, limit: int, newest: Path) -> None:
    """Delete unfinished files of killed processes, and the files that were not used for longest, down to ``limit`` bytes."""
    files = {}
    for path in folder.iterdir():
        if path.name.startswith(STAGED) or path.suffix == SUFFIX:
            with suppress(FileNotFoundError):  # another process deletes files too
                files[path] = path.stat()
    for path in [path for path in files if path.name.startswith(STAGED)]:
        if files.pop(path).st_mtime < time.time() - DAY:
            path.unlink(missing_ok=True)
    total = sum(fact.st_size for fact in files.values())
    for path in sorted(files, key=lambda path: files[path].st_mtime):
        if total > limit and path != newest:
            path.unlink(missing_ok=True)
            total -= files[path].st_size
