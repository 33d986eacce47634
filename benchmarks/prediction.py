"""FASTA to GFF3, the whole command, beside AUGUSTUS with one process per core on the same sequence, in one run.

`python benchmarks/prediction.py --run RUN --genome g.fa --name fly_loci` times `dnaspt predict` and AUGUSTUS in turn and writes
benchmarks/results/prediction-NAME.json: bases per second, and the largest resident memory of ours. Without --genome, a contig of
--simulate-bp is simulated. AUGUSTUS gets at most --augustus-bp, cut into as many pieces as there are cores; 0 leaves it out.
"""

import argparse
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnaspt.genome.alphabet import decode, tokens
from dnaspt.genome.fasta import read_fasta
from record import write_result

CORES = len(os.sched_getaffinity(0))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="a fine-tuned gene model")
    parser.add_argument("--genome", type=Path)
    parser.add_argument("--simulate-bp", type=int, default=20_000_000)
    parser.add_argument("--name", default="simulated")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--species", default="fly", help="AUGUSTUS's species model")
    parser.add_argument("--augustus-bp", type=int, default=2_000_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genome = folder / "genome.fa"
        if chosen.genome:
            text = chosen.genome.read_bytes()
            genome.write_bytes(gzip.decompress(text) if chosen.genome.suffix == ".gz" else text)
        else:
            options = ["--n-contigs", "1", "--contig-bp", str(chosen.simulate_bp)]
            command = [sys.executable, "-m", "dnaspt", "simulate", "--out", str(folder / "simulated"), *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            genome = folder / "simulated" / "genome.fa"
        found = compare(chosen, genome, folder)
    for key, value in found.items():
        print(f"{key}: {value}")
    write_result(f"prediction-{chosen.name}", f"python {' '.join(sys.argv)}", found)


def compare(chosen: argparse.Namespace, genome: Path, folder: Path) -> dict[str, object]:
    """Median rates of both, in turn."""
    sequences = [decode(tokens(contig.codes)) for contig in read_fasta(genome)]
    n_bp = sum(map(len, sequences))
    pieces, n_pieces_bp = cut(sequences, chosen.augustus_bp, folder)
    ours, theirs, resident = [], [], 0
    for _ in range(chosen.repeats):
        out = folder / "ours.gff3"
        out.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "dnaspt",
            "predict",
            str(chosen.run),
            "--genome",
            str(genome),
            "--out",
            str(out),
        ]
        seconds, kilobytes = timed([[*command]])
        ours.append(n_bp / seconds)
        resident = max(resident, kilobytes)
        if pieces:
            commands = [["augustus", f"--species={chosen.species}", "--gff3=on", str(piece)] for piece in pieces]
            theirs.append(n_pieces_bp / timed(commands)[0])
    found: dict[str, object] = {
        "n_bp": n_bp,
        "cores": CORES,
        "ours_bp_per_s": statistics.median(ours),
        "ours_peak_resident_mb": resident / 1024,
    }
    if theirs:
        found |= {"augustus_bp": n_pieces_bp, "augustus_bp_per_s": statistics.median(theirs)}
        found["ours / augustus"] = statistics.median(ours) / statistics.median(theirs)
    return found


def cut(sequences: list[str], most_bp: int, folder: Path) -> tuple[list[Path], int]:
    """One FASTA for each core, of about the same length; whole contigs are cut where they must."""
    if not most_bp or shutil.which("augustus") is None:
        return [], 0
    share = min(most_bp, sum(map(len, sequences))) // CORES
    files = []
    rest = list(sequences)
    for core in range(CORES):
        room, records = share, []
        while rest and room:
            taken, rest[0] = rest[0][:room], rest[0][room:]
            room -= len(taken)
            records.append(taken)
            if not rest[0]:
                rest.pop(0)
        file = folder / f"piece-{core}.fa"
        file.write_text("".join(f">piece{core}_{i}\n{record}\n" for i, record in enumerate(records)))
        files.append(file)
    return files, share * CORES


def timed(commands: list[list[str]]) -> tuple[float, int]:
    """Seconds until all commands, run side by side, have ended; the largest resident memory of one in kB."""
    began = time.perf_counter()
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    ended = [os.wait4(process.pid, 0) for process in processes]
    if any(status for _, status, _ in ended):
        raise SystemExit("a command failed")
    return time.perf_counter() - began, max(usage.ru_maxrss for _, _, usage in ended)


if __name__ == "__main__":
    main()
