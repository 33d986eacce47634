"""What more gives the site scores of a gene model: reading both strands, and two encoders instead of one.

`python benchmarks/site_ensembles.py athaliana_genes RUN RUN` (a dataset of `benchmarks/studies.py`, and two runs of
`dnaspt pretrain` on it) averages site scores, and searches the weights anew for each average. It writes
benchmarks/results/site_ensembles-NAME.json: average precision of the sites, and scores of the train split out of fold. Neither
valid nor test is read.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import studies
from dnaspt.checkpoint import load_model
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.inference.emissions import ContigSlice, hidden_states, predict_sequences
from dnaspt.models import site_scores
from dnaspt.models.cross_fitting import LabeledSequence
from dnaspt.models.gene_model import PRIOR_WEIGHTS, GeneModel
from dnaspt.training import fit_gene_model
from dnaspt.training.fit_gene_model import fit_lengths
from record import write_result

OTHER_STRAND = [4, 5, 6, 7, 0, 1, 2, 3]
"""For each column of site scores that of the other strand."""


def main() -> None:
    """Fit, average, search, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(studies.PREPARE))
    parser.add_argument("runs", type=Path, nargs=2, help="encoders")
    chosen = parser.parse_args()
    studies.prepare(chosen.name)
    data = Path("data") / chosen.name
    manifest = read_manifest(data)
    config = FinetuneConfig(data=data, out=Path("unused"), head="gene-model")
    part = fit_gene_model._Part.of(read_split(data, "train"), config, "train").with_codons_read(STANDARD)
    sequences = part.labeled(STANDARD)
    genes = [gene for gene, is_longest in part.annotated if is_longest and not gene.is_partial]
    sensors = fit_gene_model.fit_sensors(sequences)
    lengths, shares = fit_lengths(part, genes, min_intron_bp=10)
    model = GeneModel(sensors.sensors, lengths, PRIOR_WEIGHTS, shares, STANDARD)
    forward, both = zip(*(of_encoder(run, sequences) for run in chosen.runs), strict=True)
    found: dict[str, Any] = {}
    for name, scores in (
        ("one encoder", forward[0]),
        ("one encoder, both strands", both[0]),
        ("two encoders", mean(*forward)),
        ("two encoders, both strands", mean(*both)),
    ):
        precision = site_scores._measure(sequences, scores, STANDARD)[0]
        search = fit_gene_model._Search(manifest, part, sequences, sensors, scores, model)
        search.run(lambda text: None)
        found[name] = {
            "average precision": {signal: round(value, 4) for signal, value in precision.items()},
            "train, out of fold": {score: round(value, 4) for score, value in search.best_scores.items()},
        }
        print(name, found[name], flush=True)
    write_result(f"site_ensembles-{chosen.name}", f"python benchmarks/site_ensembles.py {chosen.name} RUN RUN", found)


def of_encoder(run: Path, sequences: Sequence[LabeledSequence]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Site scores out of fold (L, 8) of each sequence: of the forward strand, and the mean of both strands."""
    states = hidden_states(load_model(run)[0].eval())

    def read(codes: np.ndarray) -> np.ndarray:
        return np.asarray(predict_sequences(states, [ContigSlice.whole(codes)])[0])

    forward = site_scores.fit_site_probe(sequences, read)
    turned = site_scores.fit_site_probe([site_scores._reverse_complement(sequence) for sequence in sequences], read)
    print(run, forward.precision, flush=True)
    backward = [np.ascontiguousarray(scores[::-1][:, OTHER_STRAND]) for scores in turned.scores]
    return forward.scores, mean(forward.scores, backward)


def mean(*scores: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The mean of several scores of each sequence."""
    return [np.mean(own, axis=0, dtype=np.float32) for own in zip(*scores, strict=True)]


if __name__ == "__main__":
    main()
