"""A file -> a Recipe: read, extend, ablate, override, then structure; every mistake with its file and line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from ganblocks.deprecated import warn_renamed
from ganblocks.errors import Mistake, RecipeError
from ganblocks.options import Resolve, structure
from ganblocks.options.words import key_text, suggestion
from ganblocks.recipe.ablation import Change, apply, changes
from ganblocks.recipe.extends import with_parent
from ganblocks.recipe.file import MOST_DOTS, RecipeFile, read_file, refuse_bombs
from ganblocks.recipe.raw_table import RawTable
from ganblocks.recipe.schema import Ablation, Recipe
from ganblocks.recipe.unscored import emptied, hinted
from ganblocks.registry import Registry


def read_recipe(
    path: str | os.PathLike[str],
    overrides: Mapping[str, Any] | None = None,
    ablation: str | None = None,
    *,
    registry: Registry,
) -> Recipe:
    """Read a recipe strictly.

    Args:
        path: a TOML file.
        overrides: dotted path -> value, as ``--set`` gives them; they come after the ablation.
        ablation: the name of one of the recipe's ablations, to apply it; ``a+b`` applies two.
        registry: the components that the recipe may name.

    Raises:
        RecipeError: with every mistake, each with file, line, path, what arrived, the rule and the likely fix.

    """
    table, files = with_parent(read_file(path))
    _refuse_bombs(overrides or {})
    mistakes: list[Mistake] = []
    root = RawTable(name_terms(table), registry.get, Recipe)
    wanted = _ablation(table, ablation, registry.get, mistakes) + changes(overrides or {})
    for change, mistake in apply(root, wanted):
        mistakes.append(attrs.evolve(mistake, source=_source(change, files) if change.ablation else files[0].name))
    mistakes += emptied(wanted)
    try:
        recipe = recipe_from(name_terms(table), registry)
    except RecipeError as error:
        mistakes += error.mistakes
    if mistakes:
        raise RecipeError([_located(hinted(mistake), files, wanted) for mistake in _distinct(mistakes)], files[0].name)
    return recipe


def recipe_from(table: Mapping[str, Any], registry: Registry) -> Recipe:
    """Return the recipe of a table of plain values, as :func:`ganblocks.recipe.write.table_of` gives it. Raise RecipeError."""
    table = {key: dict(value) if key == "evaluation" and isinstance(value, dict) else value for key, value in table.items()}
    _move_diagnostics(table, registry)
    recipe: Recipe = structure(Recipe, table, "", registry.get)
    return recipe


def _move_diagnostics(table: dict[str, Any], registry: Registry) -> None:
    """Move diagnostics from ``[evaluation.metrics]``, where the previous version had them, to ``[evaluation.diagnostics]``."""
    section = table.get("evaluation")
    metrics = section.get("metrics") if isinstance(section, dict) else None
    if not isinstance(section, dict) or not isinstance(metrics, dict):
        return
    uses = {name: term["use"] for name, term in metrics.items() if isinstance(term, dict) and isinstance(term.get("use"), str)}
    moved = {name: metrics[name] for name, use in uses.items() if registry.kind_of_metric(use) == "diagnostic"}
    if moved:
        section["metrics"] = {name: term for name, term in metrics.items() if name not in moved}
        section["diagnostics"] = moved | section.get("diagnostics", {})
        first = next(iter(moved))
        warn_renamed(f"[evaluation.metrics.{first}]", f"[evaluation.diagnostics.{first}]", stacklevel=4)


def _refuse_bombs(overrides: Mapping[str, Any]) -> None:
    """Hold changes to the limits of a file."""
    refuse_bombs(overrides, "--set")
    if long := next((path for path in overrides if path.count(".") > MOST_DOTS), ""):
        raise RecipeError([Mistake(long[:40] + "…", "", f"no path may have more than {MOST_DOTS} dots")], "--set")


def name_terms(table: dict[str, Any]) -> dict[str, Any]:
    """Fill in ``use`` from the names of terms: ``[penalties.r1]`` is an r1, ``[evaluation.metrics.kernel]`` a kernel."""
    evaluation = table.get("evaluation")
    for above, last in ((table, "penalties"), (table, "loggers"), (evaluation, "metrics"), (evaluation, "diagnostics")):
        if isinstance(above, dict) and isinstance(above.get(last), dict):
            terms = above[last].items()
            above[last] = {name: {"use": name, **term} if isinstance(term, dict) else term for name, term in terms}
    return table


def _ablation(table: dict[str, Any], name: str | None, resolve: Resolve, mistakes: list[Mistake]) -> list[Change]:
    """Return the changes of the requested ablations (``a+b``: of both); one with mistakes of its own changes nothing."""
    known = table.get("ablation")
    known = known if isinstance(known, dict) else {}
    wanted: list[Change] = []
    for part in name.split("+") if name is not None else ():
        path = f"ablation.{key_text(part)}"
        if part not in known:
            mistakes.append(Mistake(path, "", "no such ablation", suggestion(part, known) or "this recipe has none"))
            continue
        try:
            chosen: Ablation = structure(Ablation, known[part], path, resolve)
        except RecipeError as error:
            mistakes += error.mistakes
            continue
        new = changes(chosen.set, chosen.remove, part)
        paths = {change.path for change in wanted}
        if twice := next((change.path for change in new if change.path in paths), None):
            rule = f"another of {name} changes {twice} too, so that they cannot be crossed"
            mistakes.append(Mistake(path, "", rule, "ask for one of them"))
        wanted += new
    return wanted


def _distinct(mistakes: Iterable[Mistake]) -> list[Mistake]:
    return list(dict.fromkeys(mistakes))


def _located(mistake: Mistake, files: Sequence[RecipeFile], wanted: Sequence[Change]) -> Mistake:
    """Return the mistake with its file and line: those of the ablation, if that has put the value there."""
    if mistake.source:
        return mistake
    # the last change of a path is the one that holds
    change = next((change for change in reversed(wanted) if _covers(change.parts, mistake.where.split("."))), None)
    return attrs.evolve(mistake, source=_source(change, files) if change else _line(mistake.where, files))


def _source(change: Change, files: Sequence[RecipeFile]) -> str:
    """Return file, line and ablation of a change; or the file, and that the command line has changed it."""
    if not change.ablation:
        return f"{files[0].name} (overridden)"
    return f"{_line(change.stands_at, files)} (ablation {key_text(change.ablation)})"


def _line(where: str, files: Sequence[RecipeFile]) -> str:
    """Return the file and line that set the dotted path ``where``, or the table around it."""
    file = max(files, key=lambda file: file.line_of(where)[0])
    length, line = file.line_of(where)
    return f"{file.name}:{line}" if length else files[0].name


def _covers(parts: Sequence[str], where: Sequence[str]) -> bool:
    """Return True if a changed path is ``where``, or above it."""
    parts = parts[:-1] if parts[-1] == "use" else parts
    return len(parts) <= len(where) and all(part in ("*", name) for part, name in zip(parts, where, strict=False))
