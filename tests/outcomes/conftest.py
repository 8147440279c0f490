"""One run of the zoo for all that look at it, and no more: it costs about two seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outcomes.zoo import Kept, make_folder, train, write_recipe_of


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("zoo") / "images")


@pytest.fixture(scope="session")
def zoo(images: Path) -> Kept:
    """A run of seed 3 whose scores are of its average."""
    return train(write_recipe_of(images.parent, images), images.parent / "run", seed=3)
