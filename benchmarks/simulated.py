"""Simulated genomes to one table: does self-pretraining beat training from scratch there, and the CRF the softmax?

`python benchmarks/simulated.py --out runs/simulated`: for each of three seeds a genome, one pretraining and four fine-tunings
(scratch / SPT x softmax / CRF), scored once on the test split. Each arm's learning rate is the one of three that is best on
the valid split of the first seed. Finished steps are skipped, broken-off ones resumed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from record import write_result

SETTINGS = "--batch-bp 16384"
PRETRAIN = f"--preset tiny {SETTINGS} --lr 3e-3 --steps 300"
FINETUNE_STEPS = 400
RATES = ("3e-4", "1e-3", "3e-3")
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
    rates = {arm: best_rate(chosen.out, chosen.seeds[0], arm) for arm in ARMS}
    scores: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for seed in chosen.seeds:
        for arm, rate in rates.items():
            scores[arm].append(test_mcc(chosen.out, seed, arm, rate))
    print("learning rates: " + ", ".join(f"{arm} {rate}" for arm, rate in rates.items()))
    show(scores)
    found = {"seeds": chosen.seeds, "learning_rates": rates, "test_mcc": scores}
    write_result("simulated", "python benchmarks/simulated.py", found)


def best_rate(out: Path, seed: int, arm: str) -> str:
    """The learning rate with the best MCC on valid."""
    valid = {rate: json.loads((finetuned(out, seed, arm, rate) / "result.json").read_text()) for rate in RATES}
    return max(RATES, key=lambda rate: float(valid[rate]["valid_mcc"]))


def test_mcc(out: Path, seed: int, arm: str, rate: str) -> float:
    """MCC of an arm on the test split of a seed's genome."""
    run = finetuned(out, seed, arm, rate)
    evaluation = run / "evaluation-test.json"
    dnaspt(f"evaluate {run} --data {out / str(seed) / 'data'}", evaluation)
    return float(json.loads(evaluation.read_text())["mcc"]["value"])


def finetuned(out: Path, seed: int, arm: str, rate: str) -> Path:
    """The finished run of an arm; the genome, the dataset and the pretraining of its seed are made where missing."""
    folder = out / str(seed)
    genome, data, encoder = folder / "genome", folder / "data", folder / "pretrained"
    dnaspt(f"simulate --out {genome} --seed {seed}", genome)
    files = f"--genome {genome}/genome.fa --annotation {genome}/annotation.gff3"
    dnaspt(f"prepare genes {files} --out {data}", data)
    train(f"pretrain {data} --seed {seed} {PRETRAIN}", encoder)
    head, pretrained = ARMS[arm]
    start = f"--encoder {encoder}" if pretrained else "--preset tiny"
    run = folder / f"{arm.replace(', ', '-').lower()}-{rate}"
    train(f"finetune {data} --seed {seed} {SETTINGS} --steps {FINETUNE_STEPS} --lr {rate} --head {head} {start}", run)
    return run


def train(command: str, run: Path) -> None:
    """Start a training run, or go on with it."""
    dnaspt(f"{command} --out {run}" + (" --resume" if (run / "run.json").exists() else ""), run / "result.json")


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
