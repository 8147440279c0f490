"""Read every hostile recipe, or open every hostile run, with an audit hook that remembers what must not happen.

Run as ``python -m tests.hostile.watched FOLDER recipes|runs``: prints a line for every forbidden event and every error that is
not ganblocks' own, and nothing where all is well. Code that reading needs is imported before anybody watches.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ganblocks
from ganblocks.errors import GanblocksError
from ganblocks.options.fields import hints_of
from ganblocks.recipe import read_recipe
from ganblocks.registry import Registry

FORBIDDEN = ("exec", "compile", "import", "pickle.find_class", "marshal.loads", "code.__new__", "ctypes.", "os.exec", "os.fork")
FORBIDDEN += (
    "os.posix_spawn",
    "os.system",
    "subprocess.Popen",
    "socket.",
    "urllib.Request",
    "os.putenv",
    "os.remove",
    "os.rename",
)
FORBIDDEN += ("os.mkdir", "os.symlink", "os.chmod", "shutil.")


def warm(registry: Registry) -> None:
    """Import every component, and read one sound recipe."""
    for offer in registry.offers():
        hints_of(offer.resolve())  # annotations are evaluated once
    "\n".encode("unicode_escape")  # a codec is a module too
    read_recipe("tests/recipe/valid_base.toml", registry=registry)


def main(folder: Path, what: str) -> None:
    registry = ganblocks.discover()
    warm(registry)
    if what == "runs":
        ganblocks.load("tests/fixtures/run-of-format-1", registry=registry)
    current, watching = [""], [False]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if watching[0] and (writes or event.startswith(FORBIDDEN)):
            watching[0] = False  # printing may raise events of its own
            print(f"{current[0]}: {event} {arguments!r:.200}")
            watching[0] = True

    sys.addaudithook(hook)
    for place in sorted(folder.iterdir()):
        current[0] = place.name
        watching[0] = True
        try:
            if what == "runs":
                ganblocks.load(place, registry=registry)
            else:
                read_recipe(place / "recipe.toml", registry=registry)
            print(f"{place.name}: accepted")
        except GanblocksError:
            pass
        except BaseException as error:
            print(f"{place.name}: {type(error).__name__}: {error!s:.200}")
        finally:
            watching[0] = False


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
