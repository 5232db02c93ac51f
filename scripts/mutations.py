"""Mutants of a Python file: one small change each, of the kinds that people make by mistake.

Comparisons moved by their boundary or turned round; plus for minus, times for division; numbers one more and one less;
``and`` for ``or``; conditions, ``not``, minus signs and ``abs`` dropped; least for largest; ends of slices left out;
nothing returned; statements left out. Texts, annotations, decorators, fields of classes, and what is said with
``raise`` are left alone.
"""

import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.RShift: ast.LShift,
    ast.LShift: ast.RShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_PAIRS = (("min", "max"), ("minimum", "maximum"), ("any", "all"), ("ceil", "floor"))
_NAMES = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
_SILENT = (ast.Import, ast.ImportFrom, ast.JoinedStr, ast.Raise)
_UNREAD = frozenset({"annotation", "returns", "decorator_list"})


@dataclass(frozen=True, eq=False)
class Mutant:
    """One changed place of a file: field ``at`` of ``holder`` becomes ``new``; ``key`` names it whatever line it is on.

    ``line`` is that of the statement around it, as ``reporting`` reports it; where it is in no function, ``constant``
    is the name that is given a value there.
    """

    path: Path
    tree: ast.Module
    key: str
    line: int
    constant: str
    holder: ast.AST
    at: tuple[str, int | None]
    new: ast.AST

    def changed(self) -> ast.Module:
        """The changed file; the tree that it shares with the other mutants of the file stays changed."""
        _put(self.holder, self.at, self.new)
        return self.tree


def mutants_of(path: Path) -> list[Mutant]:
    """All mutants of a file, in the order of its text."""
    tree = ast.parse(path.read_text())
    seen: Counter[str] = Counter()
    found = []
    for scope, where in _scopes(tree):
        for line, holder, at, old, new in _changes(scope, _line_of(scope)):
            told = f"{path.name}:{where}: {_told(holder, at, old, new)}"
            seen[told] += 1
            key = told if seen[told] == 1 else f"{told} ({seen[told]})"
            constant = (
                "" if isinstance(scope, ast.FunctionDef) else _text(scope).replace(":", " ").split()[0].strip("(,)")
            )
            found.append(Mutant(path, tree, key, line, constant, holder, at, new))
    return found


def users(constant: str, paths: list[Path]) -> set[tuple[str, int]]:
    """The statements of functions, as ``reporting`` reports them, in which a constant is named."""
    found = set()
    for path in paths:
        for function in [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]:
            for statement in [node for node in ast.walk(function) if isinstance(node, ast.stmt)]:
                if any(isinstance(node, ast.Name) and node.id == constant for node in ast.walk(statement)):
                    found.add((path.stem, _line_of(statement)))
    return found


def reporting(path: Path) -> ast.Module:
    """The file with ``__reached__((name of the file, line))`` called before each statement of a function."""
    tree = ast.parse(path.read_text())
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for node in ast.walk(function):
            for name in ("body", "orelse"):
                statements = getattr(node, name, None)
                if isinstance(statements, list):
                    setattr(node, name, [part for statement in statements for part in _reported(statement, path.stem)])
    return tree


def _reported(statement: ast.stmt, stem: str) -> list[ast.stmt]:
    if _said(statement) or isinstance(statement, ast.FunctionDef) or hasattr(statement, "reported"):
        return [statement]
    statement.reported = True  # type: ignore[attr-defined]
    place = ast.Tuple([ast.Constant(stem), ast.Constant(_line_of(statement))], ast.Load())
    call = ast.Expr(ast.Call(ast.Name("__reached__", ast.Load()), [place], []))
    call.reported = True  # type: ignore[attr-defined]
    return [call, statement]


def _line_of(statement: ast.stmt) -> int:
    # Defaults belong to whatever calls the function, which begins with its first statement.
    if isinstance(statement, ast.FunctionDef):
        return next(part.lineno for part in statement.body if not _said(part))
    return statement.lineno


def exchange(path: Path, tree: ast.Module, also: dict[str, object]) -> None:
    """Give the functions of a loaded module of the statistics the code of another tree, and everyone its constants.

    Raises:
        LookupError: if a function is not found.
    """
    name = f"pfungst.statistics.{path.stem}"
    module, fresh = vars(sys.modules[name]), {"__name__": name, "__file__": str(path)}
    exec(compile(ast.fix_missing_locations(tree), str(path), "exec"), fresh)  # noqa: S102 - what mutants are for
    module.update(also)
    for item in ast.walk(tree):
        if isinstance(item, ast.ClassDef):
            methods = [part.name for part in item.body if isinstance(part, ast.FunctionDef)]
            old, new = vars(module[item.name]), vars(fresh[item.name])
            for method in methods:
                _recode(old[method], new[method])
    for key in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]:
        _recode(module[key], fresh[key])
    for key, value in fresh.items():
        numbers = value.values() if isinstance(value, dict) else [value]
        if key in module and all(isinstance(number, int | float | tuple) for number in numbers):
            _replace(key, module[key], value)


def _recode(old: object, new: object) -> None:
    if isinstance(old, property) and isinstance(new, property):
        old, new = old.fget, new.fget
    if not isinstance(old, FunctionType) or not isinstance(new, FunctionType):
        raise LookupError(f"{old} is no function")  # noqa: TRY004 - it is not there to be exchanged
    old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def _replace(key: str, old: object, new: object) -> None:
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        if getattr(module, "__name__", "").split(".")[0] in ("pfungst", "tests") and names.get(key) is old:
            names[key] = new


def _scopes(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Functions, methods, and the other statements of a module, with a name for each."""
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            methods = (part for part in statement.body if isinstance(part, ast.FunctionDef))
            yield from ((method, f"{statement.name}.{method.name}") for method in methods)
        else:
            yield statement, statement.name if isinstance(statement, ast.FunctionDef) else "constants"


Change = tuple[int, ast.AST, tuple[str, int | None], ast.AST, ast.AST]


def _changes(node: ast.AST, line: int) -> Iterator[Change]:
    """Everything below a node that can be changed: line of the statement, holder, field, old and new."""
    if isinstance(node, _SILENT):
        return
    for name, value in ast.iter_fields(node):
        if name in _UNREAD:
            continue
        many = value if isinstance(value, list) else [value]
        for index, child in enumerate(many):
            if not isinstance(child, ast.AST) or _said(child):
                continue
            at = _line_of(child) if isinstance(child, ast.stmt) else line
            for new in _replacements(child, node, name):
                yield at, node, (name, index if isinstance(value, list) else None), child, new
            yield from _changes(child, at)


def _said(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _replacements(node: ast.AST, holder: ast.AST, name: str) -> Iterator[ast.AST]:
    for kind, change in _CHANGED:
        if isinstance(node, kind):
            yield from change(node)
    plain = not isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp)
    if name == "test" and plain and isinstance(node, ast.expr):
        yield ast.UnaryOp(ast.Not(), node)
    if isinstance(holder, ast.Slice) and name in {"lower", "upper"}:
        yield ast.Constant(None)
    if isinstance(holder, ast.Return) and isinstance(node, ast.expr) and _text(node) != "None":
        yield ast.Constant(None)


def _compared(node: ast.Compare) -> Iterator[ast.AST]:
    for at, operator in enumerate(node.ops):
        for other in _COMPARED[type(operator)]:
            yield ast.Compare(node.left, [*node.ops[:at], other(), *node.ops[at + 1 :]], node.comparators)


def _computed(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in _COMPUTED:
        yield ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)


def _added(node: ast.AugAssign) -> Iterator[ast.AST]:
    yield ast.AugAssign(node.target, _COMPUTED[type(node.op)](), node.value)
    yield ast.Pass()


def _numbered(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)


def _joined(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)


def _signed(node: ast.UnaryOp) -> Iterator[ast.AST]:
    yield node.operand


def _called(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name | ast.Attribute):
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if name in _NAMES:
            other = _NAMES[name]
            named = ast.Name(other) if isinstance(node.func, ast.Name) else ast.Attribute(node.func.value, other)
            named.ctx = ast.Load()
            yield ast.Call(named, node.args, node.keywords)
        if name == "abs":
            yield node.args[0]


def _assigned(node: ast.Assign) -> Iterator[ast.AST]:
    if any(isinstance(target, ast.Subscript) for target in node.targets):
        yield ast.Pass()


def _left_out(node: ast.stmt) -> Iterator[ast.AST]:
    del node
    yield ast.Pass()


_CHANGED: tuple[tuple[type[ast.AST], Callable[..., Iterator[ast.AST]]], ...] = (
    (ast.Compare, _compared),
    (ast.BinOp, _computed),
    (ast.AugAssign, _added),
    (ast.Constant, _numbered),
    (ast.BoolOp, _joined),
    (ast.UnaryOp, _signed),
    (ast.Call, _called),
    (ast.Assign, _assigned),
    (ast.Raise, _left_out),
    (ast.Break, _left_out),
    (ast.Continue, _left_out),
)


def _put(holder: ast.AST, at: tuple[str, int | None], node: ast.AST) -> None:
    name, index = at
    if index is None:
        setattr(holder, name, node)
    else:
        getattr(holder, name)[index] = node


def _told(holder: ast.AST, at: tuple[str, int | None], old: ast.AST, new: ast.AST) -> str:
    if not isinstance(old, ast.Constant) or not isinstance(holder, ast.expr | ast.keyword):
        return f"{_text(old)} -> {_text(new)}"
    # A bare number says little; the expression that it stands in does.
    before = _text(holder)
    _put(holder, at, new)
    after = _text(holder)
    _put(holder, at, old)
    return f"{before} -> {after}"


def _text(node: ast.AST) -> str:
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 100 else text[:97] + "..."
