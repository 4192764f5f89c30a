"""The code of formulas, as it stands in their files."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["code", "dotted", "source"]


def dotted(function: Callable[..., Any]) -> str:
    """The full name of a function, which is also its anchor in the API."""
    return f"{function.__module__}.{function.__qualname__}"


def code(functions: Iterable[Callable[..., Any]], root: Path) -> str:
    """The source of the functions without docstrings, a block a file, each linked to its API entry."""
    files: dict[str, list[Callable[..., Any]]] = {}
    for function in functions:
        path = Path(inspect.getsourcefile(function) or "").resolve().relative_to(root)
        files.setdefault(path.as_posix(), []).append(function)
    parts = []
    for file, group in files.items():
        text = "\n\n".join(source(function) for function in sorted(group, key=_line))
        links = ", ".join(f"[`{function.__name__}`][{dotted(function)}]" for function in group)
        parts.append(
            f'``` python title="{file}"\n{text}\n```\n\n'
            f"Shapes, dtypes and rounding are in the API: {links}.\n{{ .code-link }}\n"
        )
    return "\n".join(parts)


def _line(function: Callable[..., Any]) -> int:
    return inspect.getsourcelines(function)[1]


def source(function: Callable[..., Any]) -> str:
    """The source of a function without its docstring."""
    text = textwrap.dedent(inspect.getsource(function))
    lines = text.rstrip().split("\n")
    definition = ast.parse(text).body[0]
    assert isinstance(definition, ast.FunctionDef)  # noqa: S101 (formulas are plain functions)
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)
