"""A sensitivity of exons becomes an offset that was measured on valid; what cannot be had is an error of one line."""

import re
from pathlib import Path

import pytest
from tests.unit.inference.gene_model_runs import GENE_MODEL, gene_model_run
from tests.unit.inference.small_models import GENES, REGIONS, broken_at, random_codes, run_of, write_fasta

import dnaspt
from dnaspt.checkpoint_config import CheckpointConfig, LevelRates, OperatingPoint, SplitRates, read_config
from dnaspt.errors import ConfigError
from dnaspt.inference import genes as genes_module
from dnaspt.inference.predict import PredictOptions, predict_file
from dnaspt.inference.sensitivity import describe, operating_point


def rates(n_true: int, sensitivity: float | None, precision: float | None) -> SplitRates:
    exon = LevelRates(n_true=n_true, n_predicted=100, sensitivity=sensitivity, precision=precision)
    base = LevelRates(n_true=10 * n_true, n_predicted=1_000, sensitivity=0.9, precision=0.8)
    return SplitRates(base=base, exon=exon)


def config_of(*measured: tuple[float, float | None, float | None]) -> CheckpointConfig:
    """A gene model with an offset, a sensitivity and a precision of exons on valid for each point."""
    points = tuple(
        OperatingPoint(gene_offset=offset, valid=rates(120, sensitivity, precision), train=rates(1_000, 0.7, 0.6))
        for offset, sensitivity, precision in measured
    )
    return GENE_MODEL.model_copy(update={"operating_points": points})


MEASURED = config_of((-4, 0.5, 0.9), (0, 0.7, 0.85), (4, 0.8, 0.7), (8, 0.78, 0.5))


@pytest.mark.parametrize(("sensitivity", "offset"), [(0.1, -4), (0.5, -4), (0.51, 0), (0.7, 0), (0.75, 4), (0.8, 4)])
def test_the_lowest_offset_that_reaches_it_is_taken(sensitivity: float, offset: float) -> None:
    assert operating_point(MEASURED, sensitivity).gene_offset == offset


def test_an_offset_that_is_worse_in_both_ways_is_never_taken() -> None:
    config = config_of((-2, 0.7, 0.6), (0, 0.75, 0.9), (2, 0.75, 0.9), (4, 0.8, 0.5))
    assert operating_point(config, 0.6).gene_offset == 0
    assert operating_point(config, 0.76).gene_offset == 4


def test_what_no_offset_reaches_names_the_highest() -> None:
    expected = (
        r"sensitivity 0\.81 of exons is not reached on the model's valid split; the highest is 0\.8000, at \+4 nats"
    )
    with pytest.raises(ConfigError, match=expected):
        operating_point(MEASURED, 0.81)


def test_what_to_expect_stands_in_one_line() -> None:
    assert describe(operating_point(MEASURED, 0.75), 0.75) == (
        "0.75 of exons asked for, +4 nats on the log-odds of a gene's beginning; valid: exons sensitivity 0.800, precision 0.700 "
        "(120 annotated), coding bases sensitivity 0.900, precision 0.800 (1,200 annotated); train, out of fold: exons "
        "sensitivity 0.700, precision 0.600 (1,000 annotated), coding bases sensitivity 0.900, precision 0.800 (10,000 annotated)"
    )


def test_checkpoints_without_the_record_are_read_and_refuse_the_option(tmp_path: Path) -> None:
    folder = gene_model_run(tmp_path / "run")
    file = folder / "config.json"
    file.write_text(re.sub(r' "operating_points": \[\],\n', "", file.read_text()))
    assert "operating_points" not in file.read_text() and read_config(folder).operating_points == ()
    model = dnaspt.load(folder)
    assert model.predict("ACGT" * 50) is not None
    with pytest.raises(
        ConfigError, match="no record of sensitivities: an earlier version of dnaspt wrote it; run 'dna"
    ):
        model.predict("ACGT" * 50, sensitivity=0.5)


def test_a_valid_split_without_exons_promises_nothing() -> None:
    with pytest.raises(ConfigError, match="the valid split of the model has no exon"):
        operating_point(config_of((0, None, 0.0), (2, None, None)), 0.5)


@pytest.mark.parametrize("sensitivity", [0, -1, 1.01, float("nan")])
def test_no_share_is_refused(sensitivity: float, tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(300)})
    run = gene_model_run(tmp_path / "run", config=MEASURED)
    with pytest.raises(ConfigError, match="expected more than 0 and at most 1, a share of exons"):
        predict_file(run, genome, tmp_path / "g.gff3", PredictOptions(sensitivity=sensitivity))
    with pytest.raises(ConfigError, match="expected more than 0 and at most 1"):
        dnaspt.load(run).predict("ACGT" * 50, sensitivity=sensitivity)


def test_other_heads_refuse_it(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(300)})
    for config, out in ((GENES, "p.gff3"), (REGIONS, "p.bed")):
        run = run_of(tmp_path / config.head, config)
        expected = f"--sensitivity is for gene models; this model has a {config.head} head"
        with pytest.raises(ConfigError, match=expected):
            predict_file(run, genome, tmp_path / out, PredictOptions(sensitivity=0.5))
        with pytest.raises(ConfigError, match=expected):
            dnaspt.load(run).predict("ACGT" * 80, sensitivity=0.5)


@pytest.fixture(scope="module")
def of_random_letters(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A gene model and a genome of short random contigs, in some of which it sees a gene."""
    folder = tmp_path_factory.mktemp("sensitivity")
    contigs = {f"c{n}": random_codes(1_500, n) for n in range(20)}
    return gene_model_run(folder / "run", config=MEASURED), write_fasta(folder / "g.fa", contigs)


def test_the_offset_decides_how_many_genes_are_written_and_the_header_says_so(
    of_random_letters: tuple[Path, Path], tmp_path: Path
) -> None:
    run, genome = of_random_letters
    model = dnaspt.load(run)
    n_genes = {}
    for sensitivity in (None, 0.5, 0.7, 0.8):
        out = tmp_path / f"{sensitivity}.gff3"
        n_genes[sensitivity] = model.predict_file(genome, out, complete_genes=True, sensitivity=sensitivity).n_genes
        comments = [line for line in out.read_text().splitlines() if line.startswith("# ")][1:]
        assert comments == [
            f"# sensitivity: {describe(operating_point(MEASURED, asked), asked)}" for asked in (sensitivity,) if asked
        ]
        genes = model.predict(genome, complete_genes=True, sensitivity=sensitivity)
        assert sum(map(len, genes)) == n_genes[sensitivity]
    assert 0 < n_genes[0.5] < n_genes[None] == n_genes[0.7] < n_genes[0.8]


def test_a_prediction_of_another_sensitivity_begins_anew(
    of_random_letters: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, genome = of_random_letters
    model, real = dnaspt.load(run), genes_module.contig_genes
    for sensitivity, n_resumed in ((0.5, 0), (0.8, 8)):
        monkeypatch.setattr(genes_module, "contig_genes", broken_at("c8", real, 2))
        with pytest.raises(KeyboardInterrupt):
            model.predict_file(genome, tmp_path / "g.gff3", sensitivity=0.8, overwrite=True)
        monkeypatch.setattr(genes_module, "contig_genes", real)
        summary = model.predict_file(genome, tmp_path / "g.gff3", sensitivity=sensitivity, overwrite=True)
        assert summary.n_resumed == n_resumed


def test_what_was_measured_without_the_network_is_said_so() -> None:
    text = describe(operating_point(MEASURED, 0.75), 0.75, has_network=True)
    assert "; train, out of fold, without the network: exons sensitivity 0.700" in text
