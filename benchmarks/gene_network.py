"""What a fine-tuned CRF adds to a gene model, by its weight, on valid: `finetune --network`.

`python benchmarks/gene_network.py athaliana_genes` (a dataset of `benchmarks/studies.py`) pretrains for 6 passes, fine-tunes a
CRF for 16 with averaged weights, adds it to the gene model, and writes benchmarks/results/gene_network-NAME.json. Runs that are
in --out are resumed, or taken as they are. Test is not read.
"""

import argparse
from pathlib import Path

import studies
from dnaspt.checkpoint import read_config
from dnaspt.training.runs import Run
from record import write_result


def main() -> None:
    """Make the runs that are missing, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(studies.PREPARE))
    parser.add_argument("--out", type=Path, default=Path("runs/gene_network"))
    chosen = parser.parse_args()
    studies.prepare(chosen.name)
    out, data = chosen.out / chosen.name, f"data/{chosen.name}"
    out.mkdir(parents=True, exist_ok=True)
    averaged = out / "averaged.toml"
    averaged.write_text("average_fraction = 0.1\n")
    encoder = ("--encoder", str(out / "pre"))
    make(out / "pre", "pretrain", data, "--epochs", "6")
    make(out / "crf", "finetune", data, "--head", "crf", *encoder, "--epochs", "16", "--config", str(averaged))
    make(out / "both", "finetune", data, *encoder, "--network", str(out / "crf"))
    found = {
        "crf": dict(Run.open(out / "crf").scores),
        "network": {
            name: read_config(out / "both").provenance["network"][name] for name in ("weight", "valid_by_weight")
        },
    }
    write_result(f"gene_network-{chosen.name}", f"python benchmarks/gene_network.py {chosen.name}", found)


def make(run: Path, command: str, *options: str) -> None:
    """A run, unless it is finished."""
    if (run / "result.json").is_file():
        return
    studies.run(command, *options, "--out", str(run), *(["--resume"] if run.exists() else []))


if __name__ == "__main__":
    main()
