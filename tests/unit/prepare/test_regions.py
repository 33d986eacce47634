"""`prepare_regions`: peaks or labeled rows to windows."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import Manifest
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import read_fasta
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    """Contig a of 1,000 bp (100 N at 400), contig b of 505 bp, contig c of 30 bp."""
    random = np.random.default_rng(0)
    a = random.choice(list("ACGT"), 1000)
    a[400:500] = "N"
    lines = [">a", "".join(a), ">b", "".join(random.choice(list("acgt"), 505)), ">c", "ACGTA" * 6]
    path = tmp_path / "g.fa"
    path.write_text("\n".join(lines) + "\n")
    return path


def _bed(folder: Path, name: str, *rows: str) -> Path:
    path = folder / name
    path.write_text("".join("\t".join(row.split()) + "\n" for row in rows))
    return path


def _prepare(genome: Path, regions: list[Path], **settings: object) -> tuple[Manifest, dict[str, Split]]:
    options: dict = {"window_bp": 50, "core_bp": 20, "split": "train-only", **settings}
    out = genome.parent / "out"
    manifest = prepare_regions(PrepareRegionsConfig(out=out, genome=genome, regions=tuple(regions), **options)).manifest
    return manifest, {split: read_split(out, split) for split in manifest.splits}


def _labels(split: Split) -> np.ndarray:
    return split.labels.reshape(len(split), -1)


def test_a_window_is_positive_when_half_of_its_core_lies_in_a_region(genome: Path) -> None:
    # Cores: 15-35, 65-85, 115-135, 165-185.
    peaks = [
        _bed(genome.parent, "x.bed", "a 0 25", "a 84 125", "a 165 169", "a 170 176"),
        _bed(genome.parent, "y.narrowPeak", "a 26 200"),
    ]
    manifest, splits = _prepare(genome, peaks)
    train = splits["train"]
    assert manifest.labels == ("x", "y") and manifest.task == "regions" and manifest.resolution_bp == 0
    assert train.start[:4].tolist() == [0, 50, 100, 150]
    assert _labels(train)[:4].tolist() == [[1, 0], [0, 1], [1, 1], [1, 1]]
    assert not _labels(train)[4:].any()
    assert manifest.splits["train"].label_counts == {"x": 3, "y": 3}


def test_min_overlap_of_one_wants_the_whole_core(genome: Path) -> None:
    peaks = [_bed(genome.parent, "x.bed", "a 15 35", "a 66 90")]
    manifest, splits = _prepare(genome, peaks, min_overlap=1)
    assert _labels(splits["train"])[:2].ravel().tolist() == [1, 0]
    assert manifest.dropped["region_without_window"] == 1


def test_the_tiling_leaves_out_unknown_bases_and_the_blacklist_and_counts_them(genome: Path) -> None:
    peaks, blacklist = [_bed(genome.parent, "x.bed", "a 10 40")], _bed(genome.parent, "black.bed", "b 120 130")
    manifest, splits = _prepare(genome, peaks, blacklist=blacklist)
    a, b = (splits["train"].start[splits["train"].chrom == chrom].tolist() for chrom in "ab")
    assert a == [start for start in range(0, 1000, 50) if start not in (400, 450)]
    assert b == [start for start in range(0, 500, 50) if start != 100]
    assert manifest.dropped == {"unknown_bases": 2, "blacklist": 1}
    assert manifest.counts["windows"] == len(splits["train"]) == 27


def test_windows_hold_the_sequence_of_the_genome(genome: Path) -> None:
    _, splits = _prepare(genome, [_bed(genome.parent, "x.bed", "b 10 40")], stride_bp=20)
    contigs = {contig.name: contig.codes for contig in read_fasta(genome)}
    assert {window.chrom for window in splits["train"]} == {"a", "b"}
    for window in splits["train"]:
        assert np.array_equal(window.codes, contigs[window.chrom][window.start : window.end])
        assert window.start % 20 == 0 and len(window.codes) == 50


@pytest.mark.parametrize("background", ["all", "matched"])
def test_no_base_is_in_two_splits(genome: Path, background: str) -> None:
    peaks = [_bed(genome.parent, "x.bed", *(f"a {start} {start + 30}" for start in range(0, 950, 90)))]
    fractions = (0.5, 0.3, 0.2)
    _, splits = _prepare(genome, peaks, split="position", fractions=fractions, background=background)
    assert set(splits) == {"train", "valid", "test"}
    bases = [
        {(window.chrom, base) for window in split for base in range(window.start, window.end)}
        for split in splits.values()
    ]
    assert not bases[0] & bases[1] and not bases[0] & bases[2] and not bases[1] & bases[2]


def test_contigs_are_split_by_name_and_by_table(genome: Path) -> None:
    peaks = [_bed(genome.parent, "x.bed", "a 10 40")]
    _, splits = _prepare(genome, peaks, split="contig", test_contigs=("b",))
    assert set(splits["test"].chrom) == {"b"} and set(splits["train"].chrom) == {"a"}
    table = _bed(genome.parent, "split.tsv", "chrom start end split", "a 0 210 train", "a 210 400 test")
    _, splits = _prepare(genome, peaks, split=str(table), overwrite=True)
    assert splits["train"].start.tolist() == [0, 50, 100, 150] and splits["test"].start.tolist() == [210, 260, 310]
    with pytest.raises(ConfigError, match="contig 'z' of the split"):
        _prepare(genome, peaks, split="contig", test_contigs=("z",), overwrite=True)


def test_rows_that_bring_labels_are_taken_as_they_are(genome: Path) -> None:
    rows = ["chromosome start end strand label split", "b 7 47 - 0,2 test", "a 3 90 + 1 train", "a 0 50 . 2 valid"]
    names = _bed(genome.parent, "labels.txt", "one", "two", "three")
    manifest, splits = _prepare(genome, [_bed(genome.parent, "w.bed", *rows)], labels_file=names)
    assert manifest.labels == ("one", "two", "three") and manifest.window_bp == 87
    contigs = {contig.name: contig.codes for contig in read_fasta(genome)}
    window = splits["test"].window(0)
    assert (window.chrom, window.start, window.end, window.strand) == ("b", 7, 47, "-")
    assert window.labels.tolist() == [1, 0, 1]
    assert np.array_equal(window.codes, alphabet.reverse_complement(contigs["b"][7:47]))
    assert np.array_equal(splits["train"].window(0).codes, contigs["a"][3:90])
    assert splits["valid"].window(0).labels.tolist() == [0, 0, 1]


def test_labeled_rows_without_a_split_column_are_divided_like_any_window(genome: Path) -> None:
    rows = ["chromosome start end label", "a 0 50 0", "a 700 750 0", "a 720 770 0", "a 900 950 0,1"]
    manifest, splits = _prepare(genome, [_bed(genome.parent, "w.bed", *rows)], split="position")
    assert {split: windows.start.tolist() for split, windows in splits.items()} == {
        "train": [0],
        "valid": [720],
        "test": [900],
    }
    assert manifest.labels == ("label_0", "label_1")
    assert manifest.dropped == {"not_in_one_split": 1}


def test_matched_background_has_the_gc_of_the_positives_and_touches_no_region(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    blocks = [random.choice(list("ACGT"), 400, p=p) for p in ([0.1, 0.4, 0.4, 0.1], [0.4, 0.1, 0.1, 0.4]) * 60]
    genome = tmp_path / "g.fa"
    genome.write_text(f">a\n{''.join(np.concatenate(blocks))}\n")
    peaks = [_bed(tmp_path, "x.bed", *(f"a {start + 150} {start + 250}" for start in range(0, 48_000, 2_400)))]
    manifest, splits = _prepare(genome, peaks, window_bp=200, core_bp=100, background="matched", background_ratio=2)
    train = splits["train"]
    positive = _labels(train).any(axis=1)
    assert positive.sum() == 20 and train.start[positive][0] == 100
    assert (~positive).sum() + manifest.counts.get("background_short", 0) == 40 and (~positive).sum() > 25
    codes = train.codes.reshape(len(train), 200)
    gc = ((codes == alphabet.C) | (codes == alphabet.G)).mean(axis=1)
    assert gc[positive].min() > 0.7 and gc[~positive].min() > 0.7
    peak_of = {base for start in range(0, 48_000, 2_400) for base in range(start + 150, start + 250)}
    assert all(not peak_of & set(range(start, start + 200)) for start in train.start[~positive].tolist())
    assert len(set(train.start.tolist())) == len(train) and (np.diff(train.start) > 0).all()
    manifest_without, splits = _prepare(
        genome,
        peaks,
        window_bp=200,
        core_bp=100,
        background="matched",
        background_ratio=2,
        match_gc=False,
        overwrite=True,
    )
    assert len(splits["train"]) == 60 and "background_short" not in manifest_without.counts
    assert (
        manifest.digest
        == _prepare(
            genome, peaks, window_bp=200, core_bp=100, background="matched", background_ratio=2, overwrite=True
        )[0].digest
    )


def test_matched_windows_follow_the_rule_of_overlap_and_regions_too_narrow_for_it_are_counted(genome: Path) -> None:
    wide, narrow = ("a 200 210", "a 204 216", "a 5 17"), ("a 202 206", "a 300 309", "a 1 5")
    peaks = [_bed(genome.parent, "x.bed", *wide, narrow[1]), _bed(genome.parent, "y.bed", narrow[0], narrow[2])]
    manifest, splits = _prepare(genome, peaks, background="matched", background_ratio=0)
    assert splits["train"].start.tolist() == [180]
    assert _labels(splits["train"]).tolist() == [[1, 0]]
    assert manifest.dropped == {"regions_below_min_overlap": 3, "off_contig": 1}
    assert manifest.counts["regions_merged"] == 1


def test_two_narrow_regions_of_one_label_reach_the_rule_together(genome: Path) -> None:
    peaks = [_bed(genome.parent, "x.bed", "a 200 206", "a 207 213")]
    manifest, splits = _prepare(genome, peaks, background="matched", background_ratio=0)
    assert len(splits["train"]) == 1 and manifest.dropped == {}


def test_a_split_that_would_be_empty_is_refused(genome: Path) -> None:
    peaks = [_bed(genome.parent, "x.bed", "a 10 40")]
    with pytest.raises(
        InputError, match=r"g\.fa: no window in the valid split \(.*; expected one or more; choose another"
    ):
        _prepare(genome, peaks, split="position", window_bp=100)
    with pytest.raises(ValidationError, match="with split 'contig' alone"):
        _prepare(genome, peaks, split="position", test_contigs=("a",))
    _, splits = _prepare(genome, peaks, split="train", window_bp=25)
    assert set(splits) == {"train", "valid"} and splits["valid"].start.min() >= 454


def test_contigs_without_a_record_are_counted_and_fatal_where_none_matches(genome: Path) -> None:
    manifest, _ = _prepare(genome, [_bed(genome.parent, "x.bed", "a 10 40", "z 5 9")])
    assert manifest.dropped["contig_not_in_genome"] == 1
    with pytest.raises(InputError, match="contig 'z' has no record"):
        _prepare(genome, [genome.parent / "x.bed"], strict=True, overwrite=True)
    with pytest.raises(InputError, match="differ only in 'chr'"):
        _prepare(genome, [_bed(genome.parent, "y.bed", "chra 10 40")], overwrite=True)
    with pytest.raises(InputError, match=r"black\.bed: contig 'chra'"):
        _prepare(
            genome, [genome.parent / "x.bed"], blacklist=_bed(genome.parent, "black.bed", "chra 10 40"), overwrite=True
        )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a 10 40", "a 900 2001"], r"x.bed:2: a:900-2001 ends off the contig; expected at most 1000 bp"),
        (["a 10 40", "a 1000 1001"], r"x.bed:2: a:1000-1001 ends off the contig; expected at most 1000 bp"),
        (["chromosome start end label", "a 10 40 0", "b 500 506 0"], "x.bed:3: b:500-506 ends off the contig"),
        (["chromosome start end label split", "a 10 40 0 train", "a 50 80 0 dev"], "x.bed:3: split 'dev'"),
    ],
)
def test_bad_regions_are_named_with_their_line_and_leave_nothing_behind(
    genome: Path, rows: list[str], message: str
) -> None:
    path = _bed(genome.parent, "x.bed", *rows)
    with pytest.raises(InputError, match=message):
        _prepare(genome, [path])
    assert sorted(entry.name for entry in genome.parent.iterdir()) == ["g.fa", "x.bed"]


def test_names_of_labels_order_or_name_the_files(genome: Path) -> None:
    peaks = [_bed(genome.parent, "x.bed", "a 10 40"), _bed(genome.parent, "y.bed", "a 60 90")]
    ordered, splits = _prepare(genome, peaks, labels_file=_bed(genome.parent, "n1", "y", "x"))
    assert ordered.labels == ("y", "x") and _labels(splits["train"])[:2].tolist() == [[0, 1], [1, 0]]
    named, splits = _prepare(genome, peaks, labels_file=_bed(genome.parent, "n2", "p", "q"), overwrite=True)
    assert named.labels == ("p", "q") and _labels(splits["train"])[:2].tolist() == [[1, 0], [0, 1]]
    with pytest.raises(InputError, match="expected the files' stems"):
        _prepare(genome, peaks, labels_file=_bed(genome.parent, "n3", "x", "z"), overwrite=True)
    with pytest.raises(InputError, match="stands here twice"):
        _prepare(genome, peaks, labels_file=_bed(genome.parent, "n4", "x", "x"), overwrite=True)
    with pytest.raises(ConfigError, match="two region files are named 'x'"):
        _prepare(genome, [peaks[0], peaks[0]], overwrite=True)
    table = _bed(genome.parent, "w.bed", "chromosome start end label", "a 0 50 0", "a 50 90 2")
    with pytest.raises(InputError, match=r"w\.bed:3: label 2; expected an index below 2"):
        _prepare(genome, [table], labels_file=genome.parent / "n1", overwrite=True)
    with pytest.raises(ConfigError, match="brings its own labels"):
        _prepare(genome, [table, peaks[0]], overwrite=True)


def test_settings_that_cannot_be_are_refused(genome: Path) -> None:
    peaks = (_bed(genome.parent, "x.bed", "a 10 40"),)
    for wrong in ({"core_bp": 600}, {"split": "positon"}, {"regions": ()}, {"min_overlap": 0}, {"windowbp": 5}):
        with pytest.raises(ValidationError):
            PrepareRegionsConfig.model_validate({"out": "o", "genome": genome, "regions": peaks, **wrong})
    with pytest.raises(InputError, match="no window left"):
        _prepare(genome, list(peaks), window_bp=2000)
    _prepare(genome, list(peaks))
    with pytest.raises(DatasetError, match="already there"):
        _prepare(genome, list(peaks))


def test_a_setting_without_effect_is_a_warning(genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    _prepare(genome, [_bed(genome.parent, "x.bed", "a 10 40")], background_ratio=3.0)
    assert "background_ratio has no effect" in caplog.text


def test_a_label_column_of_0_and_1_alone_is_one_label(genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = _bed(genome.parent, "t.bed", "chrom start end label", "a 0 50 1", "a 60 110 0", "a 120 170 1")
    manifest, splits = _prepare(genome, [table])
    assert manifest.labels == ("label",)
    assert _labels(splits["train"])[:, 0].tolist() == [1, 0, 1]
    assert "read as no and yes" in caplog.text


def _narrow_peaks(columns: str = "") -> list[str]:
    """Peaks of contig a whose summits lie away from their midpoints; with columns after the tenth."""
    return [f"a {start} {start + 40} p 0 . 5.5 9.1 4.7 {summit} {columns}" for start, summit in ((60, 25), (160, 12))]


HEADER = "chrom start end name score strand signalValue pValue qValue peak"
XLS = "chr start end length abs_summit pileup -log10(pvalue) fold_enrichment -log10(qvalue) name"


@pytest.mark.parametrize(
    "rows",
    [
        _narrow_peaks("1.2 3.4"),
        _narrow_peaks("1 2 3 4 5 6 7 8 9 10"),
        [HEADER, *_narrow_peaks()],
        [f"#{HEADER}", *_narrow_peaks()],
        [XLS, "a 61 100 40 86 9 9 9 9 p", "a 161 200 40 173 9 9 9 9 q"],
    ],
)
def test_windows_are_centered_on_summits_in_every_dialect(genome: Path, rows: list[str]) -> None:
    settings = {"background": "matched", "background_ratio": 0, "overwrite": True}
    _, plain = _prepare(genome, [_bed(genome.parent, "x.narrowPeak", *_narrow_peaks())], **settings)
    assert plain["train"].start.tolist() == [85 - 25, 172 - 25]
    _, splits = _prepare(genome, [_bed(genome.parent, "y.bed", *rows)], **settings)
    assert splits["train"].start.tolist() == [60, 147]
    assert np.array_equal(splits["train"].labels, plain["train"].labels)


def test_a_trailing_tab_hides_no_summit(genome: Path) -> None:
    path = genome.parent / "x.narrowPeak"
    path.write_text("".join("\t".join(row.split()) + "\t\n" for row in _narrow_peaks()))
    _, splits = _prepare(genome, [path], background="matched", background_ratio=0)
    assert splits["train"].start.tolist() == [60, 147]


def test_a_peak_that_passes_the_end_of_its_contig_is_cut_counted_and_named_once(
    genome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    peaks = [_bed(genome.parent, "x.bed", "a 10 40", "a 960 1021", "b 480 505", "b 470 510")]
    manifest, splits = _prepare(genome, peaks)
    assert manifest.counts["regions_cut_at_end"] == 2 and manifest.counts["regions"] == 4
    windows = zip(splits["train"].chrom, splits["train"].start.tolist(), _labels(splits["train"])[:, 0].tolist())
    assert [(chrom, start) for chrom, start, label in windows if label] == [("a", 0), ("a", 950), ("b", 450)]
    said = [message for message in caplog.messages if "passes the end" in message]
    assert said == [f"{peaks[0]}:2: passes the end of its contig, and was cut there; 2 regions were cut in all"]
    with pytest.raises(InputError, match=r"x\.bed:2: a:960-1021 ends off the contig"):
        _prepare(genome, peaks, strict=True, overwrite=True)


def test_the_blocks_of_bed12_and_both_ends_of_bedpe_make_windows_positive(genome: Path) -> None:
    blocks = _bed(genome.parent, "x.bed", "a 10 290 t 0 + 10 290 0 2 30,40, 0,240,")
    pairs = _bed(genome.parent, "y.bedpe", "a 10 40 a 250 290 p 5 + -")
    for path in (blocks, pairs):
        manifest, splits = _prepare(genome, [path], overwrite=True)
        assert np.flatnonzero(_labels(splits["train"])[:, 0]).tolist() == [0, 5]
        assert manifest.counts["regions"] == 2


def test_rows_of_a_bedgraph_without_signal_are_no_regions_and_are_counted(genome: Path) -> None:
    rows = ["a 0 50 0", "a 50 100 1.5", "a 100 1000 0", "b 0 50 2", "b 50 505 0"]
    manifest, splits = _prepare(genome, [_bed(genome.parent, "x.bedGraph", *rows)])
    assert np.flatnonzero(_labels(splits["train"])[:, 0]).tolist() == [1, 18]
    assert manifest.counts["regions"] == 2 and manifest.dropped["zero_signal"] == 3
    with pytest.raises(InputError, match="a bedGraph whose values are all 0"):
        _prepare(genome, [_bed(genome.parent, "y.bedGraph", "a 0 50 0", "a 50 1000 0")], overwrite=True)


def test_contigs_without_any_of_many_regions_are_named(genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    many = _bed(genome.parent, "many.bed", *(f"a {start} {start + 9}" for start in range(0, 990, 20)))
    few = _bed(genome.parent, "few.bed", "a 10 40", "a 60 90")
    manifest, _ = _prepare(genome, [many, few], stride_bp=10)
    assert manifest.counts["regions"] == 52
    messages = [message for message in caplog.messages if "no region on" in message]
    assert messages == [
        f"{many}: no region on 2 contigs of 535 bp (b, c), so that all windows there are negative; if they were not looked at, "
        "give the genome without them"
    ]


def test_regions_too_narrow_for_any_window_are_named_and_refused_where_none_is_left(
    genome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # a core of 20 bp at min_overlap 0.5 takes 10 bp
    peaks = [_bed(genome.parent, "x.bed", "a 200 210", "a 300 309", "a 600 601")]
    unused = "2 of 3 regions make no window positive: they cover less than min_overlap 0.5 of any core of 20 bp"
    do = "lower --min-overlap; or make narrow regions wider, such as summits (bedtools slop): 2 have less than 10 bp"
    _prepare(genome, peaks, background="matched", background_ratio=0)
    assert f"{unused}; {do}" in caplog.text and "take background" not in caplog.text
    summits = [_bed(genome.parent, "y.bed", "a 200 201", "a 300 301")]
    with pytest.raises(InputError, match=r"y\.bed: no window is positive"):
        _prepare(genome, summits, overwrite=True)
    assert "2 of 2 regions make no window positive" in caplog.text


def test_regions_between_windows_are_named_with_the_settings_that_help(
    genome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # cores are 15-35, 65-85, ...; the second region has 20 bp and lies between two of them
    _prepare(genome, [_bed(genome.parent, "x.bed", "a 15 35", "a 40 60")])
    assert "1 of 2 regions make no window positive" in caplog.text
    assert "lower --min-overlap; or take --background matched, or change stride_bp in a --config file" in caplog.text
    assert "bedtools slop" not in caplog.text
