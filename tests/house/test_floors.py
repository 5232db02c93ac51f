"""The house stands: imports run down, the five nevers hold, heavy packages live in their rooms."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pfungst"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = {
    "accepted": 1, "arrays": 1, "attacked": 1, "canonical": 1, "errors": 1, "frame": 1, "imported": 1, "listening": 1,
    "maps": 1, "outputs": 1, "packed": 1, "paged": 1, "proven": 1, "registry": 1, "seeded": 1, "stated": 1,
    "statistics": 1, "summarised": 1, "targets": 1, "typed": 1,
    "comparison": 2, "datasets": 2, "findings": 2, "gating": 2, "models": 2, "pairing": 2, "stored": 2, "task": 2,
    "load": 3, "loaders": 3, "passes": 3, "report": 3, "runs": 3,
    "engine": 4, "exporters": 4, "methods": 4, "probe": 4,
    "probes": 5,
    "audit_result": 6, "auditing": 6, "audits": 6, "commands": 6, "comparing": 6, "demo": 6, "doctor": 6,
    "exporting": 6, "feedback": 6, "log_rows": 6, "monitoring": 6, "outlets": 6, "progress": 6, "remedies": 6,
    "remedying": 6, "tables": 6, "testing": 6, "viewing": 6,
    "cli": 7, "pytest_plugin": 7,
}  # fmt: skip
NEVERS = {
    "report": {"probes", "engine", "methods"},
    "methods": {"probes", "engine", "report"},
    "probes": {"engine", "models", "report"},
}
HEAVY = {
    ("models", "datasets"): {"torch", "onnxruntime", "transformers", "datasets", "skops", "joblib", "timm"},
    ("exporters",): {"mlflow", "wandb", "yaml"},
    (): {"ray"},
    ("viewing",): {"starlette", "uvicorn", "duckdb"},
}
DISTRIBUTED = {PACKAGE / "engine" / "ray.py": "ray"}
"""The one file that hands work to other machines, and the package that it alone imports."""
IMPORTERS = {"import_module", "__import__", "needed"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
OUTSIDE = {"argv", "environ", "environb", "getenv", "getenvb"}


def room(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path):
    """(module, line, inside a function) of every import that runs; ``__init__`` alone may import for types only."""
    tree = ast.parse(path.read_text())
    inside = {child for node in ast.walk(tree) if isinstance(node, FUNCTIONS) for child in ast.walk(node)}
    typing_only = {
        child
        for node in ast.walk(tree)
        if path == PACKAGE / "__init__.py" and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, node in inside
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.module, node.lineno, node in inside
            for alias in node.names if node.module == "pfungst" else ():
                yield f"pfungst.{alias.name}", node.lineno, node in inside
        elif path != PACKAGE / "__init__.py" and (module := spelled(node)):
            yield module, node.lineno, node in inside


def spelled(node):
    """The module that a call imports by its name, '' for any other node; a name made up while running is '' too."""
    if not isinstance(node, ast.Call) or not node.args:
        return ""
    called = ast.unparse(node.func).split(".")[-1]
    first = node.args[0]
    if isinstance(first, ast.JoinedStr) and first.values:
        first = first.values[0]
    named = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return first.value.rstrip(".") if named and called in IMPORTERS else ""


def first_party(path):
    for module, line, inside in imports(path):
        if module.split(".")[0] == "pfungst":
            yield module, line, inside


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_down(path):
    if path == PACKAGE / "__init__.py":
        assert not list(first_party(path)), "the package itself imports nothing before it is asked"
        return
    for module, line, inside in first_party(path):
        assert not inside, f"{path}:{line} hides an import of {module} in a function"
        parts = module.split(".")
        if len(parts) == 1:
            continue
        assert FLOORS[parts[1]] <= FLOORS[room(path)], f"{path}:{line} imports {module} from above"
        assert parts[1] not in NEVERS.get(room(path), set()), f"{path}:{line} must never import {module}"


def test_there_is_no_circle():
    known = {"pfungst." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in FILES}
    known = {name.removesuffix(".__init__"): path for name, path in known.items()}
    graph = {name: {module for module, _, _ in first_party(path) if module in known} for name, path in known.items()}
    state = {}

    def visit(name, trail):
        assert state.get(name) != "open", f"circle: {' -> '.join([*trail, name])}"
        if name not in state:
            state[name] = "open"
            for other in sorted(graph[name] - {"pfungst"}):
                visit(other, [*trail, name])
            state[name] = "done"

    for name in sorted(graph):
        visit(name, [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_stay_in_their_rooms(path):
    for module, line, _ in imports(path):
        for rooms, packages in HEAVY.items():
            if module.split(".")[0] in packages - {DISTRIBUTED.get(path)}:
                assert room(path) in rooms, f"{path}:{line} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_reads_arguments_and_environment(path):
    if room(path) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in OUTSIDE, f"{path}:{node.lineno} reads {node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module in {"os", "sys"}:
            taken = OUTSIDE & {alias.name for alias in node.names}
            assert not taken, f"{path}:{node.lineno} takes {taken}"


def test_probes_tell_of_rows_as_a_redacted_audit_may():
    seeding = {PACKAGE / "probes" / "trials.py"}
    asked = [path for path in (PACKAGE / "probe.py", *(PACKAGE / "probes").glob("*.py")) if path not in seeding]
    assert not [path.name for path in asked if ".ids[" in path.read_text()], "data.told(row) says what a row is called"
