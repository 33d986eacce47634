"""The whole tour on a simulated genome: simulate, prepare, pretrain, finetune, evaluate, predict, report.

`python examples/demo.py demo` writes into the folder demo/ and ends with demo/report.html; it takes a few minutes on two
cores. A finished step is skipped when the script is run again.
"""

import subprocess
import sys
import time
from pathlib import Path

SETTINGS = ("--batch-bp", "16384", "--lr", "3e-3")
TINY = ("--preset", "tiny")
PRETRAIN_STEPS, FINETUNE_STEPS = "300", "150"


def dnaspt(*arguments: str, unless: Path) -> None:
    """Run one command and say how long it took, unless its result is there."""
    line = " ".join(("dnaspt", *arguments))
    if unless.exists():
        print(f"$ {line}\n  (done before: {unless})\n", flush=True)
        return
    print(f"$ {line}", flush=True)
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "dnaspt", *arguments], check=True)
    print(f"  {time.monotonic() - began:.0f} s\n", flush=True)


def main(out: Path) -> None:
    """Make the demo in a folder."""
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    genome, data, runs = out / "genome", out / "data" / "genes", out / "runs"
    fasta, gff3 = str(genome / "genome.fa"), str(genome / "annotation.gff3")
    dnaspt("simulate", "--out", str(genome), unless=genome)
    dnaspt("prepare", "genes", "--genome", fasta, "--annotation", gff3, "--out", str(data), unless=data)
    pretrained = runs / "pretrained"
    schedule = (*TINY, *SETTINGS, "--steps", PRETRAIN_STEPS)
    unfinished = ("--resume",) if (pretrained / "run.json").exists() else ()
    dnaspt("pretrain", str(data), "--out", str(pretrained), *schedule, *unfinished, unless=pretrained / "result.json")
    trained = (*SETTINGS, "--steps", FINETUNE_STEPS)
    arms = {
        "scratch": ("--head", "softmax", *TINY, *trained),
        "spt": ("--head", "softmax", "--encoder", str(pretrained), *trained),
        "gene_model": ("--encoder", str(pretrained)),
    }
    for name, options in arms.items():
        run = runs / name
        unfinished = ("--resume",) if (run / "run.json").exists() else ()
        dnaspt("finetune", str(data), "--out", str(run), *options, *unfinished, unless=run / "result.json")
        dnaspt("evaluate", str(run), "--data", str(data), unless=run / "evaluation-test.json")
    best = runs / "gene_model"
    dnaspt("predict", str(best), "--genome", fasta, "--out", str(out / "genes.gff3"), unless=out / "genes.gff3")
    shown = [str(runs / name) for name in arms]
    report = out / "report.html"
    report.unlink(missing_ok=True)
    dnaspt("report", *shown, "--pretrain", str(pretrained), "--data", str(data), "--out", str(report), unless=report)
    print(f"{report}: open it in a browser ({time.monotonic() - began:.0f} s in all)")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
