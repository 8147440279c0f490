"""The attention page in a browser: it is drawn, follows the pointer and the keys, and asks for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from tests.cli.commands import ganblocks, tiny
from tests.report.browser import chromium, errors, open_page, overflow, requests, resize, serious_faults


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "run"
    done = ganblocks(
        "run", "recipes/sagan.toml", "--out", folder, "--quiet", "--no-score", *tiny(**{"training.samples_every": "32"})
    )
    assert done.returncode == 0, done.stderr
    assert ganblocks("attention", folder).returncode == 0
    return folder / "attention" / "index.html"


@pytest.fixture(scope="module")
def browser(page: Path) -> Iterator[Any]:
    with chromium() as driver:
        open_page(driver, page)
        yield driver


def drawn(driver: Any, part: str) -> str:
    """The pixels of a canvas."""
    return str(driver.execute_script(f"return document.querySelector('[data-part={part}]').toDataURL()"))


def query(driver: Any) -> str:
    return str(driver.execute_script("return document.getElementById('attention').dataset.query"))


def test_the_page_opens_without_errors_and_asks_for_nothing(browser: Any, page: Path) -> None:
    assert errors(browser) == []
    assert requests(browser, page) == []
    assert drawn(browser, "map") != drawn(browser, "image")


def test_moving_over_the_image_changes_the_query_and_the_map(browser: Any) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    image = browser.find_element(By.CSS_SELECTOR, "[data-part=image]")
    width, height = image.size["width"], image.size["height"]
    maps = set()
    for x, y, expected in ((0.06, 0.06, "0,0"), (0.94, 0.06, "0,7"), (0.56, 0.94, "7,4")):
        ActionChains(browser).move_to_element_with_offset(image, width * (x - 0.5), height * (y - 0.5)).perform()
        assert query(browser) == expected
        maps.add(drawn(browser, "map"))
    assert len(maps) == 3
    text = browser.find_element(By.CSS_SELECTOR, "[data-part=text]").text
    assert text.startswith("The query in row 8, column 5 attends most to row")


def test_what_the_page_says_of_a_query_is_in_the_tensors(browser: Any, page: Path) -> None:
    """Of 64 queries and 16 pooled keys: the place of the largest weight, and the weight."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    with safe_open(page.with_name("maps.safetensors"), "pt") as file:
        attention = file.get_tensor("map/generator.block1.attention")[0, 0]
    assert attention.shape == (64, 16)
    image, text = (browser.find_element(By.CSS_SELECTOR, f"[data-part={part}]") for part in ("image", "text"))
    image.send_keys(*[Keys.ARROW_UP, Keys.ARROW_LEFT] * 8)
    for keys, query in (([], 0), ([Keys.ARROW_RIGHT] * 5, 5), ([Keys.ARROW_DOWN] * 3, 29), ([Keys.ARROW_DOWN] * 4, 61)):
        image.send_keys(*keys)
        said = re.search(r"to row (\d), column (\d) of 4 × 4 places, with weight ([\d.e-]+)", text.text)
        assert said, text.text
        row, column, weight = int(said[1]) - 1, int(said[2]) - 1, float(said[3])
        largest = attention[query].max()
        assert attention[query, 4 * row + column] >= largest * (1 - 2 / 255)  # bytes may tie
        assert weight == pytest.approx(float(largest), rel=0.06)


def test_arrow_keys_move_the_query(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    image = browser.find_element(By.CSS_SELECTOR, "[data-part=image]")
    browser.execute_script("arguments[0].focus()", image)
    assert browser.switch_to.active_element == image
    for _ in range(9):
        image.send_keys(Keys.ARROW_UP, Keys.ARROW_LEFT)
    assert query(browser) == "0,0"
    before = drawn(browser, "map")
    image.send_keys(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert query(browser) == "1,2"
    assert drawn(browser, "map") != before


def test_the_slider_goes_back_in_time(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    slider = browser.find_element(By.CSS_SELECTOR, "[data-part=moment]")
    text = browser.find_element(By.CSS_SELECTOR, "[data-part=moment-text]")
    now = drawn(browser, "image"), drawn(browser, "map")
    assert text.text == "64 images"
    slider.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert text.text == "0 images"
    then = drawn(browser, "image"), drawn(browser, "map")
    assert then[0] != now[0]
    assert then[1] != now[1]
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert (drawn(browser, "image"), drawn(browser, "map")) == now


def test_another_block_and_another_image_are_shown(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    first = drawn(browser, "image")
    Select(browser.find_element(By.CSS_SELECTOR, "[data-part=block]")).select_by_visible_text("discriminator.block1.attention")
    second = drawn(browser, "image")
    assert second != first
    thumbnails = browser.find_elements(By.CSS_SELECTOR, "[data-part=samples] button")
    thumbnails[3].click()
    assert thumbnails[3].get_attribute("aria-pressed") == "true"
    assert drawn(browser, "image") != second
    Select(browser.find_element(By.CSS_SELECTOR, "[data-part=block]")).select_by_visible_text("generator.block1.attention")


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_it_fits_the_width(browser: Any, width: int) -> None:
    resize(browser, width)
    assert overflow(browser) <= 0
    assert 600 < browser.execute_script("return document.documentElement.scrollHeight") < 4_000


def test_axe_reports_no_serious_fault(browser: Any) -> None:
    assert serious_faults(browser) == []
