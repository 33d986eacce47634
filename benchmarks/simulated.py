"""Simulated genomes to one table: does self-pretraining beat training from scratch there, and the CRF the softmax?

`python benchmarks/simulated.py --out runs/simulated`: for each of three seeds a genome, one pretraining and four fine-tunings
(scratch / SPT x softmax / CRF), scored once on the test split. Finished steps are skipped, broken-off ones resumed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

RESULT = Path(__file__).parent / "results" / "simulated.json"
SETTINGS = "--preset tiny --batch-bp 16384 --lr 3e-3"
PRETRAIN_STEPS, FINETUNE_STEPS = 300, 200
ARMS = {
    "scratch, softmax": ("softmax", False),
    "scratch, CRF": ("crf", False),
    "SPT, softmax": ("softmax", True),
    "SPT, CRF": ("crf", True),
}


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/simulated"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    chosen = parser.parse_args()
    scores: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for seed in chosen.seeds:
        for arm, value in one_seed(chosen.out / str(seed), seed).items():
            scores[arm].append(value)
    show(scores)
    RESULT.parent.mkdir(exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    RESULT.write_text(json.dumps({"commit": commit, "seeds": chosen.seeds, "test_mcc": scores}, indent=1) + "\n")


def one_seed(out: Path, seed: int) -> dict[str, float]:
    """Test MCC of the four arms on the genome of one seed."""
    genome, data, encoder = out / "genome", out / "data", out / "pretrained"
    dnaspt(f"simulate --out {genome} --seed {seed}", genome)
    files = f"--genome {genome}/genome.fa --annotation {genome}/annotation.gff3"
    dnaspt(f"prepare genes {files} --out {data}", data)
    train(f"pretrain {data} --seed {seed} {SETTINGS} --steps {PRETRAIN_STEPS}", encoder)
    found = {}
    for arm, (head, pretrained) in ARMS.items():
        run = out / arm.replace(", ", "-").lower()
        options = f"--head {head}" + (f" --encoder {encoder}" if pretrained else "")
        train(f"finetune {data} --seed {seed} {SETTINGS} --steps {FINETUNE_STEPS} {options}", run)
        evaluation = run / "evaluation-test.json"
        dnaspt(f"evaluate {run} --data {data}", evaluation)
        found[arm] = float(json.loads(evaluation.read_text())["mcc"]["value"])
    return found


def train(command: str, run: Path) -> None:
    """Start a training run, or go on with it."""
    dnaspt(f"{command} --out {run}" + (" --resume" if run.exists() else ""), run / "result.json")


def dnaspt(line: str, unless: Path) -> None:
    """Run one command unless its result is there."""
    if not unless.exists():
        print(f"$ dnaspt {line}", flush=True)
        subprocess.run([sys.executable, "-m", "dnaspt", *line.split()], check=True, stdout=subprocess.DEVNULL)


def show(scores: dict[str, list[float]]) -> None:
    """The table: each seed, the mean, and the two differences seed by seed."""
    for arm, values in scores.items():
        print(f"{arm:18s} test MCC {np.mean(values):.3f}   seeds " + " ".join(f"{value:.3f}" for value in values))
    rows = {
        "SPT - scratch, softmax": ("SPT, softmax", "scratch, softmax"),
        "SPT - scratch, CRF": ("SPT, CRF", "scratch, CRF"),
        "CRF - softmax, scratch": ("scratch, CRF", "scratch, softmax"),
        "CRF - softmax, SPT": ("SPT, CRF", "SPT, softmax"),
    }
    for name, (better, worse) in rows.items():
        gains = np.subtract(scores[better], scores[worse])
        print(f"{name:24s} {gains.mean():+.3f}   seeds " + " ".join(f"{gain:+.3f}" for gain in gains))


if __name__ == "__main__":
    main()
