"""`prepare_methylation`: calls on CpGs to windows."""

import gzip
from pathlib import Path

import numpy as np
import pybigtools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import Manifest
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bigwig import write_bigwig
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.tracks import Calls
from dnaspt.prepare.methylation import PrepareMethylationConfig, merge_strands, prepare_methylation
from dnaspt.words import words_of

UNIT = "ATTAcGATTA"
"""Ten bases with one CpG, its C (soft-masked here) at index 4."""


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    path = tmp_path / "g.fa"
    path.write_text(f">a\n{UNIT * 10}\n>b\n{UNIT * 3}\n")
    return path


def _row(chrom: str, position: int, strand: str, coverage: int, percent: float) -> str:
    return f"{chrom}\t{position}\t{position + 1}\tm\t0\t{strand}\t0\t0\t0\t{coverage}\t{percent}\n"


def _calls(folder: Path, *rows: tuple[str, int, str, int, float], name: str = "s.bedmethyl") -> Path:
    path = folder / name
    path.write_text("".join(_row(*row) for row in rows))
    return path


def _prepare(genome: Path, *calls: Path, **settings: object) -> tuple[Manifest, dict[str, Split]]:
    options: dict = {"window_bp": 8, "split": "train-only", "overwrite": True, **settings}
    out = genome.parent / "out"
    manifest = prepare_methylation(PrepareMethylationConfig(out=out, genome=genome, calls=calls, **options)).manifest
    return manifest, {split: read_split(out, split) for split in manifest.splits}


def test_strands_are_merged_before_the_threshold(genome: Path) -> None:
    rows = [
        ("a", 14, "+", 2, 100),
        ("a", 15, "-", 4, 0),
        ("a", 24, "+", 3, 100),
        ("a", 25, "-", 3, 0),
        ("a", 35, "-", 5, 100),
    ]
    manifest, splits = _prepare(genome, _calls(genome.parent, *rows))
    assert splits["train"].start.tolist() == [11, 21, 31]
    assert splits["train"].labels.tolist() == [0, 1, 1]
    assert manifest.labels == ("s",) and manifest.task == "methylation"
    assert manifest.counts == {"cpg_in_genome": 13, "calls": 5, "cpg_with_call": 3, "cpg_labeled": 3, "windows": 3}
    assert manifest.dropped == {}


def test_the_cpg_stands_in_the_middle_of_its_window_on_both_strands(genome: Path) -> None:
    _, splits = _prepare(genome, _calls(genome.parent, *(("a", 4 + 10 * i, "+", 9, 50) for i in range(10))))
    for window in splits["train"]:
        assert alphabet.decode(window.codes)[3:5] == "cG"
        assert alphabet.decode(alphabet.reverse_complement(window.codes))[3:5].upper() == "CG"


def test_too_few_reads_are_missing_and_a_site_without_any_label_is_dropped(genome: Path) -> None:
    one = _calls(genome.parent, ("a", 14, "+", 5, 100), ("a", 24, "+", 4, 100), ("a", 34, "+", 0, 0), name="one.bed")
    two = _calls(genome.parent, ("a", 14, "+", 2, 100), ("a", 15, "-", 3, 0), ("a", 34, "+", 9, 10), name="two.bed")
    manifest, splits = _prepare(genome, one, two)
    assert splits["train"].start.tolist() == [11, 31]
    assert splits["train"].labels.reshape(2, 2).tolist() == [[1, 0], [MISSING, 0]]
    assert manifest.dropped == {"low_coverage": 1}
    _, splits = _prepare(genome, one, two, min_coverage=0)
    assert splits["train"].labels.reshape(-1, 2).tolist() == [[1, 0], [1, MISSING], [MISSING, 0]]


def test_the_manifest_says_how_often_each_label_is_known_and_true(genome: Path) -> None:
    one = _calls(genome.parent, ("a", 14, "+", 5, 100), ("a", 24, "+", 4, 0), ("a", 34, "+", 9, 0), name="one.bed")
    two = _calls(genome.parent, ("a", 34, "+", 9, 100), name="two.bed")
    manifest, _ = _prepare(genome, one, two)
    train = manifest.splits["train"]
    assert (train.label_counts, train.known_counts) == ({"one": 1, "two": 1}, {"one": 2, "two": 1})


def test_threshold_and_names_are_options(genome: Path) -> None:
    calls = _calls(genome.parent, ("a", 14, "+", 10, 80), ("a", 24, "+", 10, 79.9))
    manifest, splits = _prepare(genome, calls, threshold=0.8, names=("liver",))
    assert splits["train"].labels.tolist() == [1, 0] and manifest.labels == ("liver",)


def test_calls_on_no_cpg_and_on_no_contig_are_counted(genome: Path) -> None:
    rows = [
        ("a", 14, "+", 9, 80),
        ("a", 24, "+", 9, 80),
        ("a", 34, "+", 9, 80),
        ("a", 1, "+", 9, 80),
        ("a", 5, "+", 9, 80),
    ]
    manifest, splits = _prepare(genome, _calls(genome.parent, *rows, ("z", 4, "+", 9, 80)))
    assert len(splits["train"]) == 3
    assert manifest.dropped == {"not_cpg": 2, "contig_not_in_genome": 1}


def test_calls_of_another_genome_are_refused(genome: Path) -> None:
    shifted = _calls(genome.parent, *(("a", 5 + 10 * i, "+", 9, 80) for i in range(5)))
    with pytest.raises(InputError, match=r"s.bedmethyl: 5 of 5 calls lie on no CpG .* shifted by one"):
        _prepare(genome, shifted)
    with pytest.raises(InputError, match="differ only in 'chr'"):
        _prepare(genome, _calls(genome.parent, ("chra", 4, "+", 9, 80)))
    with pytest.raises(InputError, match="off the contig"):
        _prepare(genome, _calls(genome.parent, ("b", 30, "+", 9, 80)))
    with pytest.raises(InputError, match=r"no window left .CpGs with too few reads in every sample: 1"):
        _prepare(genome, _calls(genome.parent, ("b", 14, "+", 1, 80)))
    with pytest.raises(InputError, match="contig 'z' has no record"):
        _prepare(genome, _calls(genome.parent, ("b", 14, "+", 9, 80), ("z", 4, "+", 9, 80)), strict=True)
    with pytest.raises(ConfigError, match="contig 'q' of the split"):
        _prepare(genome, _calls(genome.parent, ("b", 14, "+", 9, 80)), split="contig", test_contigs=("q",))
    assert not (genome.parent / "out").exists() and len(list(genome.parent.iterdir())) == 2


def test_windows_off_the_contig_or_across_a_split_are_dropped_and_counted(genome: Path) -> None:
    calls = _calls(genome.parent, *(("a", 4 + 10 * i, "+", 9, 50) for i in range(10)))
    manifest, splits = _prepare(genome, calls, window_bp=30, split="position", fractions=(0.6, 0.4, 0.0))
    assert {name: split.start.tolist() for name, split in splits.items()} == {
        "train": [0, 10, 20, 30],
        "valid": [60, 70],
    }
    assert manifest.dropped == {"off_contig": 2, "not_in_one_split": 2}
    with pytest.raises(
        InputError,
        match=r"no window in the valid split .windows that reach .*: 2; windows that do not lie in one .*: 3",
    ):
        _prepare(genome, calls, window_bp=30, split="position")


def test_only_contigs_with_calls_are_divided(genome: Path) -> None:
    calls = _calls(genome.parent, *(("a", 4 + 10 * i, "+", 9, 50) for i in range(10)))
    _, splits = _prepare(genome, calls, split="train")
    assert {name: len(split) for name, split in splits.items()} == {"train": 9, "valid": 1}
    with pytest.raises(ConfigError, match="split 'contig' of 1 contig; expected 3 or more; say --split position"):
        _prepare(genome, calls, split="contig")


def test_a_split_table_decides(genome: Path) -> None:
    calls = _calls(genome.parent, *(("a", 4 + 10 * i, "+", 9, 50) for i in range(10)), ("b", 14, "+", 9, 50))
    table = genome.parent / "split.tsv"
    table.write_text("chromosome\tstart\tend\tsplit\na\t0\t50\ttrain\na\t50\t60\tvalid\nb\t0\t30\ttest\n")
    manifest, splits = _prepare(genome, calls, split=str(table))
    assert {name: len(split) for name, split in splits.items()} == {"train": 5, "valid": 1, "test": 1}
    assert manifest.dropped == {"not_in_one_split": 4}
    assert [Path(source.path).name for source in manifest.sources] == ["g.fa", "s.bedmethyl", "split.tsv"]


def test_the_three_formats_give_the_same_windows(genome: Path) -> None:
    rows = [("a", 14, "+", 10, 80.0), ("a", 25, "-", 10, 20.0), ("b", 14, "+", 4, 50.0)]
    digest = _prepare(genome, _calls(genome.parent, *rows))[0].digest
    bismark = genome.parent / "s.cov"
    bismark.write_text("a\t15\t15\t80\t8\t2\na\t26\t26\t20\t2\t8\nb\t15\t15\t50\t2\t2\n")
    assert _prepare(genome, bismark)[0].digest == digest
    levels, depths = genome.parent / "s.bw", genome.parent / "d.bw"
    for path, column in ((levels, 4), (depths, 3)):
        blocks = [
            (chrom, *(np.array([part[k] for part in rows if part[0] == chrom], dtype=float) for k in (1, 1, column)))
            for chrom in "ab"
        ]
        write_bigwig(path, [("a", 100), ("b", 30)], [(c, s.astype(int), s.astype(int) + 1, v) for c, s, _, v in blocks])
    assert _prepare(genome, levels, coverage=(depths,))[0].digest == digest


def test_levels_without_coverage_are_all_used_and_a_warning_says_so(
    genome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = genome.parent / "s.bw"
    starts = np.array([14, 24])
    write_bigwig(path, [("a", 100)], [("a", starts, starts + 2, np.array([80.0, 20.0]))])
    _, splits = _prepare(genome, path)
    assert splits["train"].labels.tolist() == [1, 0]
    assert "min_coverage has no effect" in caplog.text


def test_settings_that_cannot_be_are_refused(genome: Path) -> None:
    base = {"out": "o", "genome": genome, "calls": ("x.cov", "y.cov")}
    for wrong in (
        {"window_bp": 511},
        {"names": ("a",)},
        {"names": ("a", "a")},
        {"calls": ()},
        {"threshold": 1.5},
        {"x": 1},
    ):
        with pytest.raises(ValidationError):
            PrepareMethylationConfig.model_validate({**base, **wrong})


@settings(deadline=None, max_examples=60)
@given(
    st.text("ACGT", min_size=2, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.sampled_from("+-."), st.integers(0, 9), st.integers(0, 4)), max_size=20),
)
def test_merged_sites_equal_a_sum_call_by_call(letters: str, rows: list[tuple[int, str, int, int]]) -> None:
    codes = alphabet.encode(letters.encode())
    rows = [(position % len(letters), *rest) for position, *rest in rows]
    columns = list(zip(*rows)) or [(), (), (), ()]
    calls = Calls(
        np.array(columns[0], dtype=np.int64),
        np.array([ord(strand) for strand in columns[1]], dtype=np.uint8),
        np.array(columns[2], dtype=np.int32),
        np.array(columns[3], dtype=np.float32) / 4,
    )
    cpg = alphabet.cpg_positions(codes)
    assert cpg.tolist() == [at for at in range(len(letters)) if letters[at : at + 2] == "CG"]
    expected = {int(at): [0.0, 0.0] for at in cpg}
    n_not_cpg = 0
    for position, strand, coverage, quarter in rows:
        on_c, on_g = letters[position : position + 2] == "CG", position and letters[position - 1 : position + 1] == "CG"
        site = position if on_c and strand in "+." else position - 1 if on_g and strand in "-." else None
        if site is None:
            n_not_cpg += 1
            continue
        expected[site][0] += coverage
        expected[site][1] += coverage * quarter / 4
    sites = merge_strands(codes, cpg, calls)
    assert sites.n_not_cpg == n_not_cpg
    assert sites.coverage.tolist() == [total for total, _ in expected.values()]
    assert (sites.level * sites.coverage).tolist() == pytest.approx([methylated for _, methylated in expected.values()])


def _six(folder: Path, *rows: tuple[str, int, int, float, int, int]) -> Path:
    """Bismark coverage, or its 0-based kin: contig, start, end, percent, methylated, unmethylated."""
    path = folder / "s.cov"
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("strands", [(4, 5), (4,)])
@pytest.mark.parametrize(
    ("shift", "width", "side"),
    [(1, 1, "left"), (-1, 1, "right"), (0, 0, "right")],
)
def test_positions_that_are_shifted_by_one_are_refused_and_the_side_is_named(
    genome: Path, strands: tuple, shift: int, width: int, side: str
) -> None:
    """1-based starts with ends of one more; starts one too small; 0-based positions in Bismark's 1-based columns."""
    starts = [10 * i + at + shift for i in range(10) for at in strands]
    calls = _six(genome.parent, *(("a", start, start + width, 50, 5, 5) for start in starts))
    if strands == (4,) and side == "left":  # each falls on the G of its own CpG
        assert _prepare(genome, calls)[0].counts["cpg_labeled"] == 10
        return
    n = len(starts) // len(strands)
    with pytest.raises(
        InputError, match=rf"s.cov: {n} of {len(starts)} calls lie on no CpG .*One base to the {side}, {n} of"
    ):
        _prepare(genome, calls)


def test_many_calls_on_no_cpg_are_a_warning_and_refused_with_strict(
    genome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [("a", 4 + 10 * i, "+", 9, 80) for i in range(9)]
    few = _calls(genome.parent, *rows, ("b", 4, "+", 9, 80))
    _prepare(genome, few, strict=True)
    assert not caplog.messages
    many = _calls(genome.parent, *rows, ("a", 1, "+", 9, 80))
    manifest, _ = _prepare(genome, many)
    assert manifest.dropped == {"not_cpg": 1}
    assert "1 of 10 calls lie on no CpG" in caplog.text
    with pytest.raises(InputError, match=r"1 of 10 calls lie on no CpG .*refused with --strict"):
        _prepare(genome, many, strict=True)


def test_rows_that_are_no_levels_of_5mc_are_counted_in_the_manifest_and_named_once(
    genome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("m,CG,0", "h,CG,0", "m,C,0", "-,m,C", "C,CG,0")
    path = genome.parent / "s.bedmethyl"
    row = "a\t{0}\t{1}\t{2}\t0\t+\t0\t0\t0\t10\t{3}\n"
    percent = {"m,CG,0": 80, "h,CG,0": 5, "m,C,0": 80, "-,m,C": 15, "C,CG,0": 85}
    sites = range(4, 100, 10)
    path.write_text("".join(row.format(at, at + 1, name, percent[name]) for at in sites for name in names))
    manifest, splits = _prepare(genome, path)
    assert manifest.dropped == {
        "other_modification": 10,
        "hemi_pattern": 10,
        "combined_modifications": 10,
        "other_motif": 10,
    }
    assert manifest.counts["calls"] == 10 and set(splits["train"].labels.tolist()) == {1}
    assert [message for message in caplog.messages if "left out" in message] == [
        f"{path}: rows left out: {'; '.join(f'{words_of(reason)}: 10' for reason in manifest.dropped)}"
    ]


def test_two_motifs_do_not_count_the_reads_of_a_site_twice(genome: Path) -> None:
    path = genome.parent / "s.bedmethyl"
    row = "a\t{0}\t{1}\tm,{2}\t3\t+\t0\t0\t0\t3\t100.00\t3\t0\t0\t0\t0\t0\t0\n"
    path.write_text("".join(row.format(at, at + 1, motif) for at in (14, 24) for motif in ("CG,0", "ACG,1")))
    with pytest.raises(
        InputError,
        match=r"no window left .*: 2; CpGs with too few reads in every sample: 2",
    ):
        _prepare(genome, path)
    manifest, splits = _prepare(genome, path, min_coverage=3)
    assert splits["train"].labels.tolist() == [1, 1] and manifest.counts["calls"] == 2


def test_levels_of_combined_modifications_are_read_with_a_warning(
    genome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = genome.parent / "s.bedmethyl"
    path.write_text("".join(_row("a", 4 + 10 * i, "+", 9, 80).replace("\tm\t", "\tC\t") for i in range(9)))
    _, splits = _prepare(genome, path)
    assert splits["train"].labels.tolist() == [1] * 9
    assert "count 5mC together with other modifications of C" in caplog.text
    with pytest.raises(InputError, match=r"count 5mC together with .* refused with --strict"):
        _prepare(genome, path, strict=True)


def test_shares_and_percent_give_the_same_labels(genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    levels = [0, 0.1, 0.5, 0.9, 1, 0.25, 0.75, 0.3, 0.6, 0.45]
    expected = [int(level >= 0.5) for level in levels]
    for scale in (1, 100):
        rows = [("a", 4 + 10 * i, "+", 20, scale * level) for i, level in enumerate(levels)]
        assert _prepare(genome, _calls(genome.parent, *rows))[1]["train"].labels.tolist() == expected
        six = [
            ("a", 4 + 10 * i, 5 + 10 * i, scale * v, round(20 * v), round(20 - 20 * v)) for i, v in enumerate(levels)
        ]
        assert _prepare(genome, _six(genome.parent, *six))[1]["train"].labels.tolist() == expected
        starts = 4 + 10 * np.arange(10)
        write_bigwig(genome.parent / "s.bw", [("a", 100)], [("a", starts, starts + 2, scale * np.array(levels))])
        assert _prepare(genome, genome.parent / "s.bw")[1]["train"].labels.tolist() == expected
    said = [message for message in caplog.messages if "shares from 0 to 1, not percent" in message]
    assert [message.split(":")[0].rsplit(".", 1)[1] for message in said] == ["bedmethyl", "cov"]
    assert "levels (read as shares) without coverage" in caplog.text and "(read as percent)" in caplog.text


def test_sites_without_reads_in_a_bigwig_are_missing(genome: Path) -> None:
    starts = 4 + 10 * np.arange(4)
    records = [("a", int(s), int(s) + 2, v) for s, v in zip(starts, (1.0, -1.0, float("nan"), 0.0))]
    pybigtools.open(str(genome.parent / "s.bw"), "w").write({"a": 100}, records)
    manifest, splits = _prepare(genome, genome.parent / "s.bw")
    assert splits["train"].start.tolist() == [1, 31] and splits["train"].labels.tolist() == [1, 0]
    assert manifest.dropped == {"no_level": 2}


def test_several_calls_on_one_base_are_added_up_and_said(genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [
        ("a", 14, "+", 3, 100),
        ("a", 15, "-", 1, 100),
        ("a", 24, "+", 9, 0),
        ("a", 24, "+", 0, 0),
        ("a", 5, "-", 9, 0),
    ]
    calls = _calls(genome.parent, *rows, ("a", 14, "+", 3, 100))
    manifest, splits = _prepare(genome, calls)
    assert splits["train"].start.tolist() == [1, 11, 21] and splits["train"].labels.tolist() == [0, 1, 0]
    assert manifest.counts["calls_repeated"] == 1 and manifest.dropped == {}
    message = (
        f"{calls}: 1 calls lie on a base that an earlier call lies on; their reads were added up; if they are the same"
    )
    assert [text for text in caplog.messages if text.startswith(message)]
    with pytest.raises(InputError, match=r"1 calls lie on a base .*; refused with --strict"):
        _prepare(genome, calls, strict=True)
    manifest, _ = _prepare(genome, _calls(genome.parent, *rows))
    assert "calls_repeated" not in manifest.counts


def test_samples_in_bgzip_have_the_names_of_their_files(genome: Path) -> None:
    calls = _calls(genome.parent, ("a", 14, "+", 9, 80), name="liver.bed")
    packed = calls.with_name("heart.bed.bgz")
    packed.write_bytes(gzip.compress(calls.read_bytes()))
    assert _prepare(genome, calls, packed)[0].labels == ("liver", "heart")


def test_calls_without_any_read_are_refused(genome: Path) -> None:
    with pytest.raises(
        InputError, match=r"s.bedmethyl: no reads in it: the coverage of its 2 calls is 0; expected calls"
    ):
        _prepare(genome, _calls(genome.parent, ("a", 14, "+", 0, 0), ("a", 24, "+", 0, 0)))


@pytest.mark.parametrize("name", ["", " ", "a/b", "chrom", "start", "end"])
def test_a_name_that_no_label_can_have_is_refused(genome: Path, name: str) -> None:
    calls = _calls(genome.parent, ("a", 14, "+", 9, 80))
    with pytest.raises(ValidationError, match=f"sample {name!r}; expected a name that can stand in the name of a file"):
        _prepare(genome, calls, names=(name,))
