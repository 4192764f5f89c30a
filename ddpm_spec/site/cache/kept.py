"""What a build computed, kept for the next one for as long as all that it was computed from is the same.

In CI nothing is kept.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["Kept", "libraries"]

PACKAGE = Path(__file__).parents[2]


def libraries(*names: str) -> list[str]:
    """What a result depends on that is installed: libraries, and Python."""
    return [*(f"{name} {version(name)}" for name in names), platform.python_version()]


class Kept:
    """Results by name, in a file of `.cache/` whose own name holds a hash of what they depend on.

    Under another hash nothing is found, everything is computed again, and the old file goes.
    """

    def __init__(self, kind: str, depends_on: Iterable[Path | str]) -> None:
        known = hashlib.sha256()
        for part in depends_on:
            content = part.read_bytes() if isinstance(part, Path) else part.encode()
            known.update(hashlib.sha256(content).digest())
        self._kind = kind
        self._path = PACKAGE.parent / ".cache" / f"{kind}-{known.hexdigest()[:16]}.json"
        self._found: dict[str, Any] = {}
        self._used = os.environ.get("CI") != "true"
        if self._used and self._path.exists():
            self._found = json.loads(self._path.read_text("utf-8"))
        self._changed = False

    def get(self, name: str, compute: Callable[[], Any]) -> Any:
        """The result of this name, which JSON can hold; computed where none is kept."""
        if name not in self._found:
            self.put(name, compute())
        return self._found[name]

    def find(self, name: str) -> Any:
        """The result of this name, or None."""
        return self._found.get(name)

    def put(self, name: str, result: Any) -> None:
        """Keep a result in the place of any other of this name."""
        self._found[name] = result
        self._changed = True

    def write(self) -> None:
        """Keep what was computed since it was read."""
        if not (self._used and self._changed):
            return
        self._path.parent.mkdir(exist_ok=True)
        beside = self._path.with_suffix(".tmp")
        beside.write_text(json.dumps(self._found, ensure_ascii=False), "utf-8")
        beside.replace(self._path)
        for other in self._path.parent.glob(f"{self._kind}-*.json"):
            if other != self._path:
                other.unlink(missing_ok=True)
        self._changed = False
