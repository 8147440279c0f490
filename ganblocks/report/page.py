"""Render a page from a template, with styles, scripts and pictures inside."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from torch import Tensor

from ganblocks.errors import UsageError
from ganblocks.files import replace_file
from ganblocks.training.pictures import picture

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = files("ganblocks.report") / "templates"


@cache
def environment() -> Environment:
    """Return the environment of the templates: everything is escaped that is not marked as safe."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=FunctionLoader(source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals["inline"] = lambda name: Markup(source(name))  # noqa: S704 - a file of this package
    made.filters["json_data"] = lambda value: Markup(json_in_html(value))  # noqa: S704 - escaped there
    return made


def source(name: str) -> str:
    """Return a template, style sheet or script of this package."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def render(template: str, **values: Any) -> str:
    """Return a page. Text in ``values`` is escaped."""
    return environment().get_template(template).render(**values)


def json_in_html(value: Any) -> str:
    """Return JSON for a ``<script type="application/json">``: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def write_page(path: Path, html: str) -> None:
    """Write a page. Raise UsageError if the file cannot be written."""
    try:
        with replace_file(path, durable=False) as file:
            file.write(html.encode(errors="replace"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error


def png_data(image: Tensor) -> str:
    """Return an image uint8 [C, H, W] as the address of a PNG inside the page."""
    return picture_data(picture(image.permute(1, 2, 0).contiguous()))


def picture_data(drawn: Image.Image) -> str:
    """Return a picture as the address of a PNG inside the page."""
    file = io.BytesIO()
    drawn.save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def bytes_data(tensor: Tensor) -> str:
    """Return the bytes of a tensor of any shape in base64, numbers of several bytes in little-endian order."""
    array = tensor.contiguous().numpy()
    return base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table whose numbers have six significant digits, as JSON in a page needs no more."""
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in values.items()}
