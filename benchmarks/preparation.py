"""Time and memory of `dnaspt prepare genes` on simulated genomes of one and of three contigs of 100 Mb.

`python benchmarks/preparation.py` writes benchmarks/results/preparation.json. Simulating takes a few minutes and 3 GB of disk.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from prediction import timed
from record import write_result


def main() -> None:
    """Simulate, prepare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contig-bp", type=int, default=100_000_000)
    chosen = parser.parse_args()
    found = {}
    for n_contigs in (1, 3):
        with tempfile.TemporaryDirectory() as name:
            genome, data = Path(name) / "genome", Path(name) / "data"
            size = ["--n-contigs", str(n_contigs), "--contig-bp", str(chosen.contig_bp)]
            command = [sys.executable, "-m", "dnaspt", "simulate", "--out", str(genome), *size]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            (genome / "methylation.bedmethyl").unlink()
            inputs = ["--genome", str(genome / "genome.fa"), "--annotation", str(genome / "annotation.gff3")]
            seconds, kilobytes = timed(
                [[sys.executable, "-m", "dnaspt", "prepare", "genes", *inputs, "--out", str(data)]]
            )
            n_bp = n_contigs * chosen.contig_bp
            found[f"{n_contigs} contigs"] = {"n_bp": n_bp, "seconds": seconds, "peak_resident_mb": kilobytes / 1024}
            print(found, flush=True)
    write_result("preparation", f"python {' '.join(sys.argv)}", found)


if __name__ == "__main__":
    main()
