"""FASTA to GFF3, the whole command, beside AUGUSTUS with one process per core on the same sequence, in one run.

`python benchmarks/prediction.py --run RUN --genome g.fa --name fly_loci` times `dnaspt predict` and AUGUSTUS in turn and writes
benchmarks/results/prediction-NAME.json: bases per second, and the largest resident memory of ours. Without --genome, a contig of
--simulate-bp is simulated. AUGUSTUS gets at most --augustus-bp, cut into as many pieces as there are cores; 0 leaves it out.

`python benchmarks/prediction.py --annotation g.gff3 --genome g.fa --least-bp 10000000 --repeats 3 --name gene_model` needs no
run: it times the way from FASTA and GFF3 to a gene model without a network (`prepare genes`, `finetune`), and predicts with
that. The genome is written so often that it has --least-bp bases; --one-contig makes one contig of it. The first call of a
command may compile kernels.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from dnaspt.genome.alphabet import decode, tokens
from dnaspt.genome.fasta import read_fasta
from record import write_result

CORES = len(os.sched_getaffinity(0))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--run", type=Path, help="a fine-tuned gene model")
    model.add_argument(
        "--annotation", type=Path, help="GFF3 or GTF of --genome, to train a gene model without a network on"
    )
    parser.add_argument("--genome", type=Path)
    parser.add_argument("--least-bp", type=int, default=0, help="repeat the genome until it has so many bases")
    parser.add_argument("--one-contig", action="store_true", help="join all contigs")
    parser.add_argument("--simulate-bp", type=int, default=20_000_000)
    parser.add_argument("--name", default="simulated")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--species", default="fly", help="AUGUSTUS's species model")
    parser.add_argument("--augustus-bp", type=int, default=2_000_000)
    chosen = parser.parse_args()
    if chosen.annotation and not chosen.genome:
        parser.error("--annotation needs its --genome")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genome = folder / "genome.fa"
        if chosen.genome:
            write_genome(chosen, genome)
        else:
            options = ["--n-contigs", "1", "--contig-bp", str(chosen.simulate_bp)]
            command = [sys.executable, "-m", "dnaspt", "simulate", "--out", str(folder / "simulated"), *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            genome = folder / "simulated" / "genome.fa"
        trained: dict[str, object] = {}
        if chosen.annotation:
            chosen.run, trained = train(chosen, folder)
        found = trained | compare(chosen, genome, folder)
    for key, value in found.items():
        print(f"{key}: {value}")
    write_result(f"prediction-{chosen.name}", f"python {' '.join(sys.argv)}", found)


def write_genome(chosen: argparse.Namespace, into: Path) -> None:
    """Write the contigs as often as they are asked for, or one contig of them all."""
    contigs = [(contig.name, decode(contig.codes)) for contig in read_fasta(chosen.genome)]
    n_copies = max(1, -(-chosen.least_bp // sum(len(letters) for _, letters in contigs)))
    records = [(f"{name}_{copy}", letters) for copy in range(n_copies) for name, letters in contigs]
    if chosen.one_contig:
        records = [("all", "".join(letters for _, letters in records))]
    into.write_text("".join(f">{name}\n{letters}\n" for name, letters in records))


def train(chosen: argparse.Namespace, folder: Path) -> tuple[Path, dict[str, object]]:
    """A gene model without a network from the genome and its annotation; the seconds that each command took."""
    data, run = folder / "data", folder / "run"
    steps = {
        "prepare": ["prepare", "genes", "--genome", chosen.genome, "--annotation", chosen.annotation, "--out", data],
        "finetune": ["finetune", data, "--head", "gene-model", "--out", run],
    }
    seconds = {
        f"{name}_s": timed([[sys.executable, "-m", "dnaspt", *map(str, step)]]).seconds for name, step in steps.items()
    }
    return run, {**seconds, "training_s": sum(seconds.values())}


def compare(chosen: argparse.Namespace, genome: Path, folder: Path) -> dict[str, object]:
    """Median rates of both, in turn."""
    sequences = [decode(tokens(contig.codes)) for contig in read_fasta(genome)]
    n_bp = sum(map(len, sequences))
    pieces, n_pieces_bp = cut(sequences, chosen.augustus_bp, folder)
    ours, theirs, cpu, resident = [], [], [], 0
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
        usage = timed([command])
        ours.append(n_bp / usage.seconds)
        cpu.append(usage.cpu_seconds / n_bp * 1e6)
        resident = max(resident, usage.resident_kb)
        if pieces:
            commands = [["augustus", f"--species={chosen.species}", "--gff3=on", str(piece)] for piece in pieces]
            theirs.append(n_pieces_bp / timed(commands).seconds)
    found: dict[str, object] = {
        "n_bp": n_bp,
        "n_contigs": len(sequences),
        "cores": CORES,
        "ours_bp_per_s": statistics.median(ours),
        "ours_cpu_s_per_mb": statistics.median(cpu),
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


class Usage(NamedTuple):
    """What commands took: seconds until the last one ended, processor time of all, largest resident memory of one."""

    seconds: float
    cpu_seconds: float
    resident_kb: int


def timed(commands: list[list[str]]) -> Usage:
    """Run commands side by side."""
    began = time.perf_counter()
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    ended = [os.wait4(process.pid, 0) for process in processes]
    if any(status for _, status, _ in ended):
        raise SystemExit("a command failed")
    usages = [usage for _, _, usage in ended]
    return Usage(
        time.perf_counter() - began,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max(usage.ru_maxrss for usage in usages),
    )


if __name__ == "__main__":
    main()
