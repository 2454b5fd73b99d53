"""What is public: listed, documented, typed, and of bounded length."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import picsellia_async
from picsellia_async import AsyncClient, AsyncDeployment
from picsellia_async._wire.endpoint import ENDPOINTS

PACKAGE = Path(picsellia_async.__file__).parent
MODULES = sorted(
    name for _, name, _ in pkgutil.walk_packages(picsellia_async.__path__, "picsellia_async.") if "__main__" not in name
)
MODULE_LINES = 500
LONGER = {"deployment.py": 1320, "_http/connection.py": 590}
"""Longer with a reason: a short method for each call of a deployment, nearly all docstring; and one state machine, whose callbacks,
waits and clock change the same fields."""


def test_all_is_sorted_and_complete():
    """`__all__` lists what the root hands out, once, in order; type checkers and `__getattr__` are told the same."""
    names = picsellia_async.__all__
    assert names == sorted(names)
    assert len(names) == len(set(names))
    assert set(names) - {"__version__"} == set(picsellia_async._WHERE)
    source = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    checked = {
        (alias.name, node.module)
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {(n, f"picsellia_async.{m}") for n, m in picsellia_async._WHERE.items()} <= checked


@pytest.mark.parametrize("name", [n for n in picsellia_async.__all__ if n != "__version__"])
def test_every_public_name_has_a_docstring(name):
    """Every public class, and every public method of it, says what it promises."""
    value = getattr(picsellia_async, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value) and value.__module__.startswith("picsellia_async"):
        bare = [
            key
            for key, member in vars(value).items()
            if not key.startswith("_")
            and (inspect.isfunction(member) or isinstance(member, property))
            and not inspect.getdoc(member)
        ]
        assert not bare


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_belongs_in_it(module):
    """A newcomer reads the file list and the first sentences."""
    assert importlib.import_module(module).__doc__


def test_modules_are_short():
    """A file holds one noun; beyond 500 lines it holds two."""
    long = {
        name: lines
        for path in PACKAGE.rglob("*.py")
        if (lines := path.read_text(encoding="utf-8").count("\n"))
        > LONGER.get(name := path.relative_to(PACKAGE).as_posix(), MODULE_LINES)
    }
    assert not long


def test_few_modules_catch_everything():
    """`except Exception` hides faults; the places that may are named here, each records or raises again."""
    catching = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) == "Exception"):
                swallows = not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                if swallows:
                    catching.add(str(path.relative_to(PACKAGE)))
    assert catching <= {
        "_delivery/ledger.py",
        "_delivery/permission.py",
        "_delivery/sender.py",
        "_delivery/spool/spool.py",
        "_deployment/prediction_stream.py",
        "_error_text.py",
        "_services/remembered.py",
        "_delivery/stream.py",
        "pipeline/_model.py",
        "pipeline/_rule.py",
        "pipeline/pipeline.py",
        "sources/_errors.py",
    } | {name for name in catching if name.startswith(("emulator/", "cli/"))}


WIRE_LINE = re.compile(r"(GET|XGET|POST|PUT|PATCH|DELETE) \{(platform|oracle|serving)\}(/\S+?),? ")
KNOWN = {(e.method, e.host.value, re.sub(r"\{\w+\}", "{}", e.path)) for e in ENDPOINTS.values()}


@pytest.mark.parametrize("cls", [AsyncClient, AsyncDeployment])
def test_wire_lines_agree_with_the_table(cls):
    """Each "Wire:" line of a docstring names an endpoint of the table, verb, host and path."""
    seen = 0
    for name, member in inspect.getmembers(cls, inspect.isfunction):
        doc = inspect.getdoc(member) or ""
        if "Wire:" not in doc:
            continue
        for method, host, path in WIRE_LINE.findall(doc[doc.index("Wire:") :] + " "):
            seen += 1
            assert (method, host, re.sub(r"\{\w+\}", "{}", path.rstrip(".,;"))) in KNOWN, (
                f"{cls.__name__}.{name}: {path}"
            )
    assert seen > 3


@pytest.mark.parametrize(
    "name", [n for n, m in inspect.getmembers(AsyncDeployment, inspect.iscoroutinefunction) if not n.startswith("_")]
)
def test_every_call_of_a_deployment_names_its_wire(name):
    """Who reads a method finds the request that it makes, or the method that makes it."""
    doc = inspect.getdoc(getattr(AsyncDeployment, name)) or ""
    assert "Wire:" in doc or "`" in doc


def test_the_installed_package_is_typed():
    """`py.typed` is installed beside the modules."""
    assert (PACKAGE / "py.typed").exists()


def test_the_version_is_written_once():
    """Metadata and module agree."""
    from importlib.metadata import version

    assert version("picsellia-async") == picsellia_async.__version__


def test_importing_has_no_side_effect():
    """No logging configuration, nothing printed, no loop made."""
    code = (
        "import logging; before = logging.root.handlers[:], logging.root.level; import picsellia_async;"
        "assert (logging.root.handlers, logging.root.level) == (before[0], before[1]);"
        "assert all(isinstance(h, logging.NullHandler) for h in logging.getLogger('picsellia_async').handlers)"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_are_loaded_when_used():
    """Importing the package imports none of it; an unknown name is an AttributeError, a known one is found by `dir`."""
    code = (
        "import sys, picsellia_async as p; assert 'httpx' not in sys.modules, 'loaded';"
        "assert p.AsyncClient and 'httpx' in sys.modules; assert 'AsyncClient' in dir(p); assert not hasattr(p, 'Nonsense')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


NOT_FOR_THE_CLIENT = (
    "picsellia_async._delivery",
    "picsellia_async.uploader",
    "picsellia_async.sources",
    "picsellia_async.emulator",
    "picsellia_async.cli",
    "picsellia_async.progress",
    "sqlite3",
    "starlette",
    "uvicorn",
    "jwt",
    "rich",
    "av",
    "cv2",
    "numpy",
    "opentelemetry",
)
"""What a program that imports `AsyncClient` must not pay for: the uploader is loaded when one is made, the extras never."""


def test_the_client_loads_no_uploader_and_no_extra():
    """Importing `AsyncClient` loads what a single call needs; beside the core dependencies, only the standard library."""
    code = (
        "import httpx, attrs, cattrs.preconf.orjson, orjson, aiofiles, anyio.to_thread, httptools, pybase64, sys\n"
        "before = set(sys.modules)\n"
        "from picsellia_async import AsyncClient\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "picsellia_async.client" in loaded
    heavy = {name for name in loaded if f"{name}.".startswith(tuple(f"{n}." for n in NOT_FOR_THE_CLIENT))}
    assert heavy <= {"picsellia_async._delivery", "picsellia_async._delivery.options"}, (
        "the options: signatures show them"
    )
    roots = {name.partition(".")[0] for name in loaded}
    assert roots - sys.stdlib_module_names <= {"picsellia_async", "aiofiles", "anyio"}
