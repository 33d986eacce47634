"""`prepare_genes`: genomes and annotations to windows."""

import gzip
import logging
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from tests.unit.genome.gff3_files import write_gff3

from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import GENE_STATES, MISSING, transcripts_from_labels
from dnaspt.genome.transcripts import Transcript
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes


def gene(chrom: str, strand: str, *cds: tuple[int, int], name: str, transcript: str = "") -> Transcript:
    return Transcript(chrom, strand, name, transcript or f"{name}.t", cds)


def write_genome(path: Path, lengths: dict[str, int], seed: int = 0) -> Path:
    generator = np.random.default_rng(seed)
    with path.open("w") as file:
        for name, length in lengths.items():
            codes = generator.integers(0, 4, length).astype(np.uint8) | (generator.random(length) < 0.3) * np.uint8(8)
            file.write(f">{name} some words\n{alphabet.decode(codes)}\n")
    return path


GENES = [
    gene("a", "+", (100, 130), (200, 260), name="g1"),
    gene("a", "+", (100, 130), (220, 260), name="g1", transcript="g1.u"),
    gene("a", "-", (700, 760), name="g2"),
    gene("a", "-", (790, 850), name="g3"),
    gene("a", "+", (900, 960), name="g4"),
    gene("b", "-", (40, 70), (90, 99), name="g5"),
]
LENGTHS = {"a": 1000, "b": 300, "c": 500}


@pytest.fixture
def inputs(tmp_path):
    """Contigs a (1,000 bp, 4 genes) and b (300 bp, 1 gene) with annotation, c without."""
    genome = write_genome(tmp_path / "g.fa", LENGTHS)
    annotation = tmp_path / "g.gff3"
    write_gff3(annotation, GENES, [("a", 1000), ("b", 300)])
    return {"genome": genome, "annotation": annotation, "out": tmp_path / "out", "window_bp": 128}


@pytest.fixture
def with_valid_gene(inputs):
    """The same with one more gene on contig b, in its valid part, so that the cuts by position leave no split without a gene."""
    write_gff3(inputs["annotation"], [*GENES, gene("b", "+", (220, 238), name="g6")], [("a", 1000), ("b", 300)])
    return inputs


def prepare(inputs, **options):
    return prepare_genes(PrepareGenesConfig(**(inputs | options))).manifest


def test_windows_join_to_the_annotated_genes(inputs):
    manifest = prepare(inputs, split="train-only")
    split = read_split(inputs["out"], "train")
    decoded = {
        (transcript.chrom, transcript.strand, transcript.cds)
        for segment in segments(split)
        for transcript in transcripts_from_labels(segment.labels, segment.chrom, start=segment.start)
    }
    assert decoded == {
        (transcript.chrom, transcript.strand, transcript.cds)
        for transcript in GENES
        if transcript.transcript_id != "g1.u"
    }
    assert manifest == read_manifest(inputs["out"])
    assert (manifest.task, manifest.labels, manifest.resolution_bp) == ("genes", GENE_STATES.names, 1)
    assert (manifest.stop_in_cds, manifest.window_bp) == (True, 128)
    assert [Path(source.path).name for source in manifest.sources] == ["g.fa", "g.gff3"]
    assert max(split.end - split.start) <= 128


def test_everything_that_was_dropped_or_found_is_counted(with_valid_gene):
    manifest = prepare(with_valid_gene)
    wanted = {"coding_genes": 6, "transcripts": 7, "other_isoforms": 1, "introns": 2, "genes_across_splits": 2}
    assert {name: manifest.counts[name] for name in wanted} == wanted
    assert manifest.dropped["contigs_without_annotation"] == 1
    assert manifest.dropped["bp_on_contigs_without_annotation"] == 500
    assert manifest.dropped["transcripts_not_in_one_split"] == 2
    assert sum(split.n_bp for split in manifest.splits.values()) == 1300


def test_splits_by_position_share_no_base_and_a_gene_across_a_cut_is_missing(with_valid_gene):
    inputs = with_valid_gene
    prepare(inputs)
    covered = np.zeros(1000, dtype=int)
    for name in ("train", "valid", "test"):
        for window in read_split(inputs["out"], name):
            if window.chrom == "a":
                covered[window.start : window.end] += 1
                for position in range(max(window.start, 700), min(window.end, 760)):
                    assert window.labels[position - window.start] == MISSING
    assert (covered == 1).all()


def test_transcripts_of_each_split_are_kept_with_their_isoforms(with_valid_gene):
    inputs = with_valid_gene
    prepare(inputs)
    train = read_transcripts(inputs["out"], "train")
    assert [(transcript.transcript_id, longest) for transcript, longest in train] == [
        ("g1.t", True),
        ("g1.u", False),
        ("g5.t", True),
    ]
    assert train[0][0] == GENES[0]
    assert [transcript.gene_id for transcript, _ in read_transcripts(inputs["out"], "test")] == ["g4"]
    with pytest.raises(DatasetError, match=r"has no transcripts\.parquet"):
        read_transcripts(inputs["out"].parent, "train")


def test_where_a_split_has_no_gene_the_genome_is_cut_between_genes(inputs, caplog):
    manifest = prepare(inputs)
    assert "cut by position, valid would have no whole gene: the genome is cut between genes instead" in caplog.text
    # coding bases: g1 90, g2 60, g3 60, g4 60 on a; g5 39 on b; 72 % of 309 is nearest behind g3, 80 % behind g4
    assert manifest.settings["cuts"] == [["a", 0, 875, "train"], ["a", 875, 1000, "valid"], ["b", 0, 300, "test"]]
    genes = {
        name: [own.gene_id for own, _ in read_transcripts(inputs["out"], name)] for name in ("train", "valid", "test")
    }
    assert genes == {"train": ["g1", "g1", "g2", "g3"], "valid": ["g4"], "test": ["g5"]}
    assert manifest.counts.get("genes_across_splits", 0) == 0
    assert read_manifest(inputs["out"]).settings["split"] is None


def test_too_few_genes_for_the_splits_are_a_warning(inputs, caplog):
    write_gff3(inputs["annotation"], GENES[:1], [("a", 1000), ("b", 300)])
    prepare(inputs)
    assert "the test split has no whole gene: scores on it would say nothing" in caplog.text
    assert {own.gene_id for own, _ in read_transcripts(inputs["out"], "train")} == {"g1"}


def test_contigs_without_annotation_are_named(inputs, caplog):
    prepare(inputs)
    said = "1 contig (500 bp) without a row in the annotation left out: c; to pretrain on their sequence, give it with "
    assert f"{said}--unlabeled FASTA" in caplog.text


def test_case_of_the_letters_is_kept(inputs):
    prepare(inputs, split="train-only")
    split = read_split(inputs["out"], "train")
    assert 0.1 < (split.codes & 8 != 0).mean() < 0.5


def test_flanks_are_context_without_labels(inputs):
    prepare(inputs, split="train-only", flank_bp=20)
    split = read_split(inputs["out"], "train")
    labeled = np.zeros(1000, dtype=int)
    for window in split:
        if window.chrom == "a":
            labeled[window.start : window.end] += window.labels != MISSING
    assert (labeled == 1).all()
    second = split.window(1)
    assert (second.start, second.end) == (108, 276)
    assert (second.labels[:20] == MISSING).all()
    assert (second.labels[-20:] == MISSING).all()


def test_gene_windows_label_their_neighbors_too(inputs):
    manifest = prepare(inputs, split="train-only", windows="gene", flank_bp=100)
    windows = list(read_split(inputs["out"], "train"))
    assert [(window.start, window.end) for window in windows] == [
        (0, 360),
        (600, 860),
        (690, 950),
        (800, 1000),
        (0, 199),
    ]
    assert (windows[1].labels[190:250] == 4).all()
    assert manifest.window_bp == 128  # what pretraining cuts at; the windows of genes are as long as they are


def test_gene_windows_have_a_thousand_bases_on_both_sides_unless_told(tmp_path):
    assert PrepareGenesConfig(out=tmp_path, genome="g", annotation="a", windows="gene").flanks_bp == 1000
    assert PrepareGenesConfig(out=tmp_path, genome="g", annotation="a", windows="gene", flank_bp=0).flanks_bp == 0
    assert PrepareGenesConfig(out=tmp_path, genome="g", annotation="a").flanks_bp == 0


def test_separate_inputs_fill_their_splits_and_every_tenth_train_contig_is_valid(tmp_path, inputs):
    lengths = {f"x{number}": 64 for number in range(20)}
    genome = write_genome(tmp_path / "many.fa", lengths, seed=1)
    annotation = tmp_path / "many.gff3"
    write_gff3(annotation, [gene(name, "+", (9, 30), name=f"{name}.g") for name in lengths], list(lengths.items()))
    options = {"test_genome": inputs["genome"], "test_annotation": inputs["annotation"]}
    prepare(inputs | {"genome": genome, "annotation": annotation}, **options)
    assert set(read_split(inputs["out"], "valid").chrom) == {"x9", "x19"}
    assert len(read_split(inputs["out"], "train")) == 18
    assert set(read_split(inputs["out"], "test").chrom) == {"a", "b"}


def test_several_genomes_and_annotations_are_matched_by_contig_name(tmp_path, inputs):
    genome = write_genome(tmp_path / "h.fa", {"d": 200}, seed=2)
    annotation = tmp_path / "h.gff3"
    write_gff3(annotation, [gene("d", "+", (50, 80), name="h1")], [("d", 200)])
    files = {"genome": [inputs["genome"], genome], "annotation": [inputs["annotation"], annotation]}
    manifest = prepare(inputs | files, split="contig", test_contigs=["d"], valid_contigs=["b"])
    assert {name: set(read_split(inputs["out"], name).chrom) for name in manifest.splits} == {
        "train": {"a"},
        "valid": {"b"},
        "test": {"d"},
    }


def test_an_annotation_labels_the_genome_of_its_place_alone(tmp_path, inputs):
    genome = write_genome(tmp_path / "h.fa", {"d": 300}, seed=2)
    annotation = tmp_path / "h.gff3"
    write_gff3(annotation, [gene("d", "+", (50, 80), name="h1")], [("d", 300)])
    with inputs["annotation"].open("a") as file:
        file.write("d\tx\tmRNA\t201\t260\t.\t+\t.\tID=stray\nd\tx\tCDS\t201\t260\t.\t+\t0\tParent=stray\n")
    files = {"genome": [inputs["genome"], genome], "annotation": [inputs["annotation"], annotation]}
    manifest = prepare(inputs | files, split="train-only")
    labels = np.concatenate([window.labels for window in read_split(inputs["out"], "train") if window.chrom == "d"])
    assert (labels[200:260] == 8).all() and (labels[50:80] == 0).all()
    assert manifest.dropped["annotated_contigs_without_sequence"] == 1
    assert manifest.dropped["transcripts_on_contigs_without_sequence"] == 1


def test_rows_that_break_the_rules_are_a_warning_and_with_strict_an_error(inputs, caplog):
    with inputs["annotation"].open("a") as file:
        file.write("a\tx\tCDS\t301\t330\t.\t+\t0\tID=lone\n")
    manifest = prepare(inputs)
    assert manifest.counts["annotation_cds_without_parent"] == 1
    # the genome is cut anew between genes, so the annotation is read twice
    assert manifest.settings["cuts"]
    assert caplog.text.count("CDS without Parent at a:301-330 (counted as cds_without_parent: 1)") == 1
    with pytest.raises(InputError, match="CDS without Parent at a:301-330; correct it"):
        prepare(inputs, strict=True, overwrite=True)


@pytest.mark.parametrize(
    ("row", "reason", "message"),
    [
        (
            "a x CDS 301 330 . + 0 Parent=gone",
            "transcripts_cut_off",
            "'gone' is left out: the row of its transcript is",
        ),
        (
            "a x CDS 301 330 . + 0 Parent=g3.t;exception=trans-splicing",
            "transcripts_trans_spliced",
            "'g3.t' is left out: it is spliced from two transcripts",
        ),
        ("##sequence-region a 1 1,000", "sequence_regions_without_coordinates", "has no usable coordinates"),
    ],
)
def test_with_strict_what_is_left_out_for_its_rows_is_refused_by_the_first_of_them(
    inputs, caplog, row, reason, message
):
    with inputs["annotation"].open("a") as file:
        file.write((row if row.startswith("##") else "\t".join(row.split(None, 8))) + "\n")
    manifest = prepare(inputs)
    assert manifest.counts[f"annotation_{reason}"] == 1 and message in caplog.text
    with pytest.raises(InputError, match=rf"g\.gff3:\d+: .*{message}"):
        prepare(inputs, strict=True, overwrite=True)


def test_coding_rows_off_the_contig_that_are_left_out_are_counted(inputs, caplog):
    with inputs["annotation"].open("a") as file:
        file.write("a\tx\tCDS\t981\t1030\t.\t+\t0\tParent=gone\n")
        file.write("a\tx\tCDS\t2001\t2030\t.\t+\t0\tParent=far;pseudo=true\n")
    manifest = prepare(inputs, split="train-only")
    assert manifest.counts["coding_off_contig"] == 2
    said = "2 coding intervals of transcripts that are left out end beyond 'a' (1,000 bp)"
    assert said in caplog.text
    labels = np.concatenate([w.labels for w in read_split(inputs["out"], "train") if w.chrom == "a"])
    assert (labels[980:] == -100).all() and (labels[961:980] == 8).all()


def test_few_train_contigs_beside_a_test_input_give_their_last_tenth_to_valid(tmp_path, inputs):
    genome = write_genome(tmp_path / "t.fa", {"t": 400}, seed=5)
    annotation = tmp_path / "t.gff3"
    write_gff3(annotation, [gene("t", "+", (50, 80), name="t1")], [("t", 400)])
    prepare(inputs, test_genome=genome, test_annotation=annotation)
    intervals = [(window.chrom, window.start, window.end) for window in read_split(inputs["out"], "valid")]
    assert intervals == [("a", 900, 1000), ("b", 270, 300)]
    assert set(read_split(inputs["out"], "test").chrom) == {"t"}


def test_two_contigs_cannot_be_divided_by_contig(inputs):
    refused(
        inputs, "split 'contig' of 2 contigs; expected 3 or more; say --split position", ConfigError, split="contig"
    )


def test_a_split_that_would_be_empty_is_refused(tmp_path, inputs):
    bed = tmp_path / "unknown.bed"
    bed.write_text("a\t700\t820\nb\t200\t250\n")
    refused(inputs, r"no window in the valid split \(.*windows without a known label: 2", unknown=bed)


def test_a_split_table_of_another_genome_is_refused_with_its_line(tmp_path, inputs):
    table = tmp_path / "splits.tsv"
    table.write_text("chrom\tstart\tend\tsplit\na\t0\t650\ttrain\na\t650\t1001\tvalid\n")
    refused(inputs, r"splits.tsv:3: a:650-1001 ends off the contig; expected at most 1000 bp", split=str(table))


def test_a_split_table_decides_what_goes_where(tmp_path, inputs):
    table = tmp_path / "splits.tsv"
    table.write_text("chrom\tstart\tend\tsplit\na\t0\t650\ttrain\na\t650\t1000\ttest\n")
    manifest = prepare(inputs, split=str(table))
    assert manifest.splits["train"].n_bp == 650
    assert manifest.splits["test"].n_bp == 350
    assert manifest.counts.get("genes_across_splits", 0) == 0
    assert "splits.tsv" in manifest.sources[-1].path


def test_regions_of_unknown_annotation_are_missing(tmp_path, inputs):
    bed = tmp_path / "unknown.bed"
    bed.write_text("a\t0\t300\nb\t0\t300\n")
    manifest = prepare(inputs, split="train-only", unknown=bed)
    assert manifest.counts["bp_unknown"] == 600
    assert manifest.splits["train"].n_labeled == 700
    assert manifest.dropped["windows_all_missing"] == 5


def test_unknown_regions_are_checked_against_the_genome(tmp_path, inputs):
    bed = tmp_path / "unknown.bed"
    bed.write_text("a\t0\t300\nz\t0\t300\n")
    refused(inputs, "unknown.bed: contig 'z' has no record in", unknown=bed, strict=True)
    assert prepare(inputs, unknown=bed).dropped["unknown_regions_on_contigs_without_sequence"] == 1
    bed.write_text("chra\t0\t300\n")
    with pytest.raises(InputError, match=r"unknown.bed: contig 'chra' .*differ only in 'chr'"):
        prepare(inputs, unknown=bed, overwrite=True)
    bed.write_text("a\t0\t300\na\t900\t1001\n")
    with pytest.raises(InputError, match=r"unknown.bed:2: a:900-1001 ends off the contig"):
        prepare(inputs, unknown=bed, overwrite=True)


def test_unlabeled_contigs_of_one_name_stay_apart(tmp_path, inputs):
    files = [tmp_path / "p" / "e.fa", tmp_path / "q" / "e.fa", tmp_path / "r" / "e.fa.gz"]
    for number, path in enumerate(files):
        path.parent.mkdir()
        open_text = gzip.open if path.suffix == ".gz" else open
        with open_text(path, "wt") as file:
            file.write(f">a\n{'ACG'[number] * 40}\n")
    manifest = prepare(inputs, unlabeled=files)
    sequences = {
        segment.chrom: alphabet.decode(segment.codes) for segment in segments(read_split(inputs["out"], "unlabeled"))
    }
    assert sequences == {"e:a": "A" * 40, "e-2:a": "C" * 40, "e-3:a": "G" * 40}
    assert manifest.counts["unlabeled_contigs_renamed"] == 3


def test_unlabeled_sequence_is_tiled_beside_the_splits(tmp_path, inputs):
    extra = tmp_path / "extra.fa"
    extra.write_text(">e\n" + "ACGTTGCA" * 40 + "\n>n\nNNNN\n")
    manifest = prepare(inputs, unlabeled=extra)
    assert (manifest.splits["unlabeled"].n_windows, manifest.splits["unlabeled"].n_bp) == (3, 320)
    assert manifest.dropped["unlabeled_windows_all_n"] == 1


def test_windows_of_n_are_dropped_and_counted(tmp_path, inputs):
    genome = tmp_path / "n.fa"
    genome.write_text(">b\n" + "N" * 128 + "ACGT" * 43 + "\n")
    manifest = prepare(inputs | {"genome": genome}, split="train-only")
    assert manifest.dropped["windows_all_n"] == 1
    assert manifest.dropped["bp_in_windows_all_n"] == 128
    assert manifest.dropped["annotated_contigs_without_sequence"] == 1
    assert manifest.dropped["transcripts_on_contigs_without_sequence"] == 5


def refused(inputs, message: str, error: type[Exception] = InputError, **options):
    with pytest.raises(error, match=message):
        prepare(inputs, **options)
    leftovers = [path.name for path in inputs["out"].parent.iterdir() if path.name.startswith((".out", "out"))]
    assert leftovers == []


def test_contigs_that_differ_only_in_chr_are_refused_with_a_hint(tmp_path, inputs):
    genome = write_genome(tmp_path / "chr.fa", {"chra": 1000, "chrb": 300})
    refused(inputs | {"genome": genome}, "names differ only in 'chr'")


def test_genomes_of_another_species_are_refused(tmp_path, inputs):
    refused(inputs | {"genome": write_genome(tmp_path / "o.fa", {"z": 90})}, "contig 'a' has no record in .*2 of 2")


def test_strict_refuses_an_annotated_contig_without_sequence(tmp_path, inputs):
    genome = write_genome(tmp_path / "o.fa", {"a": 1000})
    refused(inputs | {"genome": genome}, "contig 'b' has no record in", strict=True)


def test_a_cds_off_the_end_of_its_contig_is_refused_with_file_and_line(tmp_path, inputs):
    genome = write_genome(tmp_path / "o.fa", {"a": 920, "b": 300})
    refused(inputs | {"genome": genome}, r"g.gff3:\d+: CDS of 'g4.t' ends at 960 on 'a'; expected at most 920")


def test_an_annotation_without_coding_genes_is_refused(tmp_path, inputs):
    annotation = tmp_path / "none.gff3"
    annotation.write_text("##gff-version 3\na\tx\tgene\t1\t90\t.\t+\t.\tID=g\n")
    refused(inputs | {"annotation": annotation}, "none.gff3: no coding transcript in it")


def test_a_record_in_two_genome_files_is_refused(tmp_path, inputs):
    again = write_genome(tmp_path / "again.fa", {"b": 300})
    refused(inputs | {"genome": [inputs["genome"], again]}, "again.fa: record 'b' stands in two genome files")


def test_a_test_contig_that_is_not_in_the_genome_is_refused(inputs):
    refused(inputs, "contig 'q' of the split has no record", ConfigError, split="contig", test_contigs=["q"])


def test_a_dataset_that_is_there_is_not_overwritten_unless_told(inputs):
    prepare(inputs)
    with pytest.raises(DatasetError, match="already there"):
        prepare(inputs)
    prepare(inputs, overwrite=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"windw_bp": 5}, "Extra inputs"),
        ({"genome": []}, "at least 1"),
        ({"valid_genome": "v.fa"}, "belong together"),
        ({"split": "contig", "test_genome": "t.fa", "test_annotation": "t.gff3"}, "choose one"),
        ({"split": "nowhere"}, "neither a file nor one of"),
        ({"test_contigs": ["a"]}, "with split 'contig' alone"),
        ({"fractions": [0.5, 0.5, 0.5]}, "sum to 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, options, message):
    values = {"out": tmp_path / "out", "genome": "g.fa", "annotation": "g.gff3"} | options
    with pytest.raises((ValidationError, ConfigError), match=message):
        PrepareGenesConfig(**values).plan()


def test_more_windows_than_a_row_group_may_have_different_lengths(tmp_path, inputs, caplog):
    caplog.set_level(logging.WARNING)
    lengths = {"big": 16 * 4096 + 7, "small": 300}
    genome = write_genome(tmp_path / "big.fa", lengths, seed=3)
    annotation = tmp_path / "big.gff3"
    write_gff3(annotation, [gene(name, "+", (9, 30), name=name) for name in lengths], list(lengths.items()))
    files = {"genome": genome, "annotation": annotation, "window_bp": 16}
    manifest = prepare(inputs | files, split="train-only")
    assert manifest.splits["train"].n_bp == sum(lengths.values())
    assert not caplog.records


def test_an_annotation_of_another_assembly_is_told_apart(tmp_path, inputs, caplog):
    write_gff3(inputs["annotation"], GENES, [("a", 1001), ("b", 300)])
    prepare(inputs)
    assert "##sequence-region of 'a' ends at 1,001; the contig has 1,000 bp" in caplog.text
    with pytest.raises(InputError, match="is it the annotation of this assembly"):
        prepare(inputs, out=tmp_path / "strict", strict=True)


def test_introns_without_the_usual_ends_are_a_warning(simulated, tmp_path, caplog):
    genome = write_genome(tmp_path / "other.fa", {f"chr{n}": 24_000 for n in (1, 2, 3)})
    options = {"genome": genome, "annotation": simulated / "annotation.gff3", "window_bp": 1024}
    prepare_genes(PrepareGenesConfig(out=tmp_path / "out", **options))
    assert "introns are GT-AG, GC-AG or AT-AC; expected 90% at least" in caplog.text


def test_the_digest_covers_the_true_transcripts(tmp_path, inputs):
    digests = set()
    for number, genes in enumerate((GENES, [row for row in GENES if row.transcript_id != "g1.u"])):
        write_gff3(inputs["annotation"], genes, [("a", 1000), ("b", 300)])
        digests.add(prepare(inputs, out=tmp_path / str(number)).digest)
    assert len(digests) == 2
