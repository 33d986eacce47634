"""`prepare bend chromatin_accessibility` on files of BEND's full size in rows: 2,005,617 windows of 512 bp with 125 labels.

`python benchmarks/bend_preparation.py [--rows N]` simulates the bed and a genome without chr in its names, prepares them in a
process of its own, and keeps rows/s and peak memory in benchmarks/results/bend_preparation.json.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from record import write_result

N_ROWS, N_LABELS, WINDOW_BP = 2_005_617, 125, 512
N_CONTIGS, CONTIG_BP = 22, 20_000_000
MEAN_LABELS = 7
"""True labels of a window on the average, about those of BEND's file."""


def main() -> None:
    """Simulate, prepare, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=N_ROWS)
    n_rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        size_mb = simulate(root, n_rows)
        began = time.monotonic()
        command = ["prepare", "bend", "chromatin_accessibility", "--root", str(root), "--out", str(root / "out")]
        subprocess.run([sys.executable, "-m", "dnaspt", *command], check=True, stdout=subprocess.DEVNULL)
        minutes = (time.monotonic() - began) / 60
        peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
        out_mb = sum(file.stat().st_size for file in (root / "out").iterdir()) / 1e6
    found = {
        "rows": n_rows,
        "labels": N_LABELS,
        "bed_mb": round(size_mb),
        "minutes": round(minutes, 2),
        "rows_per_s": round(n_rows / minutes / 60),
        "peak_gb": round(peak_gb, 2),
        "out_mb": round(out_mb),
    }
    print(found)
    if n_rows == N_ROWS:
        write_result("bend_preparation", "python benchmarks/bend_preparation.py", found)


def simulate(root: Path, n_rows: int) -> float:
    """BEND's layout with random letters and labels; the bed's size in MB."""
    rng = np.random.default_rng(0)
    folder = root / "data" / "chromatin_accessibility"
    folder.mkdir(parents=True)
    (root / "data" / "genomes").mkdir()
    with (root / "data" / "genomes" / "GRCh37.fa").open("wb") as genome:
        for contig in range(1, N_CONTIGS + 1):
            genome.write(f">{contig}\n".encode())
            np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, CONTIG_BP)].tofile(genome)
            genome.write(b"\n")
    contigs = np.sort(rng.integers(1, N_CONTIGS + 1, n_rows))
    starts = rng.integers(0, CONTIG_BP - WINDOW_BP, n_rows)
    strands, splits = rng.choice(["+", "-"], n_rows), rng.choice(["train", "train", "train", "valid", "test"], n_rows)
    bed = folder / "chromatin_accessibility.bed"
    with bed.open("w") as file:
        file.write("chromosome\tstart\tend\tstrand\tlabel\tsplit\n")
        for row in range(n_rows):
            labels = ",".join(map(str, sorted(rng.choice(N_LABELS, rng.integers(0, 2 * MEAN_LABELS), replace=False))))
            start = starts[row]
            file.write(f"{contigs[row]}\t{start}\t{start + WINDOW_BP}\t{strands[row]}\t{labels}\t{splits[row]}\n")
    return bed.stat().st_size / 1e6


if __name__ == "__main__":
    main()
