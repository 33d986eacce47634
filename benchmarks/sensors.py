"""Sensors, lengths and site scores of a gene dataset's train split, out of fold, into benchmarks/results/sensors-NAME.json.

`python benchmarks/sensors.py data/athaliana --name athaliana --encoder runs/pre` measures contig by contig what was estimated on
the other contigs: bits per base of the content chains by their smoothing, how well 60 bp of coding sequence are told from other
sequence, average precision of signals for weight arrays, the frozen encoder's hidden states, letters and a random encoder, nats
per length by bandwidth, and speed on one core. Without --encoder the two encoders are left out.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from dnaspt.checkpoint import load_model
from dnaspt.data.bootstrap_blocks import blocks_outside_genes
from dnaspt.data.dataset import read_split
from dnaspt.data.segments import segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.emissions import ContigSlice, hidden_states, predict_sequences
from dnaspt.models import length_densities
from dnaspt.models.cross_fitting import LabeledSequence, cross_fitting_groups
from dnaspt.models.gene_structure import CODING, INTERGENIC, INTRON, MINUS_COLUMNS, PLUS, START, STOP
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.length_densities import LEAST_BP, PRIORS, GeneParts, fit_length_density
from dnaspt.models.phase_labels import phase_labels
from dnaspt.models.sensors import SIGNALS, WEIGHTS, SensorCounts, Sensors, candidate_sites, chain_table, fit_sensors
from dnaspt.models.site_scores import (
    LETTER_OFFSETS,
    LETTER_PENALTY,
    HiddenStates,
    fit_site_probe,
    letter_states,
    site_truth,
)
from record import write_result

CHAINS = ("codon base 0", "codon base 1", "codon base 2", "intron", "intergenic")
N_CONTEXTS = 1024
WINDOW_BP, STEP_BP = 60, 20


def read(folder: Path) -> tuple[list[LabeledSequence], list[Transcript], list[str], dict[str, int]]:
    """The train split: sequences in groups by contig, transcripts, contigs, and what became of the labels."""
    train = list(segments(read_split(folder, "train")))
    transcripts = [transcript for transcript, longest in read_transcripts(folder, "train") if longest]
    labels = [
        phase_labels(part.codes, part.labels, [t for t in transcripts if t.chrom == part.chrom], start=part.start)
        for part in train
    ]
    contigs = [part.chrom for part in train]
    groups = cross_fitting_groups(contigs, labels, [blocks_outside_genes(part.labels) for part in train])
    known = sum(int((part.labels != MISSING).sum()) for part in train)
    framed = sum(int((own != MISSING).sum()) for own in labels)
    sequences = [LabeledSequence(part.codes, own, group) for part, own, group in zip(train, labels, groups)]
    return sequences, transcripts, contigs, {"labeled": known, "frame_unknown": known - framed}


def bits_per_base(counts: list[SensorCounts]) -> dict[str, Any]:
    """Bits per base of each chain, out of fold, by smoothing."""
    total, found = SensorCounts.total(counts), {}
    smoothings = [(strength, False) for strength in (2, 12, 40, 120, 200, 320)] + [(n, True) for n in (1, 8, 64)]
    for strength, witten_bell in smoothings:
        bits, n = np.zeros(len(CHAINS)), np.zeros(len(CHAINS))
        for own in counts:
            for chain in range(len(CHAINS)):
                rest = (total - own).content[chain]
                table = chain_table(rest, strength, witten_bell=witten_bell)[-N_CONTEXTS:]
                bits[chain] -= (own.content[chain] * np.log2(table)).sum()
                n[chain] += own.content[chain].sum()
        name = f"witten_bell x {strength}" if witten_bell else f"strength {strength}"
        found[name] = dict(zip(CHAINS, (bits / n).round(4).tolist())) | {"all": round(float(bits.sum() / n.sum()), 5)}
    return found


def coding_auroc(sequences: list[LabeledSequence], counts: list[SensorCounts]) -> dict[str, Any]:
    """AUROC of windows of coding sequence in frame against the best frame of intergenic windows and of introns, by strength."""
    total, found = SensorCounts.total(counts), {}
    for strength in (12, 40, 120, 200, 320):
        scores: dict[str, list[float]] = {"coding": [], "intergenic": [], "intron": []}
        for sequence, own in zip(sequences, counts, strict=True):
            features = Sensors.from_counts(total - own, content_strength=strength).features(sequence.codes)
            for strand in range(2):
                _score_windows(sequence.labels, features.astype(np.float64), strand, scores)
        found[f"strength {strength}"] = {
            f"coding against {other}": round(_auroc(scores["coding"], scores[other]), 4)
            for other in ("intergenic", "intron")
        }
    return found


def _score_windows(labels: np.ndarray, features: np.ndarray, strand: int, scores: dict[str, list[float]]) -> None:
    positions = np.arange(len(labels))
    column = labels.astype(int) - (MINUS_COLUMNS if strand else PLUS)
    bases = np.where(column == START, 0, np.where(column == STOP, 2, column))
    is_coding = (bases >= CODING) & (bases < CODING + 3)
    kinds = {"coding": is_coding, "intergenic": labels == INTERGENIC, "intron": (column >= INTRON) & (column < START)}
    shares = {kind: np.append(0, np.cumsum(own)) for kind, own in kinds.items()}
    frames = []
    for frame in range(3):
        base = (frame - positions) % 3 if strand else (positions - frame) % 3
        frames.append(np.append(0, np.cumsum(features[positions, 10 * strand + base])))
    for start in range(0, len(labels) - WINDOW_BP, STEP_BP):
        end = start + WINDOW_BP
        sums = [frame[end] - frame[start] for frame in frames]
        for kind, share in shares.items():
            if share[end] - share[start] == WINDOW_BP:
                own = (start + bases[start]) % 3 if strand else (start - bases[start]) % 3
                scores[kind].append(sums[own] if kind == "coding" else max(sums))


def _auroc(positive: list[float], negative: list[float]) -> float:
    return float(roc_auc_score([1] * len(positive) + [0] * len(negative), positive + negative))


def weight_array_precision(sequences: list[LabeledSequence]) -> dict[str, float]:
    """Average precision of the weight arrays, out of fold."""
    fit, found = fit_sensors(sequences), {}
    for number, signal in enumerate(SIGNALS):
        truth, scores = [], []
        for sequence in sequences:
            features = fit.features(sequence)
            known = candidate_sites(sequence.codes) & (sequence.labels >= 0)[:, None]
            for strand in range(2):
                at = known[:, 4 * strand + number]
                truth.append(site_truth(sequence.labels)[at, 4 * strand + number])
                scores.append(features[at, 10 * strand + 4 + number])
        found[signal.name] = round(float(average_precision_score(np.concatenate(truth), np.concatenate(scores))), 4)
    return found


def probe_precision(sequences: list[LabeledSequence], read_states: HiddenStates, **options: Any) -> dict[str, Any]:
    """Average precision of a probe's scores, out of fold."""
    begin = time.process_time()
    fit = fit_site_probe(sequences, read_states, **options)
    rounded = {name: round(value, 4) for name, value in fit.precision.items()}
    return rounded | {"cpu_s": round(time.process_time() - begin, 1)}


def reader(model: LanguageModel) -> HiddenStates:
    """Hidden states of a sequence."""
    output = hidden_states(model.eval())
    return lambda codes: np.asarray(predict_sequences(output, [ContigSlice.whole(codes)])[0])


def length_nats(transcripts: list[Transcript], contigs: list[str]) -> dict[str, Any]:
    """Nats per length out of fold by contig, for fixed bandwidths and the chosen one."""
    found: dict[str, Any] = {}
    for kind in PRIORS:
        found[kind] = {}
        for bandwidth in (0.08, 0.25, None):
            nats, n = 0.0, 0
            for contig in dict.fromkeys(contigs):
                rest = GeneParts.of(t for t in transcripts if t.chrom != contig).lengths[kind]
                own = GeneParts.of(t for t in transcripts if t.chrom == contig).lengths[kind]
                most = length_densities.EXPLICIT_INTRON_BP if kind == "intron" else length_densities.EXPLICIT_EXON_BP
                density = fit_length_density(
                    rest, n_explicit=most, prior=PRIORS[kind], least_bp=LEAST_BP[kind], bandwidth=bandwidth
                )
                nats -= float(density.log_density(own).sum())
                n += len(own)
            found[kind][f"bandwidth {bandwidth or 'chosen'}"] = round(nats / max(n, 1), 4)
        found[kind]["n"] = n
    return found


def speed(sensors: Sensors) -> dict[str, float]:
    """Mb per second of CPU time on one core, both strands: random letters."""
    codes = np.random.default_rng(0).integers(0, 4, 4_000_000).astype(np.uint8)
    labels, weights = np.zeros(len(codes), np.int8), np.ones(len(WEIGHTS))
    found = {}
    for name, call in (
        ("count", lambda n: SensorCounts.of(codes[:n], labels[:n])),
        ("features", lambda n: sensors.features(codes[:n])),
        ("potentials", lambda n: sensors.potentials(codes[:n], weights)),
    ):
        call(1_000)
        begin = time.process_time()
        call(len(codes))
        found[name] = round(len(codes) / 1e6 / (time.process_time() - begin), 2)
    return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--encoder", type=Path)
    options = parser.parse_args()
    sequences, transcripts, contigs, found = read(options.data)
    begin = time.process_time()
    counts = [SensorCounts.of(sequence.codes, sequence.labels) for sequence in sequences]
    total = SensorCounts.total(counts)
    result: dict[str, Any] = {
        "counts": found | {"sites": dict(zip((s.name for s in SIGNALS), total.sites[:, 0].tolist()))},
        "estimate_cpu_s": round(time.process_time() - begin, 2),
        "megabases_per_cpu_s": speed(Sensors.from_counts(total)),
        "bits_per_base": bits_per_base(counts),
        "coding_auroc": coding_auroc(sequences, counts),
        "nats_per_length": length_nats(transcripts, contigs),
    }
    precision = {"weight arrays": weight_array_precision(sequences)}
    precision["letters"] = probe_precision(sequences, letter_states, offsets=LETTER_OFFSETS, penalty=LETTER_PENALTY)
    if options.encoder:
        model, _ = load_model(options.encoder)
        assert isinstance(model, LanguageModel)
        torch.manual_seed(0)
        for name, own in (("encoder", model), ("random encoder", LanguageModel(model.encoder.config))):
            precision[name] = probe_precision(sequences, reader(own))
            print(name, precision[name], flush=True)
    result["average_precision"] = precision
    command = f"python benchmarks/sensors.py {options.data.name} --name {options.name}"
    write_result(f"sensors-{options.name}", command + (" --encoder ..." if options.encoder else ""), result)
    print(result)


if __name__ == "__main__":
    main()
