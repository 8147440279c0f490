"""Build hooks of the distribution: the built-in plugins are the folders plugins/*/ that have a pyproject.toml.

Build isolation installs hatchling alone, so this file may import nothing but the standard library and hatchling.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

GROUP = "ganblocks"
"""Group of the entry points, for built-in plugins as for any other."""


def entry_points(root: str) -> dict[Path, dict[str, str]]:
    """Return the folder of each built-in plugin, sorted by name, with its entry points: plugin name -> package."""
    files = sorted(Path(root).glob("plugins/*/pyproject.toml"))
    projects = {file.parent: tomllib.loads(file.read_text(encoding="utf-8"))["project"] for file in files}
    return {folder: project["entry-points"][GROUP] for folder, project in projects.items()}


class PluginEntryPoints(MetadataHookInterface):
    """Gives the distribution the entry points of all plugin folders."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the entry points in the project's metadata."""
        points = [item for points in entry_points(self.root).values() for item in points.items()]
        metadata["entry-points"] = {GROUP: dict(points)}


class PluginPackages(BuildHookInterface[BuilderConfig]):
    """Puts the packages of all plugin folders into the wheel, or the folders onto the path of an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add to the files of the wheel; ``version`` is "standard" or "editable"."""
        plugins = entry_points(self.root)
        if version == "editable":
            self._path_file.write_text("".join(f"{folder}\n" for folder in plugins), encoding="utf-8")
            build_data["force_include_editable"] = {str(self._path_file): self._path_file.name}
        else:
            packages = [(folder, package) for folder, points in plugins.items() for package in points.values()]
            build_data["force_include"] |= {str(folder / package): package for folder, package in packages}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the path file beside the finished wheel."""
        self._path_file.unlink(missing_ok=True)

    @property
    def _path_file(self) -> Path:
        return Path(self.directory) / "_ganblocks_plugins.pth"
