"""The cache of features: what is in its key, what it refuses, what it deletes, and where it is."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from safetensors.torch import load_file, save_file

import ganblocks as public
from ganblocks.evaluation import Evaluator, evaluation_settings, feature_cache
from ganblocks.evaluation.cache_key import PROBED, code_of
from ganblocks.evaluation.feature_cache import DAY, FeatureCache, user_cache
from ganblocks.values import Images, ImageSpec, Sample

SPEC = ImageSpec(channels=1, size=8, classes=0)
COUNT = 3 * PROBED


def sample(seed: int = 0, n: int = 20) -> Sample:
    return Sample(torch.randn(n, 3, generator=torch.Generator().manual_seed(seed)), labels=torch.arange(n))


def images(pixels: torch.Tensor, fingerprint: str = "all of it") -> Images:
    split = {"train": torch.arange(len(pixels)), "held_out": torch.arange(0)}
    return Images(pixels.__getitem__, torch.zeros(len(pixels), dtype=torch.int64), fingerprint, split)


def noise() -> torch.Tensor:
    return torch.randint(256, (COUNT, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def real_features(opened: Images, cache: FeatureCache, size: int = 4) -> torch.Tensor:
    registry = public.discover()
    settings = attrs.evolve(
        evaluation_settings(None, registry, "cpu"), extractor=registry.create("feature_extractor", "pixels", size=size)
    )
    return Evaluator(opened, SPEC, settings, registry, cache).real.features


def kept(cache: FeatureCache) -> int:
    assert cache.folder is not None
    return len(list(cache.folder.glob("*.safetensors")))


def refuse() -> Sample:
    raise AssertionError("it is in the cache")


def equal(one: Sample, two: Sample) -> bool:
    return torch.equal(one.features, two.features) and torch.equal(one.labels, two.labels)  # type: ignore[arg-type]


@pytest.mark.parametrize("automatic", [False, True])
def test_what_was_kept_is_given_bit_for_bit(tmp_path: Path, automatic: bool) -> None:
    cache = FeatureCache(tmp_path / "new" / "folder", automatic)
    assert equal(cache.sample({"a": "b"}, sample), sample())
    assert equal(cache.sample({"a": "b"}, refuse), sample())
    assert equal(cache.sample({"a": "c"}, lambda: sample(1)), sample(1))


def test_replaced_images_have_features_of_their_own(tmp_path: Path) -> None:
    """Also where none of the probed ones is another: their fingerprint is."""
    cache, before, after = FeatureCache(tmp_path), noise(), noise()
    after[1] = 0
    real_features(images(before), cache)
    assert torch.equal(real_features(images(after, "another"), cache), real_features(images(after), FeatureCache()))


def test_images_decoded_otherwise_have_features_of_their_own(tmp_path: Path) -> None:
    """Also where the fingerprint of their files is the same."""
    cache = FeatureCache(tmp_path)
    real_features(images(noise()), cache)
    assert torch.equal(real_features(images(255 - noise()), cache), real_features(images(255 - noise()), FeatureCache()))


def test_other_options_of_the_extractor_have_features_of_their_own(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    assert [real_features(images(noise()), cache, size).shape[1] for size in (4, 2, 4)] == [16, 4, 16]
    assert kept(cache) == 2


def test_the_code_of_an_extractor_is_part_of_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "made_for_this_test"
    package.mkdir()
    (package / "__init__.py").write_text("class Extractor: pass\n")
    (package / "other.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    import made_for_this_test  # type: ignore[import-not-found]

    before = code_of(made_for_this_test.Extractor())
    assert before == code_of(made_for_this_test.Extractor())
    (package / "other.py").write_text("SIZE = 3\n")
    assert code_of(made_for_this_test.Extractor()) not in (before, "")
    assert code_of(type("Extractor", (), {"__module__": "builtins"})()) == ""


def test_data_that_is_not_hashed_whole_is_kept_only_on_request(tmp_path: Path) -> None:
    opened = images(noise(), "sampled:0123")
    for automatic in (True, False):
        cache = FeatureCache(tmp_path, automatic)
        real_features(opened, cache)
        assert kept(cache) == (0 if automatic else 1)
    real_features(images(noise()), FeatureCache(tmp_path, automatic=True))
    assert kept(cache) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "value", "no hash", "other tensors"])
def test_a_damaged_file_is_computed_again_with_a_warning(tmp_path: Path, damage: str) -> None:
    cache = FeatureCache(tmp_path)
    cache.sample({}, sample)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(content[:-1])
        case "empty":
            path.write_bytes(b"")
        case "value":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "no hash":
            save_file(load_file(path), path)
        case "other tensors":
            save_file({"else": torch.zeros(1)}, path)
    with pytest.warns(UserWarning, match="is computed again"):
        assert equal(cache.sample({}, sample), sample())
    assert equal(cache.sample({}, refuse), sample())


def test_the_user_s_cache_deletes_what_was_not_used_for_longest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, automatic = FeatureCache(tmp_path), FeatureCache(tmp_path, automatic=True)
    for number in range(4):
        named.sample({"number": str(number)}, sample)
    for age, path in enumerate(sorted(tmp_path.iterdir())):
        os.utime(path, (age, age))
    oldest, second, *_ = sorted(tmp_path.iterdir())
    size = oldest.stat().st_size
    monkeypatch.setattr(feature_cache, "LIMIT", 4 * size)
    used = next(number for number in range(4) if not unknown(named, number, oldest))
    automatic.sample({"number": str(used)}, refuse)  # no longer the oldest
    automatic.sample({"number": "new"}, sample)
    left = set(tmp_path.iterdir())
    assert len(left) == 4
    assert oldest in left
    assert second not in left


def unknown(cache: FeatureCache, number: int, path: Path) -> bool:
    """Whether a number is kept in another file than ``path``."""
    content = path.read_bytes()
    return f'{{\\"number\\": \\"{number}\\"}}'.encode() not in content


def test_leftovers_of_killed_processes_are_deleted_and_other_files_are_not(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, automatic=True)
    old, new, foreign = tmp_path / ".tmp-1-a.safetensors", tmp_path / ".tmp-2-b.safetensors", tmp_path / "notes.txt"
    for path in (old, new, foreign):
        path.write_text("x")
    for path in (old, foreign):
        os.utime(path, (path.stat().st_mtime - 2 * DAY,) * 2)
    cache.sample({}, sample)
    assert not old.exists()
    assert new.exists()
    assert foreign.exists()


def test_where_the_user_s_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBLOCKS_CACHE", "off")
    assert user_cache() == FeatureCache()
    monkeypatch.setenv("GANBLOCKS_CACHE", str(tmp_path))
    assert user_cache() == FeatureCache(tmp_path / "features", automatic=True)
    monkeypatch.delenv("GANBLOCKS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    folder = user_cache().folder
    assert folder is not None
    assert folder.name == "features"
    assert "ganblocks" in folder.parts
    assert not folder.exists()


def test_a_user_s_cache_that_cannot_be_written_costs_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANBLOCKS_CACHE", str(tmp_path / "file"))
    cache = user_cache()
    cache.refuse_unwritable()
    with pytest.warns(UserWarning, match="set GANBLOCKS_CACHE to another folder, or to off"):
        assert equal(cache.sample({}, sample), sample())


def test_processes_that_write_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """The second one writes between the first one's look and its own writing."""
    cache = FeatureCache(tmp_path, automatic=True)

    def slow() -> Sample:
        assert equal(FeatureCache(tmp_path, automatic=True).sample({}, sample), sample())
        return sample()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal(cache.sample({}, slow), sample())
        assert equal(cache.sample({}, refuse), sample())
    assert kept(cache) == 1


def test_the_commands_use_the_user_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganblocks.cli.evaluate import cache_of

    monkeypatch.setenv("GANBLOCKS_CACHE", str(tmp_path))
    wanted: Any = cache_of(None)
    assert wanted == user_cache()
    assert cache_of(tmp_path / "named") == FeatureCache(tmp_path / "named")
