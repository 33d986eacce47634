"""A gene model from a dataset: sensors, lengths and site scores by counting and regression, weights by search out of fold.

Each base of the train split is scored by sensors and regressions that were estimated without its group of contigs (or of blocks,
where contigs are few). The densities of lengths are of the whole split, and a pretrained encoder has read all of it.
The weights are those with which the genes of the train split are found best so. The valid split has no part in it: it is scored.
Only the weight of a fine-tuned network is chosen on valid, since the network was trained on train.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from dnaspt.checkpoint import build_task_model, load_model, save_checkpoint, site_offsets
from dnaspt.checkpoint_config import CheckpointConfig, LevelRates, OperatingPoint, SplitRates
from dnaspt.config import FinetuneConfig
from dnaspt.data.bootstrap_blocks import blocks_outside_genes, on_genome
from dnaspt.data.dataset import Split
from dnaspt.data.manifest import Manifest
from dnaspt.data.segments import Segment, segments
from dnaspt.data.subset import label_subset
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import DatasetError
from dnaspt.evaluation.gene_metrics import LEVELS, PREDICTED, TRUE, rates
from dnaspt.evaluation.metrics import confusion, mcc
from dnaspt.evaluation.score import GenePrediction, gene_counts, gene_f1_scores
from dnaspt.genome import alphabet
from dnaspt.genome.coding_sequence import with_codons_read
from dnaspt.genome.gene_states import ACCEPTOR, CDS, DONOR, INTRON, MINUS, MISSING, NONCODING, transcripts_from_labels
from dnaspt.genome.genetic_code import GeneticCode
from dnaspt.genome.stop_in_cds import labels_with_stop_codons, with_stop_codon
from dnaspt.genome.transcripts import Transcript, moved
from dnaspt.inference.decode import decode_with, grouped, predict_emissions
from dnaspt.inference.emissions import ContigSlice, EmissionArray, hidden_states, predict_sequences
from dnaspt.models.cross_fitting import LabeledSequence, cross_fitting_groups
from dnaspt.models.decoding import GeneRules
from dnaspt.models.gene_model import (
    GENE,
    N_SENSORS,
    PRIOR_WEIGHTS,
    SITES,
    WEIGHT_NAMES,
    GeneModel,
    Shares,
    candidate_scores,
    classes_of,
    genes_of,
)
from dnaspt.models.gene_model_head import RULES, GeneModelDecoder, GeneModelHead
from dnaspt.models.gene_structure import N_COLUMNS
from dnaspt.models.heads import CRFHead, SoftmaxHead
from dnaspt.models.kernels.semi_markov import best_path
from dnaspt.models.length_densities import EXPLICIT_INTRON_BP, GeneLengths, GeneParts
from dnaspt.models.phase_labels import phase_labels
from dnaspt.models.sensors import SensorFit, add_sensors, fit_sensors
from dnaspt.models.site_scores import LETTER_OFFSETS, LETTER_PENALTY, STATE_PENALTY, add_site_scores, fit_site_probe
from dnaspt.models.task_model import TaskModel
from dnaspt.training.fabric import processor_name
from dnaspt.training.loop import Reporter
from dnaspt.training.run_folder import RunFolder
from dnaspt.training.runs import Run, RunResult

log = logging.getLogger(__name__)

PENALTY = 0.002
"""What a weight costs that is half a natural logarithm away from the common one: in units of the score, averaged over weights."""
STEPS = ((0.7, 1.43), (0.85, 1.18))
"""Factors by which the search changes a weight, in each of its rounds."""
GENE_STEP = 5.0
"""The weight of a gene is no factor: it changes by so many times the logarithm of the steps."""
LEAST_GAIN = 2e-4
LEAST_GENES = 3
FEW_GENES = 50
"""Fewer genes are a warning."""
LEARNED_BP = 20_000_000
"""Bases of the train split that a gene model is estimated on at most: the search decodes them some hundred times."""
GENE_OFFSETS = (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0)
"""Nats added to the log-odds of a gene's beginning at which sensitivity and precision are measured."""
NETWORK_WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)
"""Weights of a network's class scores that are tried on valid, ascending."""


class GeneModelFit(NamedTuple):
    """What was estimated, and how well it does.

    Attributes:
        model: encoder and head.
        scores: of the train split out of fold, and of the valid split, by name.
        precision: average precision of the site scores of each signal, out of fold.
        points: sensitivity and precision at `GENE_OFFSETS`.
        by_network_weight: scores of the valid split for each of `NETWORK_WEIGHTS`; none without a network.
        n_genes: whole genes that it was estimated on.
    """

    model: TaskModel
    scores: dict[str, float]
    precision: dict[str, float]
    points: tuple[OperatingPoint, ...]
    by_network_weight: dict[float, dict[str, float]]
    n_genes: int


@dataclass
class _Part:
    """A split: its segments, and the transcripts that it is scored by."""

    segments: list[Segment]
    annotated: list[tuple[Transcript, bool]]

    @classmethod
    def of(cls, split: Split, config: FinetuneConfig, name: str) -> "_Part":
        """The transcripts that lie in what is left of a split of the dataset."""
        parts = list(segments(split))
        by_contig: defaultdict[str, list[Segment]] = defaultdict(list)
        for part in parts:
            by_contig[part.chrom].append(part)
        annotated = [
            (transcript, is_longest)
            for transcript, is_longest in read_transcripts(config.data, name, config.fold)
            if any(
                part.start <= transcript.start and transcript.end <= part.end for part in by_contig[transcript.chrom]
            )
        ]
        return cls(parts, annotated)

    def with_stop_codons(self, code: GeneticCode) -> "_Part":
        """The split of a dataset that has the stop codon outside the CDS, with the stop codon in it, if it is behind it."""
        parts = [replace(part, labels=labels_with_stop_codons(part.labels, part.codes, code)) for part in self.segments]
        return _Part(parts, self._read(lambda gene, codes: with_stop_codon(gene, codes, code)))

    def with_codons_read(self, code: GeneticCode) -> "_Part":
        """The split with transcripts that are partial where their letters show no start codon or no stop codon."""

        def read(gene: Transcript, codes: np.ndarray) -> Transcript:
            gene = with_codons_read(gene, codes, code)
            return replace(gene, is_partial=not (gene.has_start and gene.has_stop))

        return _Part(self.segments, self._read(read))

    def _read(self, read: Callable[[Transcript, np.ndarray], Transcript]) -> list[tuple[Transcript, bool]]:
        """Transcripts as `read` gives them from the letters of their segment, on whose coordinates it gets them."""
        by_contig: dict[str, list[Segment]] = {}
        for part in self.segments:
            by_contig.setdefault(part.chrom, []).append(part)

        def of_segment(gene: Transcript) -> Transcript:
            part = next(own for own in by_contig[gene.chrom] if own.start <= gene.start and gene.end <= own.end)
            return moved(read(moved(gene, -part.start), part.codes), part.start)

        return [(of_segment(gene), is_longest) for gene, is_longest in self.annotated]

    def labeled(self, code: GeneticCode) -> list[LabeledSequence]:
        """Segments with reading frames in a genetic code, and groups."""
        longest = [transcript for transcript, is_longest in self.annotated if is_longest and not transcript.is_partial]
        labels = [
            phase_labels(
                part.codes,
                part.labels,
                [gene for gene in longest if gene.chrom == part.chrom],
                start=part.start,
                genetic_code=code,
            )
            for part in self.segments
        ]
        cuts = [blocks_outside_genes(part.labels) for part in self.segments]
        contigs = [on_genome(part.chrom, part.start, part.end)[0] for part in self.segments]  # rows of BEND may overlap
        groups = cross_fitting_groups(contigs, labels, cuts)
        return [
            LabeledSequence(part.codes, own, group)
            for part, own, group in zip(self.segments, labels, groups, strict=True)
        ]


def fit_gene_model(
    config: FinetuneConfig,
    manifest: Manifest,
    checkpoint: CheckpointConfig,
    train: Split,
    valid: Split,
    report: Callable[[str], None] = log.info,
    begin: Callable[[], None] = lambda: None,
) -> GeneModelFit:
    """Estimate a gene model.

    Args:
        config: settings; the encoder, if there is one, stays as it is.
        manifest: of the dataset.
        checkpoint: description of the model.
        train: what it is estimated on.
        valid: what it is scored on, and, with a network, what the network's weight is chosen on.
        report: is told how far it is.
        begin: is called when there are genes enough to learn from, before anything is estimated.

    Raises:
        DatasetError: fewer than three genes to learn from.
    """
    began = time.perf_counter()
    part = _Part.of(train, config, "train")
    code = checkpoint.code
    learned = part.with_stop_codons(code) if manifest.stop_in_cds is False else part
    learned = learned.with_codons_read(code)
    genes = [gene for gene, is_longest in learned.annotated if is_longest and not gene.is_partial]
    if n_partial := sum(is_longest for _, is_longest in learned.annotated) - len(genes):
        report(f"{n_partial} genes have no start or no stop codon: they have no part in the densities of lengths")
    if len(genes) < LEAST_GENES:
        cut = f", and {n_partial} without a start codon ({', '.join(code.starts)}) or a stop codon" if n_partial else ""
        raise DatasetError(f"{config.data}: {len(genes)} genes to learn from{cut}; expected {LEAST_GENES} or more")
    begin()
    sequences = learned.labeled(code)
    fit = fit_sensors(sequences, genetic_code=code)
    lengths, shares = fit_lengths(learned, genes, checkpoint.min_intron_bp)
    report(f"sensors and lengths of {len(genes)} genes: {time.perf_counter() - began:.0f} s")
    if len(genes) < FEW_GENES:
        log.warning(
            "%s: %d whole genes to learn from; a gene model of fewer than %d is rough",
            *(config.data, len(genes), FEW_GENES),
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        task_model = build_task_model(checkpoint)
    if config.encoder is not None:
        pretrained, _ = load_model(config.encoder)
        task_model.encoder.load_state_dict(pretrained.encoder.state_dict())
    network_gene = 0.0
    if config.network is not None:
        assert task_model.network is not None
        task_model.network.load_state_dict(load_model(config.network)[0].state_dict())
        assert isinstance(task_model.network.head, SoftmaxHead | CRFHead)
        network_gene = task_model.network.head.gene_score
    task_model.eval()
    states = hidden_states(task_model)
    offsets = site_offsets(checkpoint)
    probe = fit_site_probe(
        sequences,
        lambda codes: np.asarray(predict_sequences(states, [ContigSlice.whole(codes)])[0]),
        offsets=offsets,
        penalty=LETTER_PENALTY if offsets == LETTER_OFFSETS else STATE_PENALTY,
        seed=config.seed,
        genetic_code=code,
    )
    precisions = ", ".join(f"{name} {value:.3f}" for name, value in probe.precision.items())
    report(f"site scores, average precision out of fold: {precisions}; {time.perf_counter() - began:.0f} s")
    search = _Search(
        manifest, part, sequences, fit, probe.scores, GeneModel(fit.sensors, lengths, PRIOR_WEIGHTS, shares, code)
    )
    weights = search.run(report)
    model = GeneModel(fit.sensors, lengths, weights, shares, code, network_gene=network_gene)
    assert isinstance(task_model.head, GeneModelHead)
    task_model.head.take(model, probe.probe)
    report(f"weights: {time.perf_counter() - began:.0f} s")
    scores = {f"train_{name}": value for name, value in search.best_scores.items()}
    valid_part = _Part.of(valid, config, "valid")
    rules = RULES._replace(stop_in_cds=manifest.stop_in_cds is not False, min_intron_bp=checkpoint.min_intron_bp)
    by_network_weight: dict[float, dict[str, float]] = {}
    if config.network is not None:
        by_network_weight = _by_network_weight(manifest, task_model, valid_part, rules, report)
        model = replace(model, network_weight=best_weight(by_network_weight))
        task_model.head.take(model, probe.probe)
        report(f"weight of the network: {model.network_weight:g}; {time.perf_counter() - began:.0f} s")
        if not model.network_weight:
            log.warning("%s: makes no gene of valid better, so it has weight 0; leave out --network", config.network)
    variants = [(model, rules._replace(gene_offset=offset)) for offset in GENE_OFFSETS]
    paths = dict(zip(GENE_OFFSETS, paths_of(variants, task_model, valid_part), strict=True))
    scores |= {f"valid_{name}": value for name, value in _score(manifest, valid_part, paths[0.0]).items()}
    points = tuple(
        OperatingPoint(
            gene_offset=offset, valid=_rates(valid_part, paths[offset]), train=search.rates_at(weights, offset)
        )
        for offset in GENE_OFFSETS
    )
    report(f"sensitivity and precision at {len(points)} gene offsets: {time.perf_counter() - began:.0f} s")
    return GeneModelFit(task_model, scores, probe.precision, points, by_network_weight, len(genes))


def _by_network_weight(
    manifest: Manifest, task_model: TaskModel, part: _Part, rules: GeneRules, report: Callable[[str], None]
) -> dict[float, dict[str, float]]:
    """Scores of a split for each of `NETWORK_WEIGHTS`."""
    assert isinstance(task_model.head, GeneModelHead)
    model = task_model.head.model()
    variants = [(replace(model, network_weight=weight), rules) for weight in NETWORK_WEIGHTS]
    scores = {}
    for weight, paths in zip(NETWORK_WEIGHTS, paths_of(variants, task_model, part), strict=True):
        scores[weight] = _score(manifest, part, paths)
        written = ", ".join(f"{name} {value:.3f}" for name, value in scores[weight].items())
        report(f"weight {weight:g} of the network, valid: {written}")
    return scores


def best_weight(scores: dict[float, dict[str, float]]) -> float:
    """The weight of the highest mean of scores; of equal ones the smallest."""

    def rank(weight: float) -> tuple[float, float]:
        values = [value for value in scores[weight].values() if not np.isnan(value)]
        return (float(np.mean(values)) if values else -np.inf, -weight)

    return max(scores, key=rank)


def fit_lengths(part: _Part, genes: Sequence[Transcript], min_intron_bp: int) -> tuple[GeneLengths, Shares]:
    """Densities of lengths, and shares of bases, of a split with these genes."""
    labels = np.concatenate([segment.labels for segment in part.segments])
    known = max(int((labels != MISSING).sum()), 1)

    def share(*classes: int) -> float:
        both = [*classes, *(class_ + MINUS for class_ in classes if class_ != NONCODING)]
        return max(float(np.isin(labels, both).sum()) / known, 1e-4)

    shares = Shares(share(NONCODING), share(CDS), share(DONOR, INTRON, ACCEPTOR))
    lengths = GeneLengths.fit(
        GeneParts.of(genes),
        intergenic_bp=float((labels == NONCODING).sum()),
        n_genes=sum(is_longest for _, is_longest in part.annotated),
        min_intron_bp=min(min_intron_bp, EXPLICIT_INTRON_BP),
    )
    return lengths, shares


class _Search:
    """A search for the weights with which the genes of the train split are found best, out of fold."""

    def __init__(
        self,
        manifest: Manifest,
        part: _Part,
        sequences: Sequence[LabeledSequence],
        sensors: SensorFit,
        sites: Sequence[np.ndarray],
        model: GeneModel,
    ) -> None:
        self._manifest, self._part, self._model = manifest, part, model
        self._tokens = [np.ascontiguousarray(alphabet.tokens(sequence.codes)) for sequence in sequences]
        self._features = [sensors.features(sequence) for sequence in sequences]
        self._sites = [
            candidate_scores(sequence.codes, scores, 0, len(sequence.codes), model.genetic_code)
            for sequence, scores in zip(sequences, sites, strict=True)
        ]
        self.best_scores: dict[str, float] = {}

    def run(self, report: Callable[[str], None]) -> np.ndarray:
        """The best weights found: one after another is changed, in two rounds."""
        weights = PRIOR_WEIGHTS.copy()
        best = self._value(weights)
        for number, steps in enumerate(STEPS, start=1):
            for index in range(len(weights)):
                for step in steps:
                    tried = weights.copy()
                    tried[index] = weights[index] + GENE_STEP * np.log(step) if index == GENE else weights[index] * step
                    value = self._value(tried)
                    if value > best + LEAST_GAIN:
                        best, weights = value, tried
                        break
            report(f"round {number} of the search for weights: score {best:.3f}")
        self.best_scores = self._scores(weights)
        report("weights: " + ", ".join(f"{name} {value:.2f}" for name, value in zip(WEIGHT_NAMES, weights)))
        return weights

    def _value(self, weights: np.ndarray) -> float:
        """Mean of four scores, less the penalty."""
        logs = np.log(np.maximum(np.delete(weights, GENE), 1e-6) / np.delete(PRIOR_WEIGHTS, GENE)) / 0.5
        squares = np.append(logs, (weights[GENE] - PRIOR_WEIGHTS[GENE]) / 3) ** 2
        return float(np.nanmean(list(self._scores(weights).values())) - PENALTY * squares.mean())

    def _scores(self, weights: np.ndarray) -> dict[str, float]:
        return _score(self._manifest, self._part, self._paths(weights))

    def rates_at(self, weights: np.ndarray, gene_offset: float) -> SplitRates:
        """Sensitivity and precision with the log-odds of a gene's beginning changed by so many nats."""
        return _rates(self._part, self._paths(weights, gene_offset))

    def _paths(self, weights: np.ndarray, gene_offset: float = 0.0) -> list[np.ndarray]:
        """Classes of all sequences, decoded out of fold."""
        model = replace(self._model, weights=weights)
        segments_ = model.segments(gene_offset=gene_offset)
        stop_in_cds = self._manifest.stop_in_cds is not False

        def decode(number: int) -> np.ndarray:
            features, sites = self._features[number], self._sites[number]

            def potentials(start: int, stop: int) -> np.ndarray:
                rows = np.zeros((stop - start, N_COLUMNS), np.float32)
                add_sensors(rows, features[start:stop], weights[:N_SENSORS])
                add_site_scores(rows, sites[start:stop], weights[SITES])
                return rows

            tokens = self._tokens[number]
            genes = genes_of(best_path(tokens, potentials, segments_).sites)
            return classes_of(genes, len(tokens), stop_in_cds=stop_in_cds)

        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            return list(pool.map(decode, range(len(self._tokens))))


def paths_of(
    variants: Sequence[tuple[GeneModel, GeneRules]], task_model: TaskModel, part: _Part
) -> list[list[np.ndarray]]:
    """Classes of the segments of a split, as predicted by each of several gene models. Emissions are computed once.

    Args:
        variants: gene models, and what is asked of their genes.
        task_model: gives the emissions of them all.
        part: the split.
    """
    paths: list[list[np.ndarray]] = [[] for _ in variants]

    def decode(emissions: EmissionArray, contig_slice: ContigSlice, variant: tuple[GeneModel, GeneRules]) -> np.ndarray:
        model, rules = variant
        decoder = GeneModelDecoder(model)
        return decode_with(decoder, emissions, contig_slice, grammar=rules, with_posterior=False).path

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for group in grouped((ContigSlice.whole(segment.codes) for segment in part.segments), len):
            for contig_slice, emissions in zip(group, predict_emissions(task_model, group), strict=True):
                decoded = pool.map(partial(decode, emissions, contig_slice), variants)
                for path, of_variant in zip(decoded, paths, strict=True):
                    of_variant.append(path)
    return paths


def _predictions(part: _Part, paths: Sequence[np.ndarray]) -> list[GenePrediction]:
    """Decoded paths with the genes that they hold."""
    predictions: list[GenePrediction] = []
    n_genes = 0
    for segment, path in zip(part.segments, paths, strict=True):
        genes = transcripts_from_labels(path, segment.chrom, start=segment.start, first_number=n_genes + 1)
        n_genes += len(genes)
        predictions.append(GenePrediction(segment, path, genes))
    return predictions


def _score(manifest: Manifest, part: _Part, paths: Sequence[np.ndarray]) -> dict[str, float]:
    """MCC, and F1 of coding bases, exons and genes, of decoded paths, without intervals."""
    n_labels = len(manifest.labels)
    counts = np.zeros((n_labels, n_labels), np.int64)
    for segment, path in zip(part.segments, paths, strict=True):
        counts += confusion(segment.labels, path, n_labels)
    return {"mcc": mcc(counts)} | gene_f1_scores(part.annotated, _predictions(part, paths), ("base", "exon", "gene"))


def _rates(part: _Part, paths: Sequence[np.ndarray]) -> SplitRates:
    """Sensitivity and precision of coding bases and exons, of decoded paths."""
    counts = gene_counts(part.annotated, _predictions(part, paths))

    def of_level(name: str) -> LevelRates:
        row = counts[LEVELS.index(name)]
        sensitivity, precision = (None if np.isnan(value) else float(value) for value in rates(row)[:2])
        return LevelRates(
            n_true=int(row[TRUE]), n_predicted=int(row[PREDICTED]), sensitivity=sensitivity, precision=precision
        )

    return SplitRates(base=of_level("base"), exon=of_level("exon"))


def run_gene_model(
    config: FinetuneConfig,
    manifest: Manifest,
    checkpoint: CheckpointConfig,
    splits: tuple[Split, Split],
    folder: RunFolder,
    reporter: Reporter | None = None,
) -> Run:
    """Estimate a gene model, and write it as a run.

    Args:
        config: settings.
        manifest: of the dataset.
        checkpoint: description of the model.
        splits: train and valid.
        folder: the run folder.
        reporter: shows the progress; None logs it alone.
    """
    began = time.perf_counter()
    train, valid = splits

    def report(text: str) -> None:
        log.info(text)
        if reporter is not None:
            reporter.note(text)

    if (n_bp := len(train.codes)) > LEARNED_BP:
        train = label_subset(train, LEARNED_BP / n_bp, config.seed)
        report(
            f"the gene model is estimated on {len(train.codes):,} of {n_bp:,} bases, whole genes from all over train"
        )
    fit = fit_gene_model(config, manifest, checkpoint, train, valid, report, begin=lambda: folder.begin(0))
    minutes = (time.perf_counter() - began) / 60
    provenance = checkpoint.provenance | fit.scores | {"n_genes": fit.n_genes, "n_bp": len(train.codes)}
    if checkpoint.network is not None:
        by_weight = [{"weight": weight, **scores} for weight, scores in fit.by_network_weight.items()]
        chosen = {"weight": best_weight(fit.by_network_weight), "valid_by_weight": by_weight}
        provenance["network"] = provenance["network"] | chosen
    folder.log_metrics({"step": 0, **fit.scores})
    checkpoint = checkpoint.model_copy(update={"provenance": provenance, "operating_points": fit.points})
    save_checkpoint(folder.path / "best" / "step-00000000", fit.model, checkpoint)
    result = RunResult(fit.scores, 0, 0, len(train.codes), minutes, device=processor_name(), precision="32")
    folder.finish(result)
    return Run(folder.path, result, True, "", 0)
