"""A stopped run, for tests of what is done with it afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.training.test_resuming import recipe, run, stopping_at


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 64 images that was stopped after its checkpoint at 32."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(KeyboardInterrupt):
        run(recipe(**{"training.checkpoint_every": 32}), folder, stopping_at(40))
    return folder


@pytest.fixture
def halfway(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(stopped, tmp_path / "run")
