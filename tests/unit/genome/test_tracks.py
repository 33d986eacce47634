"""Readers of methylation calls."""

from pathlib import Path

import numpy as np
import pybigtools
import pytest

from dnaspt.errors import InputError
from dnaspt.genome import columns
from dnaspt.genome.bigwig import write_bigwig
from dnaspt.genome.tracks import Sample, read_calls


def _file(folder: Path, text: str, name: str = "a.bedmethyl") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _row(start: int, strand: str, coverage: object, percent: object, name: str = "m", chrom: str = "chr1") -> str:
    return f"{chrom}\t{start}\t{start + 1}\t{name}\t22\t{strand}\t{start}\t{start + 1}\t0,0,0\t{coverage}\t{percent}"


def _modkit(start: int, strand: str, modified: int, canonical: int, name: str = "m") -> str:
    """A row of modkit, 18 columns."""
    coverage = modified + canonical
    row = _row(start, strand, coverage, f"{100 * modified / coverage:.2f}", name)
    return f"{row}\t{modified}\t{canonical}\t0\t0\t0\t0\t0"


def _calls(sample: Sample, chrom: str = "chr1") -> list[tuple[int, str, int, float]]:
    calls = sample.contigs[chrom]
    strands = [chr(code) for code in calls.strand]
    levels = [round(float(level), 6) for level in calls.level]
    return list(zip(calls.position.tolist(), strands, calls.coverage.tolist(), levels))


def _bigwig(path: Path, rows: list[tuple[int, int, float]], chrom: str = "chr1") -> Path:
    starts, ends, values = (np.array(column) for column in zip(*rows))
    write_bigwig(path, [("chr0", 10), (chrom, 20_000)], [(chrom, starts, ends, values)])
    return path


def test_bedmethyl_of_encode_is_read(tmp_path: Path) -> None:
    path = _file(tmp_path, f"track x\n{_row(4, '+', 22, 59.1, '.')}\n{_row(5, '-', 0, 0, 'sample 1')}\n")
    assert _calls(read_calls(path)) == [(4, "+", 22, 0.591), (5, "-", 0, 0)]


@pytest.mark.parametrize("separator", ["\t", " "])
def test_bedmethyl_of_modkit_keeps_5mc_and_counts_the_rest(tmp_path: Path, separator: str) -> None:
    rows = [
        _modkit(4, "+", 13, 9),
        _modkit(4, "+", 1, 21, "h"),
        _modkit(9, ".", 3, 0, "m,CG,0"),
        _modkit(9, ".", 0, 3, "21839"),
    ]
    text = "".join(row.replace("\t", "\0", 9).replace("\t", separator).replace("\0", "\t") + "\n" for row in rows)
    sample = read_calls(_file(tmp_path, text))
    assert _calls(sample) == [(4, "+", 22, 0.590909), (9, ".", 3, 1)]
    assert sample.dropped == {"other_modification": 2}


@pytest.mark.parametrize(
    ("codes", "kept", "dropped"),
    [
        (("m", "h"), [4], {"other_modification": 1}),
        (("5mC", "5hmC"), [4], {"other_modification": 1}),
        (("h", "m,CG,0"), [5], {"other_modification": 1}),
        (("m", "-,m,C"), [4], {"hemi_pattern": 1}),
        (("m", "C"), [4], {"combined_modifications": 1}),
        (("C", "C"), [4, 5], {}),
        (("sample 1, liver", "5mc sample 2"), [4, 5], {}),
    ],
)
def test_only_rows_of_5mc_are_kept(tmp_path: Path, codes: tuple, kept: list, dropped: dict) -> None:
    rows = [_row(4 + number, "+", 10, 50, code) for number, code in enumerate(codes)]
    sample = read_calls(_file(tmp_path, "\n".join(rows) + "\n"))
    assert [call[0] for call in _calls(sample)] == kept
    assert sample.dropped == dropped
    assert bool(sample.doubts) == (codes == ("C", "C"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("5hmC", r"no call of 5mC in it; expected rows of .*; it has 2 rows of other modifications \('5hmC'\)"),
        ("m,-,C", r"it has 2 rows of patterns of both strands \('m,-,C'\): give it the output of modkit pileup"),
    ],
)
def test_a_file_without_5mc_is_refused_with_what_it_has(tmp_path: Path, code: str, message: str) -> None:
    rows = [_row(4, "+", 10, 50, code), _row(8, "+", 10, 50, code)]
    with pytest.raises(InputError, match=message):
        read_calls(_file(tmp_path, "\n".join(rows) + "\n"))


def test_a_site_of_several_motifs_is_counted_once(tmp_path: Path) -> None:
    rows = [
        _modkit(3, "+", 1, 3, "m,C,0"),
        _modkit(4, "+", 3, 1, "m,C,0"),
        _modkit(4, "+", 3, 1, "m,CG,0"),
        _modkit(5, "-", 2, 2, "m,CG,0"),
        _modkit(5, "-", 2, 2, "m,CCGG,1"),
    ]
    sample = read_calls(_file(tmp_path, "\n".join(rows) + "\n"))
    assert _calls(sample) == [(4, "+", 4, 0.75), (5, "-", 4, 0.5)]
    assert sample.dropped == {"other_motif": 3}


def test_motifs_without_cg_are_counted_once_where_they_meet(tmp_path: Path) -> None:
    rows = [_modkit(4, "+", 3, 1, "m,CCGG,1"), _modkit(4, "+", 3, 1, "m,C,0"), _modkit(4, "-", 2, 2, "m,C,0")]
    rows += [_modkit(9, "+", 1, 3, "m,C,0"), _modkit(9, "+", 1, 1, "m,C,0")]  # twice under one motif: two haplotypes
    sample = read_calls(_file(tmp_path, "\n".join(rows) + "\n"))
    assert _calls(sample) == [(4, "+", 4, 0.75), (4, "-", 4, 0.5), (9, "+", 4, 0.25), (9, "+", 2, 0.5)]
    assert sample.dropped == {"other_motif": 1}


@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
def test_nan_with_reads_is_a_row_without_a_level(
    tmp_path: Path, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "_BLOCK_BYTES", block_bytes)
    rows = [_row(4, "+", 15, "nan", "5mC"), _row(5, "-", 4, 25, "5mC"), _row(9, "+", 0, "nan", "5mC")]
    sample = read_calls(_file(tmp_path, "\n".join(rows) + "\n"))
    assert _calls(sample) == [(5, "-", 4, 0.25), (9, "+", 0, 0)]
    assert sample.dropped == {"no_level": 1}


def test_a_row_that_ends_before_its_level_is_refused(tmp_path: Path) -> None:
    cut = _row(8, "+", 15, 50).rsplit("\t", 1)[0]
    with pytest.raises(InputError, match=r":2: 10 columns .*; expected at least 11"):
        read_calls(_file(tmp_path, f"{_row(4, '+', 15, 50)}\n{cut}\n"))


def test_shares_in_bedmethyl_are_read_as_shares_and_it_says_so(tmp_path: Path) -> None:
    rows = [_row(4, "+", 15, 0.0667), _row(5, "-", 4, 0.25), _row(9, "+", 12, 1)]
    sample = read_calls(_file(tmp_path, "\n".join(rows) + "\n"))
    assert _calls(sample) == [(4, "+", 15, 0.0667), (5, "-", 4, 0.25), (9, "+", 12, 1)]
    assert sample.scale == "shares" and sample.doubts == (
        "levels are shares from 0 to 1, not percent, and were read as shares",
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            _modkit(4, "+", 3, 1).replace("75.00", "25.00"),
            r":1: level 25 where 3 of 4 reads are methylated; .* swapped\?",
        ),
        (
            f"{_row(4, '+', 9, 75, '5mC')}\t3\t1\t5",
            r":1: level 75 where 1 of 4 reads are methylated; expected about 25",
        ),
        ("chr1\t5\t5\t6.67\t14\t1", r":1: level 6.67 where 14 of 15 reads are methylated; expected about 93.33"),
        ("chr1\t5\t6\t50\t9\t1", r":1: level 50 where 9 of 10 reads are methylated; expected about 90$"),
    ],
)
def test_a_level_against_the_counts_of_its_row_is_refused(tmp_path: Path, row: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read_calls(_file(tmp_path, f"{row}\n"))


def test_counts_of_modbam2bed_and_of_gembs_are_told_apart(tmp_path: Path) -> None:
    assert _calls(read_calls(_file(tmp_path, f"{_row(4, '+', 9, 25, '5mC')}\t3\t1\t5\n"))) == [(4, "+", 9, 0.25)]
    assert _calls(read_calls(_file(tmp_path, f"{_row(4, '+', 9, 25, 'x')}\tCG\tCG\t40\n"))) == [(4, "+", 9, 0.25)]


def test_a_row_of_two_bases_is_a_call_of_both_strands(tmp_path: Path) -> None:
    path = _file(tmp_path, "chr1\t4\t6\tm\t22\t+\t4\t6\t0,0,0\t22\t50\n")
    assert _calls(read_calls(path)) == [(4, ".", 22, 0.5)]


def test_bismark_coverage_is_one_based(tmp_path: Path) -> None:
    path = _file(tmp_path, "chr1\t5\t5\t75\t3\t1\nchr2\t1\t1\t0\t0\t2\n", "a.bismark.cov")
    sample = read_calls(path)
    assert _calls(sample) == [(4, ".", 4, 0.75)]
    assert _calls(sample, "chr2") == [(0, ".", 2, 0)]
    assert len(sample) == 2


def test_zero_based_coverage_is_told_by_its_ends(tmp_path: Path) -> None:
    path = _file(tmp_path, "track type=bedGraph\nchr1\t4\t5\t75\t3\t1\n", "a.bedGraph")
    assert _calls(read_calls(path)) == [(4, ".", 4, 0.75)]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (_row(4, "+", 5, 50) + "\n" + _row(5, "-", 5, 101), 2, "percent 101"),
        (_row(4, "+", 5, -0.5), 1, "percent -0.5"),
        (_row(4, "+", -5, 50), 1, "coverage -5"),
        (_row(4, "+", "x", 50), 1, "coverage 'x'; expected an integer in column 10"),
        (_row(4, "+", 5, "high"), 1, "percent 'high'"),
        (_row(4, "*", 5, 50), 1, "strand *"),
        (_row(-4, "+", 5, 50), 1, "end -3"),
        (_row(4, "+", 5, 50).replace("\t5\tm", "\t90\tm"), 1, "end 90"),
        ("chr1\t5\t5\t75\t3\t1\nchr1\t5\t6\t75\t3\t1\n", 2, "end 6"),
        ("chr1\t5\t5\t175\t3\t1\n", 1, "percent 175"),
        ("chr1\t5\t5\t75\t-3\t1\n", 1, "methylated -3"),
        ("chr1\t0\t0\t75\t3\t1\n", 1, "start 0; expected 1 or more"),
    ],
)
def test_malformed_calls_are_named_with_their_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(InputError) as error:
        read_calls(path)
    assert str(error.value).startswith(f"{path}:{line}: ") and message in str(error.value)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rows of 4 columns"):
        read_calls(_file(tmp_path, "chr1\t4\t5\t0.5\n"))
    for text, message in {
        "chr1,4,4,50,1,1\n": "rows of 1 columns; .*; put tabs between its columns",
        "chr1\t4\t+\t1\t1\tCG\tCGA\n": "rows of 7 columns; .*; if it is Bismark's cytosine report or methylpy's allc, give",
        "chr1\tC\t4\tCG\tCG\t0.5\t1\t2\n": "rows of 8 columns; .*; if it is CGmap, write it as contig, position, position",
        "chr1\t4\t6\t50.0\tTotal\t2\t1\t1\t50.0\n": "rows of 9 columns; .*; if it is a table of pb-CpG-tools, write it",
    }.items():
        with pytest.raises(InputError, match=message):
            read_calls(_file(tmp_path, text))
    with pytest.raises(InputError, match="no call of 5mC"):
        read_calls(_file(tmp_path, _row(4, "+", 5, 50, "a")))
    with pytest.raises(InputError, match="no row in it"):
        read_calls(_file(tmp_path, ""))
    with pytest.raises(InputError, match="no bigWig"):
        read_calls(_file(tmp_path, _row(4, "+", 5, 50)), coverage=tmp_path / "c.bw")
    path = tmp_path / "broken.bw"
    path.write_bytes(b"\x26\xfc\x8f\x88" + bytes(20))
    with pytest.raises(InputError, match="broken"):
        read_calls(path)


def test_a_row_without_coverage_may_lack_its_level(tmp_path: Path) -> None:
    assert _calls(read_calls(_file(tmp_path, _row(4, "+", 0, "nan")))) == [(4, "+", 0, 0)]


@pytest.mark.parametrize("scale", [1, 100])
def test_bigwig_levels_are_shares_or_percent(tmp_path: Path, scale: int) -> None:
    levels = _bigwig(tmp_path / "l.bw", [(4, 5, 0.25 * scale), (9, 11, 1.0 * scale), (20, 24, 0.5 * scale)])
    sample = read_calls(levels)
    assert not sample.has_coverage
    assert _calls(sample) == [(4, ".", 1, 0.25), (9, ".", 1, 1), (20, ".", 1, 0.5), (22, ".", 1, 0.5)]


def test_bigwig_of_coverage_gives_the_reads_of_each_call(tmp_path: Path) -> None:
    levels = _bigwig(tmp_path / "l.bw", [(4, 5, 0.25), (9, 11, 1.0), (30, 31, 0.5)])
    depths = _bigwig(tmp_path / "d.bw", [(4, 5, 7), (9, 11, 12)])
    sample = read_calls(levels, coverage=depths)
    assert sample.has_coverage
    assert _calls(sample) == [(4, ".", 7, 0.25), (9, ".", 12, 1), (30, ".", 0, 0.5)]
    elsewhere = _bigwig(tmp_path / "e.bw", [(4, 5, 7)], "chr2")
    assert [call[2] for call in _calls(read_calls(levels, coverage=elsewhere))] == [0, 0, 0]


@pytest.mark.parametrize("missing", [-1.0, float("nan")])
def test_values_that_are_marked_as_missing_are_left_out(tmp_path: Path, missing: float) -> None:
    path = tmp_path / "l.bw"
    pybigtools.open(str(path), "w").write(
        {"chr1": 99, "chr2": 99}, [("chr1", 4, 5, 0.25), ("chr1", 9, 11, missing), ("chr2", 4, 5, missing)]
    )
    sample = read_calls(path)
    assert list(sample.contigs) == ["chr1"] and _calls(sample) == [(4, ".", 1, 0.25)]
    assert sample.dropped == {"no_level": 2}


@pytest.mark.parametrize("missing", [-1.0, float("nan")])
def test_a_bigwig_of_missing_values_alone_is_refused(tmp_path: Path, missing: float) -> None:
    path = tmp_path / "l.bw"
    pybigtools.open(str(path), "w").write({"chr1": 99}, [("chr1", 4, 5, missing)])
    with pytest.raises(InputError, match=r"no level in it: its 1 values are NaN or -1; expected methylation levels"):
        read_calls(path)


def test_missing_coverage_is_none(tmp_path: Path) -> None:
    levels, depths = _bigwig(tmp_path / "l.bw", [(4, 5, 0.25), (9, 11, 1.0), (30, 31, 0.5)]), tmp_path / "d.bw"
    records = [("chr1", 4, 5, float("nan")), ("chr1", 9, 11, -1.0), ("chr1", 30, 31, 7.0)]
    pybigtools.open(str(depths), "w").write({"chr1": 99}, records)
    assert [call[2] for call in _calls(read_calls(levels, coverage=depths))] == [0, 0, 7]


def test_a_level_of_a_bigwig_that_passes_1_by_rounding_is_1(tmp_path: Path) -> None:
    sample = read_calls(_bigwig(tmp_path / "l.bw", [(4, 5, 0.25), (9, 11, 1.0000002)]))
    assert _calls(sample) == [(4, ".", 1, 0.25), (9, ".", 1, 1)]
    assert sample.contigs["chr1"].level.max() == 1 and sample.scale == "shares"


def test_one_value_above_1_among_shares_is_refused(tmp_path: Path) -> None:
    rows = [(4 * at, 4 * at + 1, 0.5) for at in range(9)] + [(90, 92, 1.5)]
    with pytest.raises(InputError, match=r"chr1:90-92 has 1.5, where 9 of 10 levels are shares up to 1"):
        read_calls(_bigwig(tmp_path / "l.bw", rows))


@pytest.mark.parametrize("row", [(4, 5, -1.0), (4, 5, -0.5), (4, 5, 101.0), (4, 7, 0.5), (0, 10_002, 0.5)])
def test_bigwig_values_that_are_no_levels_are_refused(tmp_path: Path, row: tuple[int, int, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        read_calls(_bigwig(tmp_path / "l.bw", [row]))


@pytest.mark.parametrize("n_bytes", [4, 100, 300])
def test_a_truncated_bigwig_is_refused(tmp_path: Path, n_bytes: int) -> None:
    whole = _bigwig(tmp_path / "l.bw", [(at, at + 1, 0.5) for at in range(0, 900, 2)]).read_bytes()
    path = tmp_path / "cut.bw"
    path.write_bytes(whole[:n_bytes])
    with pytest.raises(InputError, match=r"truncated|broken"):
        read_calls(path)


def test_a_control_character_between_columns_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{_row(5, '+', 10, 50)}\n{_row(9, '-', 4, 100)}\n".replace("+\t", "+\x0c", 1))
    with pytest.raises(InputError, match=":1: control characters between columns; expected tabs"):
        read_calls(path)


def test_levels_are_those_of_the_counts_where_they_are_known(tmp_path: Path) -> None:
    begin = "chr1\t4\t5\t5mC\t0\t+\t4\t5\t0\t"
    for row in (
        f"{begin}125\t50\t62\t63\t0\t0\t0\t0\t0\n",
        f"{begin}130\t50\t63\t62\t5\t0\n",
        f"{begin}125\t0.5\t62\t63\t0\t0\t0\t0\t0\n",
    ):
        sample = read_calls(_file(tmp_path, row))
        assert sample.contigs["chr1"].level.tolist() == [pytest.approx(62 / 125)]
        assert sample.scale == ("shares" if "0.5" in row else "percent")


def test_tabs_at_the_end_of_rows_are_no_columns(tmp_path: Path) -> None:
    calls = read_calls(_file(tmp_path, "chr1\t5\t5\t75\t3\t1\t\nchr1\t8\t8\t0\t0\t1\t\n")).contigs["chr1"]
    assert calls.position.tolist() == [4, 7] and calls.level.tolist() == [0.75, 0]
