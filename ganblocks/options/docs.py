"""The documentation of a component and of its options, as plain text."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import itertools
import re
import textwrap
from pathlib import Path

import attrs

from ganblocks.options.fields import options_of

DOC = "ganblocks.doc"
"""Metadata key of an attrs field: its description."""
_OPTIONS = "\nOptions:\n"


def plain_text(text: str) -> str:
    """Return text without the markup of docstrings: ``:func:`name``` and double backticks."""
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "")


def description_of(cls: type) -> str:
    """Return a class's docstring without its list of options."""
    return plain_text((inspect.getdoc(cls) or "").partition(_OPTIONS)[0].strip())


def summary_of(target: type | str) -> str:
    """Return the first sentence of a class's docstring; ``"package.module:Class"`` is read without importing the module."""
    text = _docstring_in_source(target) if isinstance(target, str) else inspect.getdoc(target) or ""
    first = " ".join(plain_text(text).partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", first)[0]


def _docstring_in_source(target: str) -> str:
    """Return the docstring of a class in a module's file; empty if the file does not define it."""
    module, _, name = target.partition(":")
    try:
        spec = importlib.util.find_spec(module)
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
        classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name]
    except (ImportError, OSError, ValueError, SyntaxError):
        return ""
    return (ast.get_docstring(classes[0]) or "") if classes else ""


def option_docs(cls: type) -> dict[str, str]:
    """Return the description of each option that has one.

    It is the ``doc`` of the field, or stands in the docstring's list of options, or is the string below the field.
    """
    docs: dict[str, str] = {}
    for parent in reversed(cls.__mro__[:-1]):
        docs |= _below_fields(parent) | _listed(inspect.cleandoc(parent.__doc__ or ""))
    docs |= {key: attribute.metadata[DOC] for key, attribute in options_of(cls).items() if attribute.metadata.get(DOC)}
    return {key: plain_text(" ".join(text.split())) for key, text in docs.items() if key in options_of(cls)}


def _listed(docstring: str) -> dict[str, str]:
    """Read the section ``Options:``; "a, b: text" describes both."""
    section = textwrap.dedent(docstring.partition(_OPTIONS)[2])
    entries = re.findall(r"^(\w[\w, ]*): (.*(?:\n[ \t]+\S.*)*)", section, re.MULTILINE)
    return {name.strip(): text for names, text in entries for name in names.split(",")}


def _below_fields(cls: type) -> dict[str, str]:
    """Read the strings that stand below the fields of a class; none if its source is not at hand."""
    if not attrs.has(cls):
        return {}
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    except (OSError, TypeError, SyntaxError):
        return {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    pairs = itertools.pairwise(statements)
    return {
        field.target.id: below.value.value
        for field, below in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }
