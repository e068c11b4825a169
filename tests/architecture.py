"""
The rules of who may know whom, and of what no module may do.

The sources are parsed, not run. A rule is a function from a module to its breaches.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

LAYERS = {
    "sse": frozenset[str](),
    "ingest": frozenset[str](),
    "cluster": frozenset({"ingest", "sse"}),
    "web": frozenset({"cluster", "ingest", "sse"}),
    "cli": frozenset({"cluster", "ingest", "sse", "web"}),
    "app": frozenset({"cli", "web"}),
}
"""What each part may import besides itself."""

OURS = frozenset(LAYERS) | {"tests", "benchmarks", "examples"}

NARROW = {
    "ingest/builtin/": frozenset({"ingest.builtin", "ingest.errors", "ingest.outcome"}),
}
"""Folders that may import only these modules of their own part."""

REQUIREMENTS = {
    "sse": frozenset[str](),
    "ingest": frozenset({"orjson"}),
    "cluster": frozenset({"orjson", "procrastinate", "psycopg", "psycopg_pool"}),
    "web": frozenset({"orjson"}),
    "cli": frozenset({"uvicorn"}),
    "app": frozenset[str](),
}
"""What each part may import besides ours and the standard library."""

EXTRAS = {
    "ingest/builtin/decode.py": frozenset({"PIL", "pillow_heif"}),
    "ingest/builtin/preview.py": frozenset({"PIL"}),
    "ingest/builtin/audio.py": frozenset({"tinytag"}),
    "ingest/builtin/pdf.py": frozenset({"pikepdf"}),
    "ingest/builtin/video.py": frozenset({"av"}),
    "ingest/builtin/charsets.py": frozenset({"charset_normalizer"}),
    "cli/bar.py": frozenset({"rich"}),
    "web/metrics.py": frozenset({"prometheus_client"}),
    "web/clustered.py": frozenset({"cluster"}),
    "cli/clustered.py": frozenset({"cluster"}),
}
"""The one module that wraps each optional extra; there alone an import may stand in a function."""

PURE = frozenset(
    {"sse/event.py", "sse/parser.py", "sse/channel.py", "sse/timing_wheel.py", "ingest/session.py"}
    | {"ingest/exclude.py", "ingest/progress.py"}
)
"""No event loop, clock, chance, file, socket, thread or log: what they need is handed to them."""

IMPURE = frozenset(
    {"asyncio", "io", "logging", "os", "random", "secrets", "shutil", "socket", "sqlite3"}
    | {"subprocess", "threading", "time"}
)
CLOCKS = frozenset({"now", "today", "utcnow"})

ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})
LOGGING = frozenset({"basicConfig", "dictConfig", "fileConfig", "addHandler", "setLevel"})
ONLY_CLI_IMPORTS = frozenset(
    {"logging.config"}
    | {f"os.{name}" for name in ENVIRONMENT}
    | {f"logging.{name}" for name in LOGGING}
)
"""Besides uvicorn and what is in it."""

READS_ENVIRONMENT = frozenset({"ingest/settings.py", "ingest/workers/process.py"})
"""
The other modules that may: one for `Settings.from_env()`, as hosts use no command line, and one to
leave the service's secrets out of a worker's environment.
"""

MUTABLE_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = frozenset(
    {"list", "dict", "set", "bytearray", "deque", "defaultdict", "OrderedDict", "Counter"}
    | {"ChainMap", "WeakSet", "WeakKeyDictionary", "WeakValueDictionary", "count", "cycle"}
    | {"Queue", "SimpleQueue", "Lock", "RLock", "Condition", "Semaphore", "local", "ContextVar"}
    | {"ThreadPoolExecutor", "ProcessPoolExecutor"}
)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DECLARATIONS = (ast.Import, ast.ImportFrom, *FUNCTIONS, ast.ClassDef, ast.Assign, ast.AnnAssign)


@dataclass(frozen=True, slots=True)
class Module:
    path: str
    tree: ast.Module

    @property
    def part(self) -> str:
        return PurePosixPath(self.path).parts[0].removesuffix(".py")

    @property
    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)

    @property
    def statements(self) -> Iterator[ast.stmt]:
        """What runs at import, function and class bodies apart."""
        return _unnested(self.tree.body)

    @property
    def imported(self) -> Iterator[str]:
        """Dotted names; for `from a import b` both `a` and `a.b`."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                folder = PurePosixPath(self.path).parts[:-1]
                above = folder[: len(folder) + 1 - node.level] if node.level else ()
                base = ".".join([*above, *filter(None, [node.module])])
                yield from filter(None, [base])
                yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


Rule = Callable[[Module], Iterator[str]]


def _unnested(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If):
            if ast.unparse(statement.test) != "__name__ == '__main__'":
                yield from _unnested(statement.body + statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from _unnested(statement.body + statement.orelse + statement.finalbody)
            for handler in statement.handlers:
                yield from _unnested(handler.body)
        else:
            yield statement


def _first(dotted: str) -> str:
    return dotted.partition(".")[0]


def imports_upwards_or_sideways(module: Module) -> Iterator[str]:
    allowed = LAYERS[module.part] | {module.part}
    yield from (name for name in module.imported if _first(name) in OURS - allowed)


def imports_more_than_its_folder_may(module: Module) -> Iterator[str]:
    for folder, allowed in NARROW.items():
        if module.path.startswith(folder):
            for name in module.imported:
                ours = _first(name) == module.part
                if ours and not any(f"{name}.".startswith(f"{each}.") for each in allowed):
                    yield name


def imports_what_is_no_requirement(module: Module) -> Iterator[str]:
    allowed = OURS | sys.stdlib_module_names | REQUIREMENTS[module.part]
    allowed |= EXTRAS.get(module.path, frozenset())
    yield from (name for name in module.imported if _first(name) not in allowed)


def does_what_only_cli_does(module: Module) -> Iterator[str]:
    if module.part == "cli":
        return
    used = {node.attr for node in module.nodes if isinstance(node, ast.Attribute)}
    yield from used & LOGGING
    if module.path not in READS_ENVIRONMENT:
        yield from used & ENVIRONMENT
    for name in module.imported:
        if _first(name) == "uvicorn" or name in ONLY_CLI_IMPORTS:
            yield name


def imports_inside_a_function(module: Module) -> Iterator[str]:
    at_import = set(module.statements)
    extras = EXTRAS.get(module.path, frozenset())
    for node in module.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in at_import:
            only = Module(module.path, ast.Module(body=[node], type_ignores=[]))
            if {_first(name) for name in only.imported} - extras:
                yield ast.unparse(node)


def works_at_import(module: Module) -> Iterator[str]:
    for statement in module.statements:
        is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not isinstance(statement, (*DECLARATIONS, ast.Pass)) and not is_docstring:
            yield ast.unparse(statement)


def holds_state_in_the_module(module: Module) -> Iterator[str]:
    yield from (ast.unparse(node) for node in module.nodes if isinstance(node, ast.Global))
    for statement in module.statements:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            constant = all(_is_constant(ast.unparse(target)) for target in targets)
            if _is_state(statement.value, constant=constant):
                yield ast.unparse(statement)


def _is_constant(name: str) -> bool:
    return name.isupper() or name == "__all__"


def _is_state(value: ast.expr, *, constant: bool) -> bool:
    """An empty display is there to be filled, whatever its name says."""
    if isinstance(value, ast.Call):
        return ast.unparse(value.func).split(".")[-1].split("[")[0] in MUTABLE_CALLS
    empty = ast.unparse(value) in {"[]", "{}"}
    return isinstance(value, MUTABLE_DISPLAYS) and (empty or not constant)


def is_not_pure(module: Module) -> Iterator[str]:
    if module.path in PURE:
        yield from (name for name in module.imported if _first(name) in IMPURE)
        used = {node.attr for node in module.nodes if isinstance(node, ast.Attribute)}
        yield from used & CLOCKS
        yield from (n.id for n in module.nodes if isinstance(n, ast.Name) and n.id == "open")
