"""What each command takes from start to end, on a simulated genome of 0.6 Mb with the preset `small`: seconds and memory.

`python benchmarks/commands.py` runs every command once, in the order of use. It writes benchmarks/results/commands.json: seconds
on the clock, seconds on the processor (of all cores together), and the largest resident memory of each.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnaspt.genome.alphabet import decode, tokens
from dnaspt.genome.fasta import read_fasta
from record import write_result

EPOCHS, N_VARIANTS = 2, 500
SOURCES = "--genome genome/genome.fa"
COMMANDS = f"""
simulate --out genome
prepare genes {SOURCES} --annotation genome/annotation.gff3 --out genes
prepare regions {SOURCES} --regions genome/peaks_A.bed --regions genome/peaks_B.bed --out peaks
prepare methylation {SOURCES} --calls genome/methylation.bedmethyl --out cpgs
pretrain genes --epochs {EPOCHS} --out runs/pre
finetune genes --encoder runs/pre --head crf --epochs {EPOCHS} --out runs/genes
finetune peaks --encoder runs/pre --epochs {EPOCHS} --out runs/peaks
evaluate runs/genes --data genes
evaluate runs/peaks --data peaks
baseline peaks --out runs/kmers
predict runs/genes {SOURCES} --out genes.gff3
predict runs/peaks {SOURCES} --out peaks.bw
variants runs/pre --vcf calls.vcf {SOURCES} --out scored.vcf
report runs/genes --pretrain runs/pre --data genes --out report.html
inspect genes
"""


def main() -> None:
    """Measure, print and write."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for line in COMMANDS.split("\n")[1:-1]:
            if line.startswith("variants"):
                write_variants(folder / "genome" / "genome.fa", folder / "calls.vcf")
            found[line] = measure(line, folder)
            print(*(f"{value:8.1f} {unit}" for unit, value in found[line].items()), line)
    write_result("commands", "python benchmarks/commands.py", {"genome_bp": 600_000, "commands": found})


def measure(line: str, folder: Path) -> dict[str, float]:
    """Seconds on the clock and on the processor, and the largest resident memory, of one command."""
    began = time.perf_counter()
    with (folder / "log").open("ab") as log:
        words = [sys.executable, "-m", "dnaspt", *line.split()]
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{line}: {(folder / 'log').read_text()[-2000:]}")
    seconds = time.perf_counter() - began
    return {"clock_s": seconds, "processor_s": used.ru_utime + used.ru_stime, "resident_mb": used.ru_maxrss / 1024}


def write_variants(genome: Path, file: Path) -> None:
    """Single-base variants at equal distances along a genome."""
    rows = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    contigs = list(read_fasta(genome))
    for contig in contigs:
        step = len(contig.codes) * len(contigs) // N_VARIANTS
        letters = decode(tokens(contig.codes))
        for position in range(step // 2, len(letters), step):
            if (ref := letters[position]) != "N":
                rows.append(f"{contig.name}\t{position + 1}\t.\t{ref}\t{'C' if ref != 'C' else 'T'}\t.\t.\t.")
    file.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
