"""What a fine-tuned CRF adds to a gene model: `finetune --network`.

`python benchmarks/gene_network.py athaliana_genes` (a dataset of `benchmarks/studies.py`) pretrains for 6 passes, fine-tunes a
CRF for 16 with averaged weights, adds it to the gene model, and scores it on valid by its weight. With folds, as in
athaliana_train, all of this is done in each fold, and the gene models with and without the CRF are scored on all folds together;
`--pretrained STUDY` takes the encoders of a finished study with the same folds (of its runs of `pretrain`, by their fold). Runs
that are in --out are resumed, or taken as they are. It writes benchmarks/results/gene_network-NAME.json. Test splits of the
given files are not read.
"""

import argparse
from pathlib import Path
from typing import Any

import studies
from dnaspt import evaluate
from dnaspt.checkpoint import read_config
from dnaspt.data.manifest import read_manifest
from dnaspt.evaluation.pooled import pool_counts
from dnaspt.evaluation.results import BootstrapCounts, evaluation_stem, read_counts
from dnaspt.reports.compare import GENE_MEASURES, paired_gain
from dnaspt.reports.resamples import Resamples
from dnaspt.studies.records import read_record
from dnaspt.training.runs import Run
from record import write_result

VARIANTS = ("alone", "both", "crf")
"""The gene model without a network, with it, and the network without the gene model."""


def main() -> None:
    """Make the runs that are missing, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(studies.PREPARE))
    parser.add_argument("--out", type=Path, default=Path("runs/gene_network"))
    parser.add_argument("--pretrained", type=Path, help="a finished study's folder, with records and runs")
    chosen = parser.parse_args()
    studies.prepare(chosen.name)
    data, out = Path("data") / chosen.name, chosen.out / chosen.name
    folds = list(range(1, len(read_manifest(data).folds) + 1))
    if folds:
        by_fold = encoders(chosen.pretrained) if chosen.pretrained else {}
        for fold in folds:
            make_all(data, out / f"fold{fold}", fold, by_fold.get(fold))
        found = scores_of_folds(data, out, folds)
    else:
        make_all(data, out, 0, None)
        found = {"crf": dict(Run.open(out / "crf").scores), "network": weights_of(out / "both")}
    given = f" --pretrained {chosen.pretrained.name}" if chosen.pretrained else ""
    write_result(f"gene_network-{chosen.name}", f"python benchmarks/gene_network.py {chosen.name}{given}", found)


def encoders(study: Path) -> dict[int, Path]:
    """The pretrained encoder of each fold of a finished study."""
    jobs = [read_record(file).job for file in sorted((study / "records").glob("pretrain-*"))]
    return {job.fold: study / "runs" / job.name for job in jobs}


def make_all(data: Path, out: Path, fold: int, encoder: Path | None) -> None:
    """The encoder, unless it is given; the CRF; gene models with and without it."""
    out.mkdir(parents=True, exist_ok=True)
    averaged = out / "averaged.toml"
    averaged.write_text("average_fraction = 0.1\n")
    given = (str(data), *(("--fold", str(fold)) if fold else ()))
    if encoder is None:
        encoder = out / "pre"
        make(encoder, "pretrain", *given, "--epochs", "6")
    begin = (*given, "--encoder", str(encoder))
    make(out / "crf", "finetune", *begin, "--head", "crf", "--epochs", "16", "--config", str(averaged))
    make(out / "both", "finetune", *begin, "--network", str(out / "crf"))
    if fold:
        make(out / "alone", "finetune", *begin)


def make(run: Path, command: str, *options: str) -> None:
    """A run, unless it is finished."""
    if (run / "result.json").is_file():
        return
    studies.run(command, *options, "--out", str(run), *(["--resume"] if run.exists() else []))


def weights_of(run: Path) -> dict[str, Any]:
    """The weight of the network that `finetune` chose, and the scores of all weights that it tried."""
    network = read_config(run).provenance["network"]
    return {name: network[name] for name in ("weight", "valid_by_weight")}


def scores_of_folds(data: Path, out: Path, folds: list[int]) -> dict[str, Any]:
    """Scores of all folds together, and what the network adds, paired, with 95 % intervals."""
    found: dict[str, Any] = {"weights": [weights_of(out / f"fold{fold}" / "both")["weight"] for fold in folds]}
    pooled = {variant: counts_of(data, out, folds, variant) for variant in VARIANTS}
    gains = {}
    for measure in GENE_MEASURES:
        scores = {variant: Resamples.of_genes(counts, measure) for variant, counts in pooled.items()}
        for variant, score in scores.items():
            found.setdefault(variant, {})[measure] = round(score.value, 4)
        gain = paired_gain(scores["alone"], scores["both"])
        gains[measure] = [round(number, 4) for number in (gain.value, gain.low, gain.high)]
    return found | {"both - alone": gains, "blocks": pooled["both"].n_blocks}


def counts_of(data: Path, out: Path, folds: list[int], variant: str) -> BootstrapCounts:
    """What a bootstrap over the blocks of all folds resamples."""
    counts = []
    for fold in folds:
        run = out / f"fold{fold}" / variant
        counts.append(read_counts(run / f"{evaluation_stem(evaluate(run, data, fold=fold))}.npz"))
    return pool_counts(counts)


if __name__ == "__main__":
    main()
