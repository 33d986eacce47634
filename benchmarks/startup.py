"""Seconds until dnaspt has answered: `import dnaspt`, `--help`, shell completion, and every mistake that needs no PyTorch.

`python benchmarks/startup.py` makes a small dataset in a temporary folder, runs all lines in turn, and prints the medians of
wall time and processor time beside the limit. Exit code 1: a line was slower (in processor time, which other programs on the
machine hardly change), or did not end as expected.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
HELP_S, IMPORT_S, MISTAKE_S = 0.3, 0.15, 1.0
DATA, GENES = "data/genes", "--genome genome/genome.fa --annotation genome/annotation.gff3"

MISTAKES = {
    "a folder that is there already": (
        f"prepare genes {GENES} --out {DATA}",
        f"pretrain {DATA} --out old",
        f"finetune {DATA} --out old",
        f"baseline {DATA} --annotation genome/annotation.gff3 --out old",
        "simulate --out old",
    ),
    "a file or folder that is not there": (
        "prepare genes --genome nothing --annotation genome/annotation.gff3 --out new",
        "prepare genes --genome genome/genome.fa --annotation nothing --out new",
        "prepare regions --genome nothing --regions genome/peaks_A.bed --out new",
        "prepare regions --genome genome/genome.fa --regions nothing --out new",
        "prepare methylation --genome nothing --calls genome/methylation.bedmethyl --out new",
        "prepare methylation --genome genome/genome.fa --calls nothing --out new",
        "prepare bend gene_finding --root nothing --out new",
        "pretrain nothing --out new",
        f"pretrain {DATA} --config nothing --out new",
        "finetune nothing --out new",
        f"finetune {DATA} --encoder nothing --out new",
        f"evaluate nothing --data {DATA}",
        "evaluate old --data nothing",
        "predict nothing --genome genome/genome.fa --out new.gff3",
        "predict old --genome nothing --out new.gff3",
        "variants nothing --vcf calls.vcf --genome genome/genome.fa --out new.vcf",
        "variants old --vcf nothing --genome genome/genome.fa --out new.vcf",
        "variants old --vcf calls.vcf --genome nothing --out new.vcf",
        "baseline nothing --out new",
        f"report nothing --data {DATA} --out new.html",
        "report old --data nothing --out new.html",
        "inspect nothing",
        "export nothing --out new",
        "study nothing --out new",
        "study study.toml --data nothing --out new",
        "bend run nothing gene_finding --out new",
    ),
    "a misspelt name": (
        "finetun",
        f"pretrain {DATA} --learning-rat 1 --out new",
        f"pretrain {DATA} --config misspelt.toml --out new",
        f"finetune {DATA} --config misspelt.toml --out new",
        f"finetune {DATA} --head crff --out new",
        "prepare genes --config misspelt.toml --out new",
        "study misspelt.toml --out new",
        "bend run examples/bend/spt.toml gene_findin --out new",
    ),
    "a value out of range": (
        f"pretrain {DATA} --epochs 0 --out new",
        f"finetune {DATA} --label-fraction 2 --out new",
        f"prepare genes {GENES} --window-bp 0 --out new",
        "predict old --genome genome/genome.fa --threshold 2 --out new.gff3",
    ),
}


def main() -> None:
    """Measure and print."""
    lines: dict[str, tuple[list[str], float, int, dict[str, str]]] = {
        "python -c pass": (["-c", "pass"], IMPORT_S, 0, {}),
        "import dnaspt": (["-c", "import dnaspt"], IMPORT_S, 0, {}),
        "dnaspt --help": (["-m", "dnaspt", "--help"], HELP_S, 0, {}),
        "dnaspt finetune -h": (["-m", "dnaspt", "finetune", "-h"], HELP_S, 0, {}),
        "dnaspt fin<TAB>": (
            ["-m", "dnaspt"],
            HELP_S,
            0,
            {"_DNASPT_COMPLETE": "complete_bash", "COMP_WORDS": "dnaspt fin", "COMP_CWORD": "1"},
        ),
    }
    for commands in MISTAKES.values():
        for command in commands:
            lines[f"dnaspt {command}"] = (["-m", "dnaspt", *command.split()], MISTAKE_S, 2, {})
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder))
        os.chdir(folder)
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in lines}
        said: dict[str, str] = {}
        for _ in range(ROUNDS):
            for name, (arguments, _limit, code, environment) in lines.items():
                wall, processor, outcome = timed(arguments, environment)
                measured[name].append((wall, processor))
                said[name] = outcome.stderr.strip().splitlines()[-1] if outcome.stderr.strip() else ""
                if outcome.returncode != code:
                    said[name] = f"exit code {outcome.returncode}, expected {code}: {said[name]}"
        os.chdir("/")
    failed = False
    print("wall s  processor s  limit s")
    for name, (_, limit, _, _) in lines.items():
        wall, processor = (statistics.median(values) for values in zip(*measured[name], strict=True))
        is_wrong = processor >= limit or said[name].startswith("exit code")
        failed |= is_wrong
        print(f"{wall:6.2f} {processor:12.2f} {limit:8.2f}  {'!' if is_wrong else ' '} {name}\n{'':33}{said[name]}")
    sys.exit(failed)


def make_files(folder: Path) -> None:
    """The files that the lines name: a genome, a dataset, a VCF, settings, and a folder that is no run."""
    run = lambda *words: subprocess.run(  # noqa: E731
        [sys.executable, "-m", "dnaspt", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    run("simulate", "--out", "genome", "--n-contigs", "2", "--contig-bp", "20000")
    run("prepare", "genes", *GENES.split(), "--out", DATA)
    (folder / "old").mkdir()
    (folder / "misspelt.toml").write_text("learning_rat = 1e-3\n")
    (folder / "calls.vcf").write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
    (folder / "study.toml").write_text(
        'data = "data/genes"\nseeds = [0]\nlearning_rates = [1e-3]\narms = [{ name = "scratch" }]\n'
    )
    (folder / "examples/bend").mkdir(parents=True)
    (folder / "examples/bend/spt.toml").write_text('seeds = [0]\narms = [{ name = "scratch" }]\n')


def timed(arguments: list[str], environment: dict[str, str]) -> tuple[float, float, subprocess.CompletedProcess[str]]:
    """Wall time and processor time of a Python process in seconds, and how it ended."""
    before, began = os.times(), time.perf_counter()
    outcome = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=os.environ | environment, check=False
    )
    wall, after = time.perf_counter() - began, os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, processor, outcome


if __name__ == "__main__":
    main()
