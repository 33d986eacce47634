"""How long `dnaspt` takes to answer where no model is needed: import, help, completion, and mistakes. Medians of five runs.

`python benchmarks/startup.py` shows, for each, its time on the clock and on the processor (which other programs do not lengthen),
and the limit that it should keep; the same figures go to benchmarks/results/startup.json.
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


GENES = "--genome genome/genome.fa --annotation genome/annotation.gff3"
MISTAKES = f"""
prepare genes {GENES} --out data
pretrain data --out run
finetune data --out run
baseline data --annotation genome/annotation.gff3 --out run
simulate --out run
export run --out genome

prepare genes --genome missing --annotation genome/annotation.gff3 --out new
prepare genes --genome genome/genome.fa --annotation missing --out new
prepare regions --genome missing --regions genome/peaks_A.bed --out new
prepare regions --genome genome/genome.fa --regions missing --out new
prepare methylation --genome missing --calls genome/methylation.bedmethyl --out new
prepare methylation --genome genome/genome.fa --calls missing --out new
prepare bend gene_finding --root missing --out new
pretrain missing --out new
pretrain data --config missing --out new
finetune missing --out new
finetune data --encoder missing --out new
evaluate missing --data data
evaluate run --data missing
predict missing --genome genome/genome.fa --out new.gff3
predict run --genome missing --out new.gff3
variants missing --vcf calls.vcf --genome genome/genome.fa --out new.vcf
variants run --vcf missing --genome genome/genome.fa --out new.vcf
variants run --vcf calls.vcf --genome missing --out new.vcf
baseline missing --out new
report missing --data data --out new.html
report run --data missing --out new.html
inspect missing
export missing --out new
study missing --out new
study study.toml --data missing --out new
bend run missing gene_finding --out new
bend results missing

finetun
pretrain data --setps 3 --out new
pretrain data --config misspelt.toml --out new
finetune data --config misspelt.toml --out new
finetune data --head crff --out new
prepare genes --config misspelt.toml --out new
study misspelt.toml --out new
bend run study.toml gene_findin --out new

pretrain data --epochs 0 --out new
finetune data --label-fraction 2 --out new
finetune data --head sigmoid --out new
prepare genes {GENES} --window-bp 0 --out new
predict run --genome genome/genome.fa --threshold 2 --out new.gff3
"""
"""Commands that must fail at once: what is there already, what is missing, what is misspelt, what does not fit."""


@dataclass(frozen=True)
class Case:
    """A command, the seconds that it may take, its exit code, and variables of its environment."""

    name: str
    words: tuple[str, ...]
    limit_s: float
    code: int = 0
    environment: tuple[tuple[str, str], ...] = ()


@dataclass
class Times:
    """Seconds of each run, on the clock and on the processor."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def cases() -> list[Case]:
    """What is measured, in a folder with the files of `make_files`."""
    dnaspt = ("-m", "dnaspt")
    tab = (("_DNASPT_COMPLETE", "complete_bash"), ("COMP_WORDS", "dnaspt fin"), ("COMP_CWORD", "1"))
    return [
        Case("python -c pass", ("-c", "pass"), 0.1),
        Case("import dnaspt", ("-c", "import dnaspt"), 0.15),
        Case("dnaspt --help", (*dnaspt, "--help"), 0.3),
        Case("dnaspt finetune -h", (*dnaspt, "finetune", "-h"), 0.3),
        Case("dnaspt fin<TAB>", dnaspt, 0.3, environment=tab),
        *(Case(line, (*dnaspt, *line.split()), 1.0, code=2) for line in MISTAKES.splitlines() if line),
    ]


def make_files(folder: Path) -> None:
    """A simulated genome, a dataset of its genes, the folder of a run that began, and files of settings and variants."""
    for line in ("simulate --out genome --n-contigs 1 --contig-bp 20000", f"prepare genes {GENES} --out data"):
        words = [sys.executable, "-m", "dnaspt", *line.split()]
        subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    (folder / "run").mkdir()
    (folder / "run/run.json").write_text("{}\n")
    (folder / "misspelt.toml").write_text("learning_rat = 1e-3\n")
    (folder / "study.toml").write_text('data = "data"\nseeds = [0]\narms = [{ name = "scratch" }]\n')
    (folder / "calls.vcf").write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")


def measure(case: Case, folder: Path) -> tuple[float, float]:
    """Seconds of one run in a folder, on the clock and on the processor (0 on Windows, which does not say)."""
    began, before = time.perf_counter(), children_s()
    environment = os.environ | dict(case.environment)
    words = [sys.executable, *case.words]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment)
    if ran.returncode != case.code:
        sys.exit(f"{case.name}: ended with {ran.returncode}, expected {case.code}: {ran.stderr.strip()}")
    return time.perf_counter() - began, children_s() - before


def children_s() -> float:
    """Seconds that ended child processes have spent on the processor; always 0 on Windows, which does not say."""
    spent = os.times()
    return spent.children_user + spent.children_system


def main() -> None:
    """Measure, print, and write benchmarks/results/startup.json."""
    from record import write_result  # which imports torch: not where only the list of mistakes is wanted

    measured = {case: Times() for case in cases()}
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name))
        for _ in range(REPEATS):
            for case, times in measured.items():
                clock_s, processor_s = measure(case, Path(name))
                times.clock.append(clock_s)
                times.processor.append(processor_s)
    rows = []
    print(f"{'clock':>7s} {'processor':>10s} {'limit':>7s}")
    for case, times in measured.items():
        clock_s, processor_s = statistics.median(times.clock), statistics.median(times.processor)
        is_over = "over  " if processor_s > case.limit_s else "other programs ran  " if clock_s > case.limit_s else ""
        print(f"{clock_s:5.2f} s {processor_s:8.2f} s {case.limit_s:5.2f} s  {is_over}{case.name}")
        rows.append(
            {
                "case": case.name,
                "clock_s": clock_s,
                "processor_s": processor_s,
                "limit_s": case.limit_s,
                "exit_code": case.code,
            }
        )
    write_result("startup", "python benchmarks/startup.py", {"repeats": REPEATS, "rows": rows})


if __name__ == "__main__":
    main()
