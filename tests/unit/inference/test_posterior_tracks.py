"""bigWig tracks of a gene model: probabilities of each base as all paths give them, at the right base of the right contig."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pybigtools
import pytest
import torch
from tests.unit.inference.gene_model_runs import GENE_MODEL, gene_model_run
from tests.unit.inference.small_models import GENES, REGIONS, broken_at, model_of, random_codes, run_of, write_fasta
from tests.unit.models.kernels.test_semi_markov import Gene, all_paths

import dnaspt
from dnaspt.checkpoint import save_checkpoint
from dnaspt.errors import BusyError, ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import GENE_STATES, LEAST_INTRON_BP
from dnaspt.inference import genes as genes_module
from dnaspt.inference.decode import decode_path, predict_emissions
from dnaspt.inference.emissions import ContigSlice
from dnaspt.inference.genes import grammar_of
from dnaspt.inference.posterior_tracks import (
    TRACKS,
    ContigRuns,
    kept_runs,
    merged,
    track_files,
    with_zeros,
    write_tracks,
)
from dnaspt.inference.predict import predict_file
from dnaspt.models.emission_potentials import prior_gene_model
from dnaspt.models.gene_model import SITES
from dnaspt.models.gene_model_head import GeneModelHead
from dnaspt.models.kernels.semi_markov import best_path, sum_paths
from dnaspt.models.length_densities import LengthDensity
from dnaspt.output import locked_output

ROUNDING = 0.0005 + 1e-6


def short_ones(density: LengthDensity, shortest_bp: int) -> LengthDensity:
    """The same with short lengths as probable as in no genome."""
    log_explicit = density.log_explicit.copy()
    log_explicit[shortest_bp:20] = -3
    return replace(density, log_explicit=log_explicit)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gene model that has seen no gene, with random site scores; short exons and introns are common."""
    model, folder = model_of(GENE_MODEL), tmp_path_factory.mktemp("tracks") / "run"
    assert isinstance(model.head, GeneModelHead)
    prior = prior_gene_model(3e5)
    weights = prior.weights.copy()
    weights[SITES] = 1
    prior_lengths = prior.lengths
    lengths = replace(
        prior_lengths,
        intron=short_ones(prior_lengths.intron, 10),
        exons=tuple(short_ones(density, 3) for density in prior_lengths.exons),
    )
    model.head.trunk.weight.normal_(0, 0.03, generator=torch.Generator().manual_seed(0))
    model.head.trunk.bias.copy_(torch.tensor([8.0, 8, 2, 2] * 2))
    model.head.take(replace(prior, weights=weights, lengths=lengths), model.head.trunk)
    save_checkpoint(folder, model, GENE_MODEL)
    return folder


def small_tiles(patch: pytest.MonkeyPatch, tile_bp: int) -> None:
    for function in (best_path, sum_paths):
        patch.setitem(function.__kwdefaults__, "tile_bp", tile_bp)


def values(file: Path, chrom: str, n: int) -> np.ndarray:
    """The value of each base, NaN where there is none."""
    with pybigtools.open(str(file)) as track:
        return np.array(track.values(chrom, 0, n, fillna=None))


def classes_of(genes: tuple[Gene, ...], n: int) -> np.ndarray:
    """The class of each base, from the genes of a path."""
    names, classes = list(GENE_STATES.names), np.full(n, 8)
    for gene in genes:
        sign = "+-"[gene.strand]
        inside = (
            0 if gene.left else gene.exons[0].start,
            n if gene.right else gene.exons[-1].end,
        )
        classes[slice(*inside)] = names.index(f"intron{sign}")
        for exon in gene.exons:
            classes[exon.start : exon.end] = names.index(f"CDS{sign}")
        left, right = ("donor", "acceptor") if gene.strand == 0 else ("acceptor", "donor")
        for number, exon in enumerate(gene.exons):
            if exon.end < n and (number + 1 < len(gene.exons) or gene.right == "intron"):
                classes[exon.end] = names.index(f"{left}{sign}")
            if exon.start and (number or gene.left == "intron"):
                classes[exon.start - 1] = names.index(f"{right}{sign}")
    return classes


def enumerated(run: Path, letters: str) -> np.ndarray:
    """Probability of each class at each base (L, 9), from all paths one by one."""
    network, codes = dnaspt.load(run).task_model(), alphabet.encode(letters)
    assert isinstance(network.head, GeneModelHead)
    (emissions,) = predict_emissions(network, [ContigSlice.whole(codes)])
    model = network.head.model()
    scores = model.potentials(codes, emissions)(0, len(codes))
    paths = all_paths(letters, scores, model.segments(min_intron_bp=LEAST_INTRON_BP), LEAST_INTRON_BP)
    assert len(paths) > 50
    total = np.logaddexp.reduce([score for score, _ in paths])
    probabilities = np.zeros((len(codes), 9))
    for score, genes in paths:
        probabilities[np.arange(len(codes)), classes_of(genes, len(codes))] += np.exp(score - total)
    return probabilities


def test_tracks_are_the_probabilities_of_all_paths(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contigs = {
        "plus": "TCATGAAGTCCATGACCAGGATGACCCATGAGTA",
        "minus": "TACTCATGGGTCATCCTGGTCATGGACTTCATGA",
        "short": "ATGTAA",
        "base": "A",
    }
    small_tiles(monkeypatch, 7)
    genome = write_fasta(tmp_path / "g.fa", {name: alphabet.encode(letters) for name, letters in contigs.items()})
    predict_file(run, genome, tmp_path / "genes.gff3", tracks=tmp_path / "t")
    assert sorted(path.name for path in tmp_path.glob("t.*")) == sorted(f"t.{track}.bw" for track in TRACKS)
    for track, file in track_files(tmp_path / "t").items():
        class_ = list(GENE_STATES.names).index(
            track.replace("coding", "CDS").replace("_plus", "+").replace("_minus", "-")
        )
        with pybigtools.open(str(file)) as opened:
            assert opened.chroms() == {name: len(letters) for name, letters in contigs.items()}
        for name in ("plus", "minus"):
            expected = enumerated(run, contigs[name])[:, class_]
            assert values(file, name, len(expected)) == pytest.approx(expected, abs=ROUNDING)
            assert track.endswith(name) <= (expected.max() > 0.01)


@pytest.fixture(scope="module")
def odd_contigs() -> dict[str, np.ndarray]:
    """A contig with a long and a short run of N, one of N alone, and a small one."""
    codes = random_codes(6_000, 5)
    codes[1_000:1_040] = alphabet.N
    codes[3_000:3_200] = alphabet.N
    return {"first": codes, "n": np.full(300, alphabet.N, np.uint8), "last": random_codes(900, 1)}


def probabilities_of(run: Path, codes: np.ndarray, **options: float) -> np.ndarray:
    """Class probabilities (L, 9) of a contig; in long runs of N nothing is a gene."""
    model = dnaspt.load(run)
    network, whole = model.task_model(), ContigSlice.whole(codes)
    probabilities = np.zeros((len(codes), 9))

    def keep(first: int, rows: np.ndarray) -> None:
        probabilities[first : first + len(rows)] = rows

    (emissions,) = predict_emissions(network, [whole])
    decode_path(network, emissions, whole, grammar=grammar_of(network, model.config), marginals=keep)
    return probabilities


@pytest.mark.parametrize("tile_bp", [257, 1 << 18])
def test_tracks_are_right_across_tiles_and_runs_of_n(
    tile_bp: int, run: Path, odd_contigs: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {name: probabilities_of(run, codes) for name, codes in odd_contigs.items()}
    assert expected["first"][:, 0].max() > 0.3 and not expected["first"][3_010:3_190].any()
    small_tiles(monkeypatch, tile_bp)
    genome = write_fasta(tmp_path / "g.fa", odd_contigs)
    predict_file(run, genome, tmp_path / "genes.gff3", tracks=tmp_path / "t")
    for track, file in track_files(tmp_path / "t").items():
        with pybigtools.open(str(file)) as opened:
            assert opened.chroms() == {name: len(codes) for name, codes in odd_contigs.items()}
            records = [list(opened.records(name)) for name in odd_contigs]
        for name, codes in odd_contigs.items():
            assert values(file, name, len(codes)) == pytest.approx(expected[name][:, TRACKS[track]], abs=ROUNDING)
        assert records[1] == [(0, 300, 0.0)]
        for of_contig in records:  # neighbors of one value are one record, whatever the tiles
            assert all(right[0] == left[1] and right[2] != left[2] for left, right in pairwise(of_contig))
    assert (tmp_path / "genes.gff3").read_text().count("\tmRNA\t") > 0
    assert not list(tmp_path.glob(".*"))


def test_another_reader_sees_the_same_values(run: Path, odd_contigs: dict[str, np.ndarray], tmp_path: Path) -> None:
    library = pytest.importorskip("pyBigWig")
    genome = write_fasta(tmp_path / "g.fa", odd_contigs)
    predict_file(run, genome, tmp_path / "genes.gtf", tracks=tmp_path / "t")
    file = library.open(str(tmp_path / "t.donor_plus.bw"))
    assert file.chroms() == {name: len(codes) for name, codes in odd_contigs.items()}
    expected = probabilities_of(run, odd_contigs["first"])[:, TRACKS["donor_plus"]]
    assert np.array(file.values("first", 0, 6_000)) == pytest.approx(expected, abs=ROUNDING)
    file.close()


def test_only_bases_that_were_predicted_have_a_value(
    run: Path, odd_contigs: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_tiles(monkeypatch, 300)
    genome = write_fasta(tmp_path / "g.fa", odd_contigs)
    (tmp_path / "r.bed").write_text("first\t200\t950\nfirst\t2500\t3100\nlast\t0\t900\n")
    predict_file(run, genome, tmp_path / "genes.gff3", regions=tmp_path / "r.bed", tracks=tmp_path / "t")
    is_predicted = np.zeros(6_000, bool)
    is_predicted[200:950] = is_predicted[2_500:3_100] = True
    for file in track_files(tmp_path / "t").values():
        known = values(file, "first", 6_000)
        assert (np.isfinite(known) == is_predicted).all() and not known[3_010:3_100].any()
        with pybigtools.open(str(file)) as opened:
            assert opened.chroms() == {"first": 6_000, "last": 900}


def test_a_prediction_that_was_broken_off_writes_the_same_tracks(
    run: Path, odd_contigs: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genome, real = write_fasta(tmp_path / "g.fa", odd_contigs), genes_module.contig_genes
    (tmp_path / "alone").mkdir()
    predict_file(run, genome, tmp_path / "alone" / "g.gff3", tracks=tmp_path / "alone" / "t")
    for first, n_resumed in (({}, 0), ({"tracks": tmp_path / "t"}, 2)):
        monkeypatch.setattr(genes_module, "contig_genes", broken_at("last", real, 2))
        with pytest.raises(KeyboardInterrupt):
            predict_file(run, genome, tmp_path / "g.gff3", **first)
        assert not list(tmp_path.glob("t.*"))
        monkeypatch.setattr(genes_module, "contig_genes", real)
        assert predict_file(run, genome, tmp_path / "g.gff3", tracks=tmp_path / "t").n_resumed == n_resumed
        for file in (tmp_path / "alone").iterdir():
            assert (tmp_path / file.name).read_bytes() == file.read_bytes()
            (tmp_path / file.name).unlink()
    assert not list(tmp_path.glob(".*"))


def test_other_heads_refuse_tracks(tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"c": random_codes(400)})
    for config, out in ((GENES, "p.gff3"), (REGIONS, "p.bed")):
        run = run_of(tmp_path / config.head, config)
        expected = rf"t\.coding_plus\.bw: --tracks is for gene models; this model has a {config.head} head"
        with pytest.raises(ConfigError, match=expected):
            predict_file(run, genome, tmp_path / out, tracks=tmp_path / "t")


def test_no_file_is_read_written_twice_or_a_folder(tmp_path: Path) -> None:
    run = gene_model_run(tmp_path / "run")
    genome = write_fasta(tmp_path / "t.donor_plus.bw", {"c": random_codes(400)})
    out = tmp_path / "g.gff3"
    with pytest.raises(ConfigError, match=r"t\.donor_plus\.bw: is the genome"):
        predict_file(run, genome, out, tracks=tmp_path / "t")
    with pytest.raises(ConfigError, match=r"x\.coding_plus\.bw: given for two files"):
        predict_file(run, genome, out, proteins=tmp_path / "x.coding_plus.bw", tracks=tmp_path / "x")
    with pytest.raises(InputError, match="is a folder; expected the beginning of file names"):
        predict_file(run, genome, out, tracks=tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        predict_file(run, genome, out, tracks=tmp_path / "none" / "t")
    with locked_output(tmp_path / "y.acceptor_minus.bw"), pytest.raises(BusyError):
        predict_file(run, genome, out, tracks=tmp_path / "y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "t.donor_plus.bw"]


def test_runs_of_tiles_in_any_order_become_one_track(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dense = np.repeat(rng.choice([0, 0.2, 0.2004, 0.7, 1.0002, -1e-9], (400, 9)), 5, axis=0)
    with kept_runs(tmp_path / "runs") as keep:
        for first in (1_500, 0, 1_000, 500):
            keep(100 + first, dense[first : first + 500])
    contig = ContigRuns("c", [(100, 1_100), (1_100, 2_100)], tmp_path / "runs")
    files = {track: tmp_path / f"{track}.bw" for track in ("coding_minus", "acceptor_plus")}
    write_tracks(files, [("c", 2_500)], [contig])
    for track, file in files.items():
        known = values(file, "c", 2_500)
        assert np.isnan(known[:100]).all() and np.isnan(known[2_100:]).all()
        expected = np.clip(np.round(dense[:, TRACKS[track]], 3), 0, 1).astype(np.float32)
        assert (known[100:2_100].astype(np.float32) == expected).all()


def test_nothing_is_kept_of_a_contig_whose_decoding_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), kept_runs(tmp_path / "runs") as keep:
        keep(0, np.ones((3, 9)))
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def block(*rows: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start, end, value = np.array(rows).T
    return start, end, value


def rows_of(blocks: object) -> list[tuple[int, int, int]]:
    return [row for starts, ends, values_ in blocks for row in zip(starts, ends, values_, strict=True)]  # type: ignore[attr-defined]


def test_zeros_fill_the_intervals() -> None:
    blocks = [block((12, 14, 5), (14, 15, 6)), block((17, 20, 5)), block((31, 32, 1))]
    assert rows_of(with_zeros(blocks, [(10, 20), (25, 28), (30, 40)])) == [
        *[(10, 12, 0), (12, 14, 5), (14, 15, 6), (15, 17, 0), (17, 20, 5)],
        *[(25, 28, 0), (30, 31, 0), (31, 32, 1), (32, 40, 0)],
    ]
    assert rows_of(with_zeros([], [(0, 4)])) == [(0, 4, 0)]
    assert rows_of(with_zeros([], [])) == []


def test_neighbors_of_one_value_are_joined_across_blocks() -> None:
    blocks = [
        block((0, 3, 1), (3, 4, 1)),
        block((4, 6, 1)),
        block((6, 7, 2), (9, 10, 2)),
        block((10, 12, 2), (12, 13, 0)),
    ]
    assert rows_of(merged(blocks)) == [(0, 6, 1), (6, 7, 2), (9, 12, 2), (12, 13, 0)]
    assert rows_of(merged([])) == []
