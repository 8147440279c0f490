"""ganblocks sample: which class a user means, and where the picture goes."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.cli.sample import class_number
from ganblocks.errors import UsageError
from ganblocks.values import ImageSpec
from tests.cli.commands import ROOT, ganblocks

RUN = ROOT / "tests" / "fixtures" / "run-of-format-1"
APES = ImageSpec(3, 8, classes=4, class_names=("grape", "ape", "Apes", "Tape measure"))


@pytest.mark.parametrize(
    ("text", "expected"), [("ape", 1), ("APE", 1), ("Ape", 1), ("apes", 2), ("grap", 0), ("MEASURE", 3), ("3", 3)]
)
def test_a_class_is_meant_by_its_whole_name_or_else_by_a_part_of_it(text: str, expected: int) -> None:
    assert class_number(text, APES) == expected


def test_a_whole_name_in_the_same_case_goes_before_one_in_another() -> None:
    image = ImageSpec(3, 8, classes=3, class_names=("US", "us", "bus"))
    assert [class_number(text, image) for text in ("US", "us")] == [0, 1]
    with pytest.raises(UsageError, match=r"--class Us: several classes have that name; there are 0 US, 1 us, 2 bus"):
        class_number("Us", image)


NEARLY = st.text() | st.from_regex(r"-{0,3}\d{1,4}", fullmatch=True)


@given(NEARLY | st.sampled_from(["²", "--5", "-", "٣", "9" * 5000, ""]))
def test_whatever_is_no_class_is_a_user_s_mistake(text: str) -> None:
    """A number in any writing but 0 to 9 is a name."""
    for image in (APES, ImageSpec(3, 8, classes=4), ImageSpec(3, 8)):
        named = [k for k, name in enumerate(image.class_names) if text.lower() in name.lower()]
        with suppress(UsageError):
            assert class_number(text, image) in named or re.fullmatch(r"-?[0-9]+", text)


@pytest.mark.parametrize("text", ["0", "ape", ""])
def test_where_there_are_no_classes_that_is_what_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^--class {text}: this generator has no classes; leave --class out$"):
        class_number(text, ImageSpec(3, 8))


def test_classes_without_names_are_said_by_number() -> None:
    with pytest.raises(UsageError, match=r"^--class ape: no class has that name; there are 0 to 3$"):
        class_number("ape", ImageSpec(3, 8, classes=4))


@pytest.mark.parametrize("text", ["²", "--5", "9" * 5000])
def test_what_only_looks_like_a_number_shows_no_traceback(text: str, tmp_path: Path) -> None:
    done = ganblocks("sample", RUN, f"--class={text}", "--out", tmp_path / "x.png")
    assert done.returncode == 2, done.stderr
    assert "no class has that name; there are 0 0, 1 1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("out", "words"),
    [(".", "is a folder"), ("", "is a folder"), ("absent/x.png", "there is no folder"), ("/proc/x.png", "cannot be written")],
)
def test_where_no_picture_can_go_is_said(out: str, words: str, tmp_path: Path) -> None:
    done = ganblocks("sample", RUN, "--n", "1", "--out", out, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
