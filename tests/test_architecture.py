"""The sources keep the rules of `tests/architecture.py`, and each rule sees what breaks it."""

import ast
from pathlib import Path

import pytest

from tests.architecture import (
    LAYERS,
    OURS,
    PURE,
    Module,
    Rule,
    does_what_only_cli_does,
    holds_state_in_the_module,
    imports_inside_a_function,
    imports_more_than_its_folder_may,
    imports_upwards_or_sideways,
    imports_what_is_no_requirement,
    is_not_pure,
    works_at_import,
)

ROOT = Path(__file__).resolve().parent.parent

SOURCES = [
    Module(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"), str(path)))
    for part in LAYERS
    for path in sorted([*ROOT.glob(f"{part}.py"), *ROOT.glob(f"{part}/**/*.py")])
]

BREACHES: list[tuple[Rule, str, str]] = [
    (imports_upwards_or_sideways, "sse/a.py", "import ingest"),
    (imports_upwards_or_sideways, "sse/a.py", "def f():\n from ingest.session import Session"),
    (imports_upwards_or_sideways, "ingest/a.py", "if TYPE_CHECKING:\n import sse.channel"),
    (imports_upwards_or_sideways, "ingest/a/b.py", "from ... import web"),
    (imports_upwards_or_sideways, "web/a.py", "from app import main"),
    (imports_upwards_or_sideways, "app.py", "import sse"),
    (imports_upwards_or_sideways, "app.py", "from tests import helpers"),
    (imports_more_than_its_folder_may, "ingest/builtin/a.py", "from ingest.session import Session"),
    (imports_what_is_no_requirement, "sse/a.py", "import orjson"),
    (imports_what_is_no_requirement, "web/a.py", "from starlette.types import Scope"),
    (imports_what_is_no_requirement, "ingest/a.py", "from PIL import Image"),
    (does_what_only_cli_does, "sse/a.py", "from uvicorn.server import Server"),
    (
        does_what_only_cli_does,
        "ingest/manager.py",
        "def f():\n return os.environ['A']",
    ),
    (
        does_what_only_cli_does,
        "ingest/settings.py",
        "def f():\n logging.basicConfig()",
    ),
    (does_what_only_cli_does, "ingest/a.py", "from os import getenv as g"),
    (does_what_only_cli_does, "web/a.py", "import logging.config"),
    (does_what_only_cli_does, "web/a.py", "def f():\n logging.basicConfig()"),
    (does_what_only_cli_does, "web/a.py", "def f():\n logger.setLevel(10)"),
    (imports_inside_a_function, "app.py", "def main():\n import uvicorn"),
    (
        imports_inside_a_function,
        "ingest/builtin/image.py",
        "async def f():\n from ingest import session",
    ),
    (imports_inside_a_function, "web/a.py", "class A:\n def f(self):\n  import os"),
    (works_at_import, "web/a.py", "register()"),
    (works_at_import, "web/a.py", "try:\n import a\nexcept ImportError:\n register()"),
    (works_at_import, "web/a.py", "for name in NAMES:\n f(name)"),
    (works_at_import, "web/a.py", "with open('x') as f:\n TEXT = f.read()"),
    (holds_state_in_the_module, "web/a.py", "sessions = {'a': 1}"),
    (holds_state_in_the_module, "web/a.py", "_SESSIONS: dict[str, int] = {}"),
    (holds_state_in_the_module, "web/a.py", "_WAITERS = set[int]()"),
    (holds_state_in_the_module, "web/a.py", "numbers = itertools.count()"),
    (holds_state_in_the_module, "web/a.py", "if True:\n names = [n for n in NAMES]"),
    (holds_state_in_the_module, "web/a.py", "def f():\n global _newest\n _newest = 1"),
    (is_not_pure, "sse/event.py", "import asyncio"),
    (is_not_pure, "ingest/session.py", "def f():\n return datetime.now(UTC)"),
    (is_not_pure, "sse/parser.py", "def f(path):\n return open(path)"),
]

ALLOWED = """
'''A module.'''
import os
from a.b import c
if TYPE_CHECKING:
    from a import d
LIMIT: int = 5
'''Why.'''
NAMES = ("a", "b")
TYPES = {".css": "text/css"}
logger = logging.getLogger("a")
def f():
    seen = []
    os.getpid()
if __name__ == "__main__":
    f()
"""
RULES: list[Rule] = list(dict.fromkeys(rule for rule, _, _ in BREACHES))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_source_breaks_the_rule(rule: Rule) -> None:
    """The layers, their requirements and their purity are as the parts were designed."""
    breaches = {module.path: found for module in SOURCES if (found := sorted(rule(module)))}
    assert not breaches


@pytest.mark.parametrize(("rule", "path", "text"), BREACHES)
def test_rule_sees_a_breach(rule: Rule, path: str, text: str) -> None:
    """Each rule fails for code that breaks it."""
    assert list(rule(Module(path, ast.parse(text))))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_lets_plain_code_pass(rule: Rule) -> None:
    """Imports, constants, loggers, definitions and a main guard are no breach."""
    text = ALLOWED.replace("a.b", "ingest.b").replace("from a ", "from sse ")
    assert not list(rule(Module("web/a.py", ast.parse(text))))


def test_extra_may_be_imported_late_where_it_is_wrapped() -> None:
    """The service runs without Pillow, so one module imports it when it is needed."""
    module = Module("ingest/builtin/decode.py", ast.parse("def f():\n from PIL import Image"))
    assert not [breach for rule in RULES for breach in rule(module)]


def test_every_part_is_known_to_the_rules() -> None:
    """A new package, or a new module at the top, is nobody's until it has its layer."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert packages | modules <= OURS
    assert {module.part for module in SOURCES} == (packages | modules) & set(LAYERS)
    assert {"sse", "ingest", "web"} <= packages
    assert {path for path in PURE if not (ROOT / path).is_file()} == set()
