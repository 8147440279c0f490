"""A file -> a Recipe: read, extend, ablate, override, then structure; every mistake with its file and line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ganblocks.deprecated import warn_renamed
from ganblocks.errors import Mistake, RecipeError
from ganblocks.options import Resolve, structure
from ganblocks.options.words import key_text, suggestion
from ganblocks.recipe.ablation import Change, apply, changes
from ganblocks.recipe.extends import with_parent
from ganblocks.recipe.file import MOST_DOTS, RecipeFile, read_file, refuse_bombs
from ganblocks.recipe.place import Place
from ganblocks.recipe.schema import Ablation, Recipe
from ganblocks.recipe.unscored import emptied, hinted

if TYPE_CHECKING:
    from ganblocks.registry import Registry


def read_recipe(
    path: str | os.PathLike[str],
    overrides: Mapping[str, Any] | None = None,
    ablation: str | None = None,
    registry: Registry | None = None,
) -> Recipe:
    """Read a recipe strictly.

    Args:
        path: a TOML file.
        overrides: dotted path -> value, as ``--set`` gives them; they come after the ablation.
        ablation: the name of one of the recipe's ablations, to apply it; ``a+b`` applies two.
        registry: what its names mean; by default :func:`ganblocks.discover`.

    Raises:
        RecipeError: with every mistake that was found, each with file, line, path, what arrived, the rule and the likely fix.

    """
    if registry is None:
        from ganblocks.plugins import discover

        registry = discover()
    table, files = with_parent(read_file(path))
    _refuse_bombs(overrides or {})
    mistakes: list[Mistake] = []
    root = Place(name_terms(table), registry.get, Recipe)
    wanted = _ablation(table, ablation, registry.get, mistakes) + changes(overrides or {})
    for change, mistake in apply(root, wanted):
        mistakes.append(attrs.evolve(mistake, source=_source(change, files) if change.ablation else files[0].name))
    mistakes += emptied(wanted)
    _move_diagnostics(name_terms(table), registry)
    recipe = _structured(table, registry.get, mistakes)
    if recipe is None:
        raise RecipeError([_located(hinted(mistake), files, wanted) for mistake in _distinct(mistakes)], files[0].name)
    return recipe


def recipe_from(table: Mapping[str, Any], registry: Registry) -> Recipe:
    """The recipe that a table of plain values says, as :func:`ganblocks.recipe.write.table_of` gives it. Raises RecipeError."""
    table = {key: dict(value) if key == "evaluation" else value for key, value in table.items()}
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
    """Changes keep to the limits of a file."""
    refuse_bombs(overrides, "--set")
    if long := next((path for path in overrides if path.count(".") > MOST_DOTS), ""):
        raise RecipeError([Mistake(long[:40] + "…", "", f"no path may have more than {MOST_DOTS} dots")], "--set")


def _structured(table: dict[str, Any], resolve: Resolve, mistakes: list[Mistake]) -> Recipe | None:
    """The recipe, or None after adding to ``mistakes``."""
    try:
        recipe: Recipe = structure(Recipe, table, "", resolve)
    except RecipeError as error:
        mistakes += error.mistakes
    return None if mistakes else recipe


def name_terms(table: dict[str, Any]) -> dict[str, Any]:
    """Fill in ``use`` from the names of terms: ``[penalties.r1]`` is an r1, ``[evaluation.metrics.kernel]`` a kernel."""
    evaluation = table.get("evaluation")
    for above, last in ((table, "penalties"), (evaluation, "metrics"), (evaluation, "diagnostics")):
        if isinstance(above, dict) and isinstance(above.get(last), dict):
            terms = above[last].items()
            above[last] = {name: {"use": name, **term} if isinstance(term, dict) else term for name, term in terms}
    return table


def _ablation(table: dict[str, Any], name: str | None, resolve: Resolve, mistakes: list[Mistake]) -> list[Change]:
    """The changes of the ablations that are asked for (``a+b``: of both); one with mistakes of its own changes nothing."""
    known = table.get("ablation")
    known = known if isinstance(known, dict) else {}
    wanted: list[Change] = []
    for part in name.split("+") if name is not None else ():
        if part not in known:
            hint = suggestion(part, known) or "this recipe has none"
            mistakes.append(Mistake(f"ablation.{key_text(part)}", "", "no such ablation", hint))
            continue
        try:
            chosen: Ablation = structure(Ablation, known[part], f"ablation.{key_text(part)}", resolve)
        except RecipeError as error:
            mistakes += error.mistakes
            continue
        found = changes(chosen.set, chosen.remove, part)
        paths = {change.path for change in wanted}
        if twice := next((change.path for change in found if change.path in paths), None):
            rule = f"another of {name} changes {twice} too, so that they cannot be crossed"
            mistakes.append(Mistake(f"ablation.{key_text(part)}", "", rule, "ask for one of them"))
        wanted += found
    return wanted


def _distinct(mistakes: Iterable[Mistake]) -> list[Mistake]:
    return list(dict.fromkeys(mistakes))


def _located(mistake: Mistake, files: Sequence[RecipeFile], wanted: Sequence[Change]) -> Mistake:
    """The mistake, with the file and line that it stands in: those of the ablation where that has put it there."""
    if mistake.source:
        return mistake
    # the last change of a place is the one that holds
    change = next((each for each in reversed(wanted) if _covers(each.parts, mistake.where.split("."))), None)
    return attrs.evolve(mistake, source=_source(change, files) if change else _line(mistake.where, files))


def _source(change: Change, files: Sequence[RecipeFile]) -> str:
    """Where a change stands: file, line and ablation; or the file, and that the command line has changed it."""
    if not change.ablation:
        return f"{files[0].name} (overridden)"
    return f"{_line(change.stands_at, files)} (ablation {key_text(change.ablation)})"


def _line(where: str, files: Sequence[RecipeFile]) -> str:
    """The file, and the line, that set the dotted place ``where`` or what it stands in."""
    found = max(files, key=lambda file: file.line_of(where)[0])
    length, line = found.line_of(where)
    return f"{found.name}:{line}" if length else files[0].name


def _covers(parts: Sequence[str], where: Sequence[str]) -> bool:
    """True where a changed path is ``where``, or above it."""
    parts = parts[:-1] if parts[-1] == "use" else parts
    return len(parts) <= len(where) and all(part in ("*", place) for part, place in zip(parts, where, strict=False))
