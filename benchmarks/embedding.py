"""`embed` pooled over windows of a genome beside `predict` with the same encoder, on real sequence, in one run.

`DNASPT_REAL_DATA=... python benchmarks/embedding.py` trains a model of windows for a few steps (its weights change no speed) on
the human pieces of regions/human_brain, then times whole commands in turn on 10 Mb of that sequence: `predict` with one window
after the other (to Parquet), and `embed` over windows of the same length. Windows of `predict` are read alone; those of `embed`
with the sequence around them. It writes benchmarks/results/embedding.json: bases a second, and the largest resident memory.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnaspt.genome.alphabet import decode
from dnaspt.genome.fasta import read_fasta
from record import write_result

WINDOW_BP = 512


def main() -> None:
    """Time both, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bp", type=int, default=10_000_000)
    parser.add_argument("--preset", default="small")
    chosen = parser.parse_args()
    real = Path(os.environ["DNASPT_REAL_DATA"]) / "regions" / "human_brain"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_bp = write_genome(real / "genome.fa.gz", folder / "g.fa", chosen.bp)
        peaks = sorted(real.glob("peaks/*.bed"))[0]
        run("prepare", "regions", "--genome", real / "genome.fa.gz", "--regions", peaks, "--out", folder / "data")
        trained = ("--preset", chosen.preset, "--steps", "2", "--no-composition", "--out", folder / "run")
        run("finetune", folder / "data", *trained)
        commands = {
            "predict": (
                "predict",
                folder / "run",
                "--genome",
                folder / "g.fa",
                "--stride-bp",
                WINDOW_BP,
                "--one-strand",
            ),
            "embed": ("embed", folder / "run", "--genome", folder / "g.fa", "--window-bp", WINDOW_BP),
        }
        seconds: dict[str, list[float]] = {what: [] for what in commands}
        memory: dict[str, float] = dict.fromkeys(commands, 0.0)
        for repeat in range(chosen.repeats):
            for what, words in commands.items():
                took, mb = run(*words, "--out", folder / f"{what}-{repeat}.parquet")
                seconds[what].append(took)
                memory[what] = max(memory[what], mb)
    rows = {
        what: {
            "bp_per_s": round(n_bp / statistics.median(own)),
            "seconds": [round(value, 1) for value in own],
            "largest_resident_mb": round(memory[what]),
        }
        for what, own in seconds.items()
    }
    for what, row in rows.items():
        print(what, row)
    command = f"python benchmarks/embedding.py --repeats {chosen.repeats} --bp {chosen.bp} --preset {chosen.preset}"
    write_result("embedding", command, {"n_bp": n_bp, "commands": rows})


def write_genome(source: Path, out: Path, n_bp: int) -> int:
    """The contigs of a genome, again and again under other names, until there are so many bases; -> how many there are."""
    contigs = list(read_fasta(source))
    written = copy = 0
    with out.open("w", encoding="ascii") as file:
        while written < n_bp:
            for contig in contigs:
                if written < n_bp:
                    file.write(f">{contig.name}_{copy}\n{decode(contig.codes)}\n")
                    written += len(contig)
            copy += 1
    return written


def run(*words: object) -> tuple[float, float]:
    """A command of dnaspt: the seconds that it took, and its largest resident memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "dnaspt", *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"dnaspt {words[0]} failed")
    return time.perf_counter() - began, _maxrss_mb(usage)


def _maxrss_mb(usage: resource.struct_rusage) -> float:
    """Largest resident memory; Linux counts KiB, macOS bytes."""
    return usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
