"""Small wrong versions of a function, made from its syntax tree, for functions that are formulas.

The operators are those that a slip of the pen makes in a formula: a root lost or put in, a term or a
factor dropped, a sign or a quotient turned over, two arguments exchanged, ᾱ_t for ᾱ_{t−1}, n for n ± 1, a
comparison the other way round.
"""

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ddpm_spec.formulas.step import Step
from ddpm_spec.ops import sqrt

__all__ = ["FORMULAS", "Mutant", "install", "marked", "mutants", "source"]

# Functions of one argument that a slip forgets, and methods with what a slip puts in their place.
FORGOTTEN = {"sqrt", "log", "exp", "sin", "cos", "tanh", "abs"}
CONFUSED = {"mean": "sum", "sum": "mean"}
# Calls whose arguments are no mathematics: exchanging them only crashes.
# What is no number: no slip puts it in the place of one.
NO_NUMBER = {"at", "before", "last", "network", "noise"}
COMMUTING = {"min", "max"}
MACHINERY = {"torch", "range", "len", "enumerate", "isinstance", "reshape", "where"}
FLIPS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.Gt, ast.LtE),
    ast.Gt: (ast.Lt, ast.GtE),
    ast.LtE: (ast.GtE, ast.Lt),
    ast.GtE: (ast.LtE, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
ROOT = "_root_put_in"
FORMULAS = ("ddpm_spec.formulas.", "ddpm_spec.followups.")
"""Where the formulas are, the paper's and those that came after."""


@dataclass(frozen=True)
class Mutant:
    """A function with one thing changed."""

    line: int
    """The line in the source file."""
    change: str
    tree: ast.FunctionDef
    statement: int = 0
    """The line of the statement that is changed; 0 where all of the function is."""
    exchanged: tuple[str, int] | None = None
    """The function that is called with its arguments i and i + 1 exchanged."""


def source(function: FunctionType) -> ast.FunctionDef:
    """The function's tree with the line numbers of its file, without decorators and docstring."""
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    ast.increment_lineno(tree, first - 1)
    tree.decorator_list = []
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:]
    return tree


def install(function: FunctionType, tree: ast.FunctionDef) -> None:
    """Replace the function's code, so that every import of it sees the change."""
    name = function.__code__.co_filename
    module = compile(ast.fix_missing_locations(ast.Module([tree], [])), name, "exec")
    code = next(c for c in module.co_consts if isinstance(c, CodeType))
    assert code.co_freevars == function.__code__.co_freevars
    function.__globals__[ROOT] = sqrt
    function.__code__ = code


def marked(function: FunctionType, mark: Callable[[int], None]) -> ast.FunctionDef:
    """The function's tree with a call of `mark` before each statement, with its line, and one of 0 first."""
    name = f"_mark_{id(function)}"
    function.__globals__[name] = mark

    def call(line: int) -> ast.stmt:
        return ast.parse(f"{name}({line})").body[0]

    class Mark(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            node = self.generic_visit(node)
            return [call(node.lineno), node] if isinstance(node, ast.stmt) else node

    tree = source(function)
    marks = [Mark().visit(statement) for statement in tree.body]
    tree.body = [call(0), *(statement for pair in marks for statement in pair)]
    return tree


def mutants(function: FunctionType) -> list[Mutant]:
    """Every mutant of a function, no two the same."""
    original = source(function)
    for index, node in enumerate(ast.walk(original)):
        node.index = index  # type: ignore[attr-defined]
    # Outer statements come before inner ones, which take over what is theirs.
    statements = (node for node in ast.walk(original) if isinstance(node, ast.stmt))
    owner = {part: statement.lineno for statement in statements for part in ast.walk(statement)}
    found: dict[str, Mutant] = {ast.dump(original): Mutant(0, "", original)}
    for node in _body(original):
        for new in _replacements(node, function):
            tree = _replaced(original, node, new)
            change = _difference(ast.unparse(node), ast.unparse(new))
            mutant = Mutant(node.lineno, change, tree, owner[node], _exchange(node, new))
            found.setdefault(ast.dump(tree), mutant)
    for a, b in _pairs(function):
        tree = _Renamed({a: b, b: a}).visit(copy.deepcopy(original))
        found.setdefault(ast.dump(tree), Mutant(original.lineno, f"{a} ↔ {b} throughout", tree))
    return list(found.values())[1:]


def _exchange(node: Any, new: Any) -> tuple[str, int] | None:
    """The call and the place, where all that happened is that two neighbours changed places."""
    if not (isinstance(node, ast.Call) and isinstance(new, ast.Call)):
        return None
    before, after = ([ast.dump(a) for a in call.args] for call in (node, new))
    moved = [i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    if len(moved) == 2 and [before[i] for i in moved] == [after[i] for i in moved[::-1]]:
        return ast.unparse(node.func), moved[0]
    return None


def _difference(before: str, after: str) -> str:
    """`before → after` without the words that a long line has in common at either end."""
    if len(before) + len(after) > 100:
        a, b = before.split(" "), after.split(" ")
        start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        end = next((i for i, (x, y) in enumerate(zip(a[::-1], b[::-1], strict=False)) if x != y), 0)
        stop = min(end, len(a) - start - 1, len(b) - start - 1)
        before, after = (" ".join(words[max(start - 1, 0) : len(words) - stop + 1]) for words in (a, b))
    return f"{before} → {after}"


def _body(tree: ast.FunctionDef) -> Iterator[Any]:
    """The nodes of the body that stand for mathematics: no annotation, no error message."""
    pending: list[ast.AST] = list(reversed(tree.body))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Raise | ast.JoinedStr):
            continue
        yield node
        children = [c for c in ast.iter_child_nodes(node) if c is not getattr(node, "annotation", None)]
        if isinstance(node, ast.Call) and _root_name(node.func) == "isinstance":
            continue
        pending += reversed(children)


def _pairs(function: FunctionType) -> list[tuple[str, str]]:
    """The parameters of a formula, two by two."""
    if not _is_formula(function):
        return []
    names = list(inspect.signature(function).parameters)
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if "at" not in (a, b)]


def _replacements(node: Any, function: FunctionType) -> Iterator[ast.AST]:
    """What could stand in the place of a node."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            yield from (left, right, ast.BinOp(left, ast.Sub(), right))
        case ast.BinOp(left, ast.Sub(), right):
            yield from (left, ast.UnaryOp(ast.USub(), right), ast.BinOp(left, ast.Add(), right))
        case ast.BinOp(left, ast.Mult(), right):
            yield from (left, right, ast.BinOp(left, ast.Div(), right))
        case ast.BinOp(left, ast.Div(), right):
            yield from (left, ast.BinOp(ast.Constant(1), ast.Div(), right))
            yield ast.BinOp(left, ast.Mult(), right)
        case ast.UnaryOp(ast.USub(), operand):
            yield operand
        case ast.Constant(int() | float() as n) if not isinstance(n, bool):
            yield from (ast.Constant(n + 1), ast.Constant(n - 1))
        case ast.Compare(left, ops, rest):
            for i, op in enumerate(ops):
                for new in _flips(op, function):
                    yield ast.Compare(left, [*ops[:i], new(), *ops[i + 1 :]], rest)
        case ast.Call():
            yield from _calls(node)
        case ast.AugAssign(target, ast.Add(), value):
            yield ast.AugAssign(target, ast.Sub(), value)
        case ast.If(ast.Attribute() | ast.Name() as test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Return(ast.Tuple([a, b])):
            yield ast.Return(ast.Tuple([b, a], ast.Load()))
    if _is_field(node, function):
        yield from (ast.Attribute(node.value, name, ast.Load()) for name in Step._fields)
    if _is_formula(function) and (_is_variance(node, function) or _is_field(node, function)):
        yield ast.Call(ast.Name(ROOT, ast.Load()), [node], [])


def _flips(op: ast.cmpop, function: FunctionType) -> tuple[type[ast.cmpop], ...]:
    """The other direction; outside formulas, where numbers are checked, also the other side of the edge."""
    return FLIPS.get(type(op), ())[: 1 if _is_formula(function) else 2]


def _is_formula(function: FunctionType) -> bool:
    return function.__module__.startswith(FORMULAS)


def _is_variance(node: Any, function: FunctionType) -> bool:
    """Whether a node reads a parameter that is a variance."""
    if not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
        return False
    return "variance" in node.id and node.id in inspect.signature(function).parameters


def _is_field(node: Any, function: FunctionType) -> bool:
    """Whether a node reads a field of a step, such as `at.alpha_bar`, and not a function of a module."""
    if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
        return False
    return node.attr in Step._fields and not isinstance(function.__globals__.get(node.value.id), ModuleType)


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    name = _root_name(node.func)
    if isinstance(node.func, ast.Name) and name in FORGOTTEN and len(node.args) == 1:
        yield node.args[0]
    if isinstance(node.func, ast.Attribute):
        if node.func.attr == "clamp":
            yield node.func.value
        if node.func.attr in CONFUSED:
            confused = ast.Attribute(node.func.value, CONFUSED[node.func.attr], ast.Load())
            yield ast.Call(confused, node.args, node.keywords)
    if {name, getattr(node.func, "attr", "")} & MACHINERY:
        return
    for i in range(len(node.args) - 1):
        a, b = node.args[i : i + 2]
        if any(isinstance(x, ast.Name) and x.id in NO_NUMBER for x in (a, b)):
            continue
        pairs = ((a, a), (b, b)) if name in COMMUTING else ((b, a), (a, a), (b, b))
        for pair in pairs:
            yield ast.Call(node.func, [*node.args[:i], *pair, *node.args[i + 2 :]], node.keywords)
    for i in range(len(node.keywords) - 1):
        a, b = node.keywords[i : i + 2]
        for x, y in ((b.value, a.value), (a.value, a.value), (b.value, b.value)):
            pair = [ast.keyword(a.arg, x), ast.keyword(b.arg, y)]
            yield ast.Call(node.func, node.args, [*node.keywords[:i], *pair, *node.keywords[i + 2 :]])


def _root_name(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _replaced(tree: ast.FunctionDef, node: Any, new: ast.AST) -> ast.FunctionDef:
    class Replace(ast.NodeTransformer):
        def visit(self, other: ast.AST) -> Any:
            if getattr(other, "index", None) == node.index:
                return ast.copy_location(copy.deepcopy(new), node)
            return self.generic_visit(other)

    result: ast.FunctionDef = Replace().visit(copy.deepcopy(tree))
    return result


class _Renamed(ast.NodeTransformer):
    """Names exchanged throughout a body; the signature stays."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self.names.get(node.id, node.id), node.ctx), node)
