"""A run keeps the names of its classes, and says so where the images have others by now."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from PIL import Image

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.errors import DataError
from ganblocks.evaluation import evaluate, evaluation_settings
from ganblocks.recipe import Recipe
from ganblocks.training.launch import resume
from tests.cli.commands import ROOT


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    for seed, name in enumerate(("cats", "dogs")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for place in range(4):
            pixels = np.random.default_rng([seed, place]).integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{place}.png")
    data = {"use": "image_folder", "path": str(tmp_path / "images"), "size": 8, "channels": 1, "classes": 2, "held_out": 0.0}
    sets = {"data": data, "training.images": 16, "evaluation.n": 8}
    return read_recipe(ROOT / "tests" / "fixtures" / "study.toml", sets)


def test_names_and_counts_stay_with_the_run(recipe: Recipe, tmp_path: Path) -> None:
    run, registry = tmp_path / "run", public.discover()
    public.run(recipe, run, "cpu")
    kept = [{"name": "cats", "count": 4}, {"name": "dogs", "count": 4}]
    assert json.loads((run / "provenance.json").read_text())["classes"] == kept
    settings = evolve(evaluation_settings(recipe.evaluation, registry), device="cpu")
    assert evaluate(run, settings, registry).scores
    (tmp_path / "images" / "dogs").rename(tmp_path / "images" / "foxes")
    with pytest.raises(DataError, match="the images are not those of the run: class 1 was dogs and is foxes"):
        evaluate(run, settings, registry)
    with pytest.warns(UserWarning, match="class 1 was dogs and is foxes; the run keeps the names that it began with"):
        resume(run)
    assert json.loads((run / "provenance.json").read_text())["classes"] == kept
    sampler = public.load(run)
    assert sampler.image.class_names == ("cats", "dogs")
    assert sampler.class_counts == (4, 4)
    assert torch.equal(sampler.sample(3, "dogs"), sampler.sample(3, 1))


def test_a_run_of_before_names_were_kept_has_those_of_its_data_set(recipe: Recipe, tmp_path: Path) -> None:
    """A folder's are not known without it, a digit's are."""
    run = tmp_path / "run"
    public.run(recipe, run, "cpu")
    facts = json.loads((run / "provenance.json").read_text())
    del facts["classes"]
    (run / "provenance.json").write_text(json.dumps(facts))
    sampler = public.load(run)
    assert (sampler.image.class_names, sampler.class_counts) == ((), ())
    assert sampler.sample(2, 1).shape == (2, 1, 8, 8)
    frozen = public.load(ROOT / "tests" / "fixtures" / "run-of-format-1")
    assert (frozen.image.class_names, frozen.class_counts) == (tuple("0123456789"), ())


def test_a_class_without_images_to_train_on_is_said(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another data set may have it: a folder keeps some of every class."""
    images = recipe.data.dataset.open()
    cats = {"train": torch.arange(4), "held_out": torch.arange(4, 8)}
    monkeypatch.setattr(type(recipe.data.dataset), "open", lambda self: evolve(images, split=cats))
    with pytest.warns(UserWarning, match="no training images of 1 dogs: samples of these classes will be meaningless"):
        public.run(recipe, tmp_path / "run", "cpu")
    assert public.load(tmp_path / "run").class_counts == (4, 0)
