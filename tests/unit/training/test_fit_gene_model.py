"""A gene model of simulated genes: found out of fold, stored, loaded, and predicted alike."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.training.stop_outside import n_coding, without_stop_codons
from torch import Tensor, nn
from torch.nn import functional

import dnaspt
from dnaspt.checkpoint import build_task_model, load_model, read_config, save_checkpoint
from dnaspt.config import PAD_TOKEN, EncoderConfig, FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import Segment
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import DatasetError
from dnaspt.evaluation.evaluate import predict_genes
from dnaspt.evaluation.gene_metrics import LEVELS, rates
from dnaspt.evaluation.score import gene_counts
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING, NONCODING
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference.genes import grammar_of
from dnaspt.inference.predict import PredictOptions
from dnaspt.inference.sensitivity import operating_point
from dnaspt.models.gene_model import N_SENSORS, PRIOR_WEIGHTS, WEIGHT_NAMES, GeneModel, Shares
from dnaspt.models.gene_model_head import RULES, GeneModelHead
from dnaspt.models.gene_structure import PLUS, START, STOP
from dnaspt.models.length_densities import EXPLICIT_INTRON_BP
from dnaspt.models.sensors import Sensors
from dnaspt.models.task_model import TaskModel
from dnaspt.reports.describe import describe
from dnaspt.training import fit_gene_model
from dnaspt.training.fit_gene_model import (
    GENE_OFFSETS,
    NETWORK_WEIGHTS,
    _by_network_weight,
    _Part,
    best_weight,
    fit_lengths,
)

pytestmark = pytest.mark.xdist_group("fitted")  # one process makes what these tests start from


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dnaspt.Run:
    folder = tmp_path_factory.mktemp("gene_model")
    dnaspt.simulate(folder / "genome", n_contigs=3, contig_bp=30_000, seed=3)
    dnaspt.prepare_genes(folder / "genome" / "genome.fa", folder / "genome" / "annotation.gff3", out=folder / "data")
    return dnaspt.finetune(folder / "data", out=folder / "run", head="gene-model")


def test_genes_are_found_out_of_fold(run: dnaspt.Run) -> None:
    assert set(run.scores) >= {"valid_mcc", "valid_exon_f1", "valid_gene_f1", "train_mcc", "train_exon_f1"}
    assert run.scores["train_base_f1"] > 0.5
    assert run.scores["valid_base_f1"] > 0.5


def test_a_stored_model_holds_what_was_estimated(run: dnaspt.Run) -> None:
    network, config = load_model(run.path)
    assert config.head == "gene-model"
    assert isinstance(network.head, GeneModelHead)
    model = network.head.model()
    assert model.weights.shape == PRIOR_WEIGHTS.shape == (len(WEIGHT_NAMES),)
    assert (model.weights[:-1] > 0).all()
    assert np.exp(model.lengths.intron.log_explicit).sum() + np.exp(model.lengths.intron.log_tail) == pytest.approx(1)


def test_genes_in_a_file_are_those_of_the_test_split(run: dnaspt.Run, tmp_path: Path) -> None:
    data = run.path.parent / "data"
    evaluation = dnaspt.evaluate(run, data, split="valid")
    assert evaluation.genes.mcc.value == pytest.approx(run.scores["valid_mcc"])
    assert evaluation.genes.structures.n_illegal == 0
    summary = dnaspt.load(run).predict_file(run.path.parent / "genome" / "genome.fa", tmp_path / "genes.gff3")
    assert summary.n_genes > 0
    text = (tmp_path / "genes.gff3").read_text()
    assert text.count("\tmRNA\t") == summary.n_genes


@pytest.fixture(scope="module")
def outside(run: dnaspt.Run) -> dnaspt.Run:
    """A gene model of the same genes, whose stop codons lie outside the CDS."""
    folder = run.path.parent
    data = without_stop_codons(folder / "data", folder / "outside")
    assert n_coding(data) == n_coding(folder / "data") - 3 * 28
    return dnaspt.finetune(data, out=folder / "run_outside", head="gene-model")


@pytest.mark.slow
def test_stop_codons_outside_the_cds_make_the_same_model(run: dnaspt.Run, outside: dnaspt.Run) -> None:
    (inside, _), (network, config) = load_model(run.path), load_model(outside.path)
    assert config.stop_in_cds is False
    for name, value in inside.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
    assert set(outside.scores) == set(run.scores)
    for name, score in run.scores.items():
        assert outside.scores[name] == pytest.approx(score, abs=0.002), name
        if name.endswith(("exon_f1", "gene_f1")):
            assert outside.scores[name] == score


@pytest.mark.slow
def test_predicted_genes_have_the_stop_codon_that_labels_leave_out(
    run: dnaspt.Run, outside: dnaspt.Run, tmp_path: Path
) -> None:
    genome, written = run.path.parent / "genome" / "genome.fa", []
    for own in (run, outside):
        files = [tmp_path / name for name in ("genes.gff3", "genes.gtf", "p.fa", "c.fa")]
        model = dnaspt.load(own)
        summary = model.predict_file(genome, files[0], proteins=files[2], cds=files[3], overwrite=own is outside)
        assert summary.n_genes > 20
        model.predict_file(genome, files[1], overwrite=own is outside)
        written.append([[row for row in file.read_text().splitlines() if row[0] != "#"] for file in files])
    assert written[0] == written[1]


def test_both_kinds_of_labels_score_alike(run: dnaspt.Run, outside: dnaspt.Run) -> None:
    folder = run.path.parent
    scores = [
        dnaspt.evaluate(own, data, split="train", any_data=True).genes
        for own, data in ((run, folder / "data"), (outside, folder / "outside"), (run, folder / "outside"))
    ]
    inside, *others = scores
    for other in others:  # the labels that are scored decide, not those that the model learned from
        for level, own in other.genes.levels.items():
            assert own.f1.value == pytest.approx(inside.genes.levels[level].f1.value, abs=0.002), level
        assert other.genes.levels["gene"].f1 == inside.genes.levels["gene"].f1
        assert other.mcc.value == pytest.approx(inside.mcc.value, abs=0.002)
        assert other.structures == inside.structures and other.structures.n_illegal == 0


def test_genes_without_both_ends_have_no_part_in_lengths() -> None:
    codes = alphabet.encode("GCCGCCTAACCATGAAATAACCATGGCCTGTCCAGGACC")
    labels = np.array([int(class_) for class_ in "000000" + "8" * 5 + "000000" + "8" * 5 + "000000" + "8" * 11])
    annotated = [
        (Transcript("c", "+", name, name, ((start, start + 6),)), True)
        for name, start in (("cut", 100), ("whole", 111), ("split stop", 122))
    ]
    part = _Part([Segment("c", 100, codes, labels.astype(np.int8))], annotated).with_stop_codons(STANDARD)
    part = part.with_codons_read(STANDARD)
    assert [(gene.cds, gene.is_partial) for gene, _ in part.annotated] == [
        (((100, 109),), True),
        (((111, 120),), False),
        (((122, 128),), True),
    ]
    assert part.segments[0].labels.tolist() == [*[0] * 9, 8, 8, *[0] * 9, 8, 8, *[0] * 6, *[-100] * 3, *[8] * 8]
    (sequence,) = part.labeled(STANDARD)
    start, stop, coding = PLUS + START, PLUS + STOP, [PLUS, PLUS + 1, PLUS + 2]
    assert sequence.labels.tolist() == [
        *(*coding, *coding, PLUS, PLUS + 1, stop, 0, 0),
        *(start, *coding[1:], *coding, PLUS, PLUS + 1, stop, 0, 0),
        *(start, *coding[1:], *coding, *[-100] * 3, *[0] * 8),
    ]


def test_genes_that_an_annotation_cuts_count_as_genes_but_not_as_lengths() -> None:
    codes = alphabet.encode("CCCATGGCCTAACCCGCCGCCTAACCC")  # ATG GCC TAA; and GCC GCC TAA, which has no start codon
    labels = np.full(len(codes), 8, np.int8)
    labels[3:12] = labels[15:24] = 0
    annotated = [(Transcript("c", "+", str(start), str(start), ((start, start + 9),)), True) for start in (3, 15)]
    part = _Part([Segment("c", 0, codes, labels)], annotated).with_codons_read(STANDARD)
    assert [gene.is_partial for gene, _ in part.annotated] == [False, True]
    whole = [gene for gene, _ in part.annotated if not gene.is_partial]
    both, _ = fit_lengths(part, whole, 10)
    alone, _ = fit_lengths(_Part(part.segments, part.annotated[:1]), whole, 10)
    assert both.log_gene > alone.log_gene
    assert (both.exons[0].log_explicit == alone.exons[0].log_explicit).all()


def test_too_few_genes_are_refused(tmp_path: Path) -> None:
    dnaspt.simulate(tmp_path / "genome", n_contigs=1, contig_bp=12_000, seed=1)
    dnaspt.prepare_genes(
        tmp_path / "genome" / "genome.fa", tmp_path / "genome" / "annotation.gff3", out=tmp_path / "data"
    )
    with pytest.raises(DatasetError, match="genes to learn from; expected 3 or more"):
        dnaspt.finetune(tmp_path / "data", out=tmp_path / "run", head="gene-model")
    why = r" 0 genes to learn from, and \d without a start codon \(CTG\) or a stop codon; expected 3 or more"
    with pytest.raises(DatasetError, match=why):
        dnaspt.finetune(tmp_path / "data", out=tmp_path / "run", head="gene-model", start_codons=["CTG"])
    assert not (tmp_path / "run").exists()


def test_introns_that_are_all_longer_than_the_explicit_lengths_can_be_learned_from() -> None:
    gene = Transcript("c", "+", "g", "g.1", ((100, 200), (3_000, 3_100)))
    labels = np.full(5_000, NONCODING, np.int8)
    part = _Part([Segment("c", 0, np.zeros(5_000, np.uint8), labels)], [(gene, True)])
    lengths, _ = fit_lengths(part, [gene], 2_800)
    assert lengths.intron.n_explicit == EXPLICIT_INTRON_BP < 2_800
    assert np.isfinite(lengths.intron.log_density(np.array([2_000, 2_800, 50_000]))).all()
    model = GeneModel(Sensors.zero(), lengths, PRIOR_WEIGHTS, Shares(0.9, 0.05, 0.05))
    introns = model.segments(min_intron_bp=2_800).lengths.introns[0]
    assert np.flatnonzero(np.isfinite(introns)).tolist() == [2_800]


def test_more_probable_genes_are_found_more_and_are_right_less(run: dnaspt.Run) -> None:
    points = read_config(run.path).operating_points
    assert [point.gene_offset for point in points] == list(GENE_OFFSETS) == sorted(GENE_OFFSETS)
    (own,) = (point for point in points if point.gene_offset == 0)
    for split, name in ((own.valid, "valid"), (own.train, "train")):
        for level in ("base", "exon"):
            own_rates = getattr(split, level)
            both = own_rates.sensitivity + own_rates.precision
            f1 = 2 * own_rates.sensitivity * own_rates.precision / both
            assert f1 == pytest.approx(run.scores[f"{name}_{level}_f1"])
    assert len({point.train.exon.n_true for point in points}) == 1
    sensitivities = [point.train.base.sensitivity for point in points]
    assert sensitivities == sorted(sensitivities) and sensitivities[0] < sensitivities[-1]
    assert points[0].train.exon.n_predicted < points[-1].train.exon.n_predicted
    assert points[0].train.base.precision > points[-1].train.base.precision


def test_a_sensitivity_is_what_the_valid_split_then_has(run: dnaspt.Run, tmp_path: Path) -> None:
    config = read_config(run.path)
    highest = max(point.valid.exon.sensitivity for point in config.operating_points)
    point = operating_point(config, highest)
    assert point.valid.exon.sensitivity == highest
    genome, folder = run.path.parent / "genome" / "genome.fa", run.path.parent
    data = read_split(folder / "data", "valid")
    model = dnaspt.load(run)
    network = model.task_model()
    rules = grammar_of(network, model.config, PredictOptions(sensitivity=highest))
    (predictions,) = predict_genes(network, data, [rules])
    counts = gene_counts(read_transcripts(folder / "data", "valid"), predictions)
    sensitivity, precision, _ = rates(counts)[LEVELS.index("exon")]
    assert (sensitivity, precision) == (point.valid.exon.sensitivity, point.valid.exon.precision)
    summary = model.predict_file(genome, tmp_path / "genes.gff3", sensitivity=highest)
    assert summary.n_genes > 0
    assert (
        f"# sensitivity: {highest:g} of exons asked for, {point.gene_offset:+g} nats"
        in (tmp_path / "genes.gff3").read_text()
    )


class Scores(nn.Module):
    """A network whose class scores of whole segments are given."""

    flank_bp, grid_bp = 0, 1

    def __init__(self, segments: list[Segment], scores: Callable[[Segment], np.ndarray]) -> None:
        super().__init__()
        self._scores = {
            alphabet.tokens(own.codes).tobytes(): torch.from_numpy(scores(own).astype(np.float32)) for own in segments
        }

    def class_scores(self, tokens: Tensor) -> Tensor:
        """Class scores (B, L, 9), 0 at padding."""
        rows = [self._scores[row[row != PAD_TOKEN].numpy().tobytes()] for row in tokens]
        return torch.stack([functional.pad(row, (0, 0, 0, tokens.shape[1] - len(row))) for row in rows])


def right(segment: Segment) -> np.ndarray:
    """Scores of a network that is right, by 3 nats a base."""
    return 3.0 * np.eye(10)[np.where(segment.labels == MISSING, 9, segment.labels)][:, :9]


def noise(segment: Segment) -> np.ndarray:
    """Scores of a network that knows nothing."""
    return np.random.default_rng(segment.start).standard_normal((len(segment.codes), 9)) * 3


def test_the_weight_of_a_network_is_what_it_is_worth_on_valid(run: dnaspt.Run) -> None:
    data = run.path.parent / "data"
    config, manifest = FinetuneConfig(data=data, out=run.path, head="gene-model"), read_manifest(data)
    part = _Part.of(read_split(data, "valid"), config, "valid")
    fitted, _ = load_model(run.path)
    assert isinstance(fitted, TaskModel) and isinstance(fitted.head, GeneModelHead)
    own = fitted.head.model()
    coarse = replace(own, weights=np.where(np.arange(13) < N_SENSORS, 0.05, own.weights))

    def by_weight(model: GeneModel, scores: Callable[[Segment], np.ndarray]) -> dict[float, dict[str, float]]:
        head = GeneModelHead(7, fitted.head.trunk.offsets.shape[1], has_network=True)
        head.take(model, fitted.head.trunk)
        network = TaskModel(fitted.encoder, head, Scores(part.segments, scores))  # type: ignore[arg-type]
        found = _by_network_weight(manifest, network, part, RULES, lambda _: None)
        assert tuple(found) == NETWORK_WEIGHTS
        return found

    helped, confused = by_weight(coarse, right), by_weight(own, noise)
    chosen = best_weight(helped)
    assert chosen > 0 and helped[chosen]["gene_f1"] == helped[chosen]["exon_f1"] == 1
    assert helped[0]["exon_f1"] < 0.8
    assert confused[0] == {name: run.scores[f"valid_{name}"] for name in ("mcc", "base_f1", "exon_f1", "gene_f1")}
    assert best_weight(confused) <= 0.1 and confused[1]["mcc"] < confused[0]["mcc"]


def test_of_equal_weights_the_smallest_is_taken_and_undefined_scores_do_not_count() -> None:
    assert best_weight({0.0: {"mcc": 0.5}, 0.1: {"mcc": 0.6}, 0.2: {"mcc": 0.6}}) == 0.1
    nan = float("nan")
    assert best_weight({0.0: {"mcc": 0.5, "gene_f1": nan}, 1.0: {"mcc": 0.4, "gene_f1": nan}}) == 0
    assert best_weight({0.0: {"mcc": nan}, 1.0: {"mcc": nan}}) == 0


def test_of_a_large_train_split_a_part_with_whole_genes_is_learned_from(
    run: dnaspt.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fit_gene_model, "LEARNED_BP", 40_000)
    with caplog.at_level("INFO", "dnaspt"):
        part = dnaspt.finetune(run.path.parent / "data", out=tmp_path / "run", head="gene-model", progress=True)
    assert (
        "is estimated on" in caplog.text
        and "whole genes to learn from; a gene model of fewer than 50 is rough" in caplog.text
    )
    shown = capsys.readouterr().out.splitlines()
    assert any(line.startswith("finetune: sensors and lengths of ") for line in shown)
    assert any(line.startswith("finetune: round 2 of the search for weights") for line in shown)
    assert 30_000 < part.result.n_bp < 50_000
    assert part.scores["valid_exon_f1"] > 0.5


@pytest.mark.slow
def test_a_run_with_a_network_holds_it_and_learns_the_rest_without_it(run: dnaspt.Run, tmp_path: Path) -> None:
    data = run.path.parent / "data"
    config = read_config(run).model_copy(
        update={"head": "crf", "encoder": EncoderConfig(hidden_size=16, n_layers=2), "operating_points": ()}
    )
    noisy = build_task_model(config)
    noisy.head.trunk.linear.weight.data *= 30
    noisy.head.crf.transitions.data.normal_(generator=torch.Generator().manual_seed(0))
    save_checkpoint(tmp_path / "network", noisy, config)
    both = dnaspt.finetune(data, out=tmp_path / "both", head="gene-model", network=tmp_path / "network")
    (network, described), (alone, _) = load_model(both), load_model(run)
    assert isinstance(network, TaskModel) and network.network is not None
    weight = network.head.model().network_weight
    assert network.head.model().network_gene == noisy.head.gene_score != 0
    kept = described.provenance["network"]
    assert kept["weight"] == weight and [row["weight"] for row in kept["valid_by_weight"]] == list(NETWORK_WEIGHTS)
    names = ("mcc", "base_f1", "exon_f1", "gene_f1")
    of_weight = {row["weight"]: [row[name] for name in names] for row in kept["valid_by_weight"]}
    assert of_weight[0] == [run.scores[f"valid_{name}"] for name in names]
    assert of_weight[weight] == [both.scores[f"valid_{name}"] for name in names]
    assert [both.scores[f"train_{name}"] for name in names] == [run.scores[f"train_{name}"] for name in names]
    tensors = network.state_dict()
    assert all(torch.equal(tensors[name], value) for name, value in alone.state_dict().items())
    assert all(torch.equal(tensors[f"network.{name}"], value) for name, value in noisy.state_dict().items())
    points, before = described.operating_points, read_config(run).operating_points
    assert [point.train for point in points] == [point.train for point in before]
    shutil.rmtree(tmp_path / "network")  # all is in one folder
    evaluation = dnaspt.evaluate(both, data, split="valid")
    assert evaluation.genes.mcc.value == pytest.approx(both.scores["valid_mcc"])
    tables = {table.title: table for table in describe(both.path).tables}
    (of_network,) = (table for title, table in tables.items() if "weight of the network" in title)
    assert [row[0] for row in of_network.rows] == ["0", "0.1", "0.2", "0.35", "0.5", "0.7", "1"]
