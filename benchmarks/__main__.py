"""python -m benchmarks [name ...] [--json FILE] [--rounds N] [--only SCENARIO ...] [--frames N] [--against DIR]

Names are those of the modules bench_*.py; each has a function `run(only, *, rounds, seed)` that returns figures.
"""

from __future__ import annotations

import argparse
import importlib
from inspect import signature
from pathlib import Path
from typing import Any

from benchmarks import record

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--json", type=Path, help="write the figures, with versions, machine and commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, help="frames per round, where the benchmark counts them: small for a try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="run ours also from this checkout, where a benchmark can"
    )
    parser.add_argument("--only", action="append", default=[], help="a scenario of the benchmark")
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    result = record.facts(options.seed)
    for name in options.names or NAMES:
        module = importlib.import_module(f"benchmarks.bench_{name}")
        wanted = {
            "frames": options.frames,
            "against": options.against,
            "keep": lambda figures, name=name: keep(options.json, result, name, figures),
        }
        extra = {key: wanted[key] for key in signature(module.run).parameters if wanted.get(key)}
        figures = module.run(options.only, rounds=options.rounds, seed=options.seed, **extra)
        keep(options.json, result, name, figures)


def keep(file: Path | None, result: dict[str, Any], name: str, figures: dict[str, Any]) -> None:
    """Note figures; a run that is interrupted leaves what it has, and what the file has of other scenarios stays."""
    result[name] = figures
    if file:
        record.write(file, result)


if __name__ == "__main__":
    main()
