"""How long `dnaspt` takes to answer where no model is needed: import, help, and mistakes. Medians of five interleaved runs.

`python benchmarks/startup.py` shows, for each, its time on the clock and on the processor (which other programs do not lengthen),
and the limit that it should keep.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

REPEATS = 5


@dataclass(frozen=True)
class Case:
    """A command, the seconds that it may take, and its exit code."""

    name: str
    words: tuple[str, ...]
    limit_s: float
    code: int = 0


@dataclass
class Times:
    """Seconds of each run, on the clock and on the processor."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def cases(folder: Path) -> list[Case]:
    """What is measured, on a small dataset and run that are made here."""
    data, run = make_files(folder)
    genome, there = str(folder / "genome" / "genome.fa"), str(folder)
    missing = str(folder / "missing")
    mistakes = {
        "pretrain, run already there": ("pretrain", data, "--out", run),
        "finetune, run already there": ("finetune", data, "--out", run),
        "finetune, head of another task": ("finetune", data, "--out", missing, "--head", "sigmoid"),
        "finetune, no such encoder": ("finetune", data, "--out", missing, "--encoder", missing),
        "pretrain, no such dataset": ("pretrain", missing, "--out", missing),
        "pretrain, unknown option": ("pretrain", data, "--out", missing, "--setps", "3"),
        "pretrain, a value out of range": ("pretrain", data, "--out", missing, "--epochs", "0"),
        "prepare genes, no such genome": (
            *("prepare", "genes", "--genome", missing, "--annotation", missing),
            *("--out", str(folder / "more")),
        ),
        "prepare genes, already there": (
            "prepare",
            "genes",
            "--genome",
            genome,
            "--annotation",
            genome,
            "--out",
            there,
        ),
        "evaluate, no such run": ("evaluate", missing, "--data", data),
        "predict, no such run": ("predict", missing, "--genome", genome, "--out", str(folder / "x.gff3")),
        "predict, no such genome": ("predict", run, "--genome", missing, "--out", str(folder / "x.gff3")),
    }
    return [
        Case("python -c pass", ("-c", "pass"), 0.1),
        Case("import dnaspt", ("-c", "import dnaspt"), 0.15),
        Case("dnaspt --help", ("-m", "dnaspt", "--help"), 0.3),
        *(Case(name, ("-m", "dnaspt", *words), 1.0, code=2) for name, words in mistakes.items()),
    ]


def make_files(folder: Path) -> tuple[str, str]:
    """A simulated genome, a dataset of its genes, and the folder of a run that began."""
    data, run, genome = folder / "data", folder / "run", folder / "genome"
    sources = ("--genome", genome / "genome.fa", "--annotation", genome / "annotation.gff3")
    for words in (
        ("simulate", "--out", genome, "--n-contigs", 1, "--contig-bp", 20_000),
        ("prepare", "genes", *sources, "--out", data),
    ):
        subprocess.run([sys.executable, "-m", "dnaspt", *map(str, words)], stdout=subprocess.DEVNULL, check=True)
    run.mkdir()
    (run / "run.json").write_text("{}\n")
    return str(data), str(run)


def measure(case: Case) -> tuple[float, float]:
    """Seconds of one run, on the clock and on the processor (nan where the system does not say)."""
    began, before = time.perf_counter(), children_s()
    ran = subprocess.run([sys.executable, *case.words], capture_output=True, text=True)
    if ran.returncode != case.code:
        sys.exit(f"{case.name}: ended with {ran.returncode}, expected {case.code}: {ran.stderr.strip()}")
    return time.perf_counter() - began, children_s() - before


def children_s() -> float:
    """Seconds that ended child processes have spent on the processor; always 0 on Windows, which does not say."""
    spent = os.times()
    return spent.children_user + spent.children_system


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        measured = {case: Times() for case in cases(Path(name))}
        for _ in range(REPEATS):
            for case, times in measured.items():
                clock_s, processor_s = measure(case)
                times.clock.append(clock_s)
                times.processor.append(processor_s)
    print(f"{'':32s} {'clock':>8s} {'processor':>10s} {'limit':>8s}")
    for case, times in measured.items():
        clock_s, processor_s = statistics.median(times.clock), statistics.median(times.processor)
        late = (
            "" if clock_s <= case.limit_s else "  over" if processor_s > case.limit_s else "  over; other programs ran"
        )
        print(f"{case.name:32s} {clock_s:6.3f} s {processor_s:8.3f} s {case.limit_s:6.2f} s{late}")


if __name__ == "__main__":
    main()
