"""VCF files: scored ones come back whole, other tools read them, and what does not fit is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pysam
import pytest
import torch
from tests.integration.in_process import dnaspt
from tests.unit.inference.variant_models import GENOME, TINY, other, write_models, write_vcf

from dnaspt.checkpoint import CheckpointConfig, build_model, save_checkpoint
from dnaspt.config import BassetConfig
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.inference.model import load
from dnaspt.inference.variants_vcf import score_file, score_variants
from dnaspt.words import words_of


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("variants"))


def test_a_vcf_comes_back_with_scores_and_other_tools_read_it(files: Path, tmp_path: Path) -> None:
    at = 500
    rows = [
        ("chr1", at + 1, GENOME[at], f"{other(GENOME[at])},{GENOME[at]}TT"),
        ("chr1", 700, GENOME[699:702], GENOME[699]),
        ("chr1", 800, GENOME[799], "<DEL>"),
        ("chr1", 900, other(GENOME[899]), "N"),
        ("chr1", 901, other(GENOME[900]), other(other(GENOME[900]))),
        ("chr2", 1, GENOME[2000], other(GENOME[2000])),
        ("chr2", 1000, GENOME[2999], other(GENOME[2999])),
        ("chrM", 5, "A", "C"),
    ]
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    for name, field in (("language", "SPT_LLR"), ("windows", "SPT_DELTA"), ("genes", "SPT_DELTA")):
        out = tmp_path / f"{name}.vcf.gz"
        ran = dnaspt("variants", files / name, "--vcf", vcf, "--genome", files / "g.fa", "--out", out)
        assert ran.code == 0, ran.errors
        with pysam.VariantFile(str(out)) as scored:
            records = list(scored)
        assert len(records) == len(rows)
        assert len(records[0].info["SPT_COSINE"]) == 2
        width = {"language": 1, "windows": 2, "genes": 9}[name]
        assert len(records[0].info[field]) == 2 * width
        assert [("SPT_COSINE" in record.info) for record in records] == [
            True,
            True,
            False,
            False,
            False,
            True,
            True,
            False,
        ]
        assert subprocess.run(["gzip", "-t", str(out)], check=False).returncode == 0
    out = tmp_path / "scores.parquet"
    summary = score_file(files / "windows", vcf, files / "g.fa", out)
    assert summary.scored == 5 and summary.records == 8
    assert summary.not_scored == {
        "symbolic_allele": 1,
        "unknown_bases": 1,
        "reference_mismatch": 1,
        "contig_not_in_genome": 1,
    }
    frame = pq.read_table(out).to_pandas()
    assert list(frame.columns) == ["chrom", "pos", "ref", "alt", "cosine", "delta open", "delta closed"]
    assert frame["cosine"].notna().sum() == 5 and len(frame) == 8
    with pysam.VariantFile(str(tmp_path / "windows.vcf.gz")) as scored:
        first = next(iter(scored))
    np.testing.assert_allclose(first.info["SPT_COSINE"], frame["cosine"][:2], rtol=1e-5)
    np.testing.assert_allclose(
        first.info["SPT_DELTA"], frame[["delta open", "delta closed"]][:2].to_numpy().ravel(), rtol=1e-4
    )


def test_lines_keep_what_they_have_and_crlf_and_bare_headers_are_read(files: Path, tmp_path: Path) -> None:
    ref = GENOME[99]
    vcf = tmp_path / "bare.vcf"
    header = "##fileformat=VCFv4.2\r\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\r\n"
    vcf.write_bytes(f"{header}chr1\t100\trs1\t{ref.lower()}\t{other(ref)}\t.\tPASS\tDP=4\tGT\t0/1\r\n".encode())
    score_file(files / "language", vcf, files / "g.fa", tmp_path / "out.vcf")
    *_, last = (tmp_path / "out.vcf").read_text().splitlines()
    fields = last.split("\t")
    assert fields[:7] == ["chr1", "100", "rs1", ref.lower(), other(ref), ".", "PASS"] and fields[8:] == ["GT", "0/1"]
    assert fields[7].startswith("DP=4;SPT_COSINE=")
    for bad in ("chr1\t-1\t.\tA\tC\t.\t.\t.", "chr1\t5\tA\tC", "chr1\tx\t.\tA\tC\t.\t.\t."):
        vcf.write_text(header.replace("\r", "") + bad + "\n")
        with pytest.raises(InputError, match=r"bare\.vcf:3: .*expected CHROM, POS"):
            score_file(files / "language", vcf, files / "g.fa", tmp_path / "out2.vcf")
    assert not (tmp_path / "out2.vcf").exists()


def test_scores_of_an_earlier_time_are_replaced(files: Path, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 0, "N", "A"), ("chr1", 700, GENOME[699], other(GENOME[699]))])
    assert score_file(files / "language", vcf, files / "g.fa", tmp_path / "one.vcf").not_scored == {
        "symbolic_allele": 1
    }
    score_file(files / "windows", tmp_path / "one.vcf", files / "g.fa", tmp_path / "two.vcf")
    text = (tmp_path / "two.vcf").read_text()
    assert text.count("ID=SPT_COSINE,") == 1 and text.count("SPT_COSINE=") == 1 and text.count("SPT_LLR=") == 1
    score_file(files / "windows", tmp_path / "two.vcf", files / "g.fa", tmp_path / "three.vcf")
    text = (tmp_path / "three.vcf").read_text()
    assert text.count("##spt_labels=") == 1 and text.count("##dnaspt=") == 1


REPEAT = 600
"""Where a repeat begins in the genome of `written_genome`."""


def written_genome(folder: Path) -> tuple[Path, str]:
    """A genome with ten repeats of AC, a run of A beside a run of N, and its letters."""
    letters = f"{GENOME[:REPEAT]}G{'AC' * 10}T{GENOME[REPEAT:1200]}{'N' * 20}AAAAG{GENOME[1200:]}"
    path = folder / "g.fa"
    path.write_text(f">chr1\n{letters}\n")
    return path, letters


def test_a_score_does_not_depend_on_how_an_allele_is_written(files: Path, tmp_path: Path) -> None:
    fasta, genome = written_genome(tmp_path)
    at, first = 500, REPEAT + 1
    ref, snp = genome[at], other(genome[at])
    mnp = other(genome[at]) + other(genome[at + 1])
    written = {
        "substitution": [
            (at, ref, snp),
            (at, ref.lower(), snp.lower()),
            (at - 1, genome[at - 1 : at + 1], genome[at - 1] + snp),
            (at - 3, genome[at - 3 : at + 3], genome[at - 3 : at] + snp + genome[at + 1 : at + 3]),
            (at, genome[at : at + 400], snp + genome[at + 1 : at + 400]),
        ],
        "two bases": [
            (at, genome[at : at + 2], mnp),
            (at - 1, genome[at - 1 : at + 4], genome[at - 1] + mnp + genome[at + 2 : at + 4]),
        ],
        "deletion": [
            (first - 1, genome[first - 1 : first + 2], genome[first - 1]),
            (first + 17, genome[first + 17 : first + 20], genome[first + 17]),
            (first + 6, "ACACAC", "ACAC"),
        ],
        "insertion": [
            (first - 1, "G", "GACAC"),
            (first + 19, "C", "CACAC"),
            (first + 4, "AC", "ACACAC"),
            (first, genome[first : first + 20], genome[first : first + 20] + "ACAC"),
        ],
    }
    rows = [("chr1", start + 1, ref, alt) for alleles in written.values() for start, ref, alt in alleles]
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    for name in ("language", "windows", "genes"):
        frame = score_variants(files / name, vcf, fasta)
        assert list(zip(frame["pos"], frame["ref"], frame["alt"], strict=True)) == [
            (pos, ref.upper(), alt.upper()) for _, pos, ref, alt in rows
        ]
        scores = frame.drop(columns=["chrom", "pos", "ref", "alt"]).to_numpy()
        assert np.isfinite(scores).all()
        row = 0
        means = []
        for alleles in written.values():
            group = scores[row : row + len(alleles)]
            np.testing.assert_allclose(group, np.repeat(group[:1], len(alleles), axis=0), rtol=1e-4, atol=1e-6)
            row += len(alleles)
            means.append(group[0])
        assert len({tuple(scores.round(4)) for scores in means}) == len(written)
    score_file(files / "language", vcf, fasta, tmp_path / "out.vcf")
    lines = [line.split("\t") for line in (tmp_path / "out.vcf").read_text().splitlines() if line[0] != "#"]
    assert [(line[0], int(line[1]), line[3], line[4]) for line in lines] == rows


def test_alleles_of_one_record_have_the_scores_of_their_own_records(files: Path, tmp_path: Path) -> None:
    """As after `bcftools norm -m -any`: a deletion, a substitution beside it, the same record's *, and a long deletion."""
    at = 900
    ref = GENOME[at : at + 2]
    long = GENOME[at : at + 300]
    rows = [("chr1", at + 1, ref, f"{ref[0]},{ref[0]}{other(ref[1])},*,{other(ref[0])}{ref[1]},{ref}")]
    rows += [("chr1", at + 1, long, f"{long[0]},{other(long[0])}{long[1:]}")]
    rows += [("chr1", at + 1, ref, ref[0]), ("chr1", at + 2, ref[1], other(ref[1]))]
    rows += [("chr1", at + 1, ref[0], other(ref[0]))]
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    summary = score_file(files / "language", vcf, files / "g.fa", tmp_path / "out.parquet")
    assert summary.not_scored == {
        "symbolic_allele": 1,
        "same_as_reference": 1,
        "longer_than_half_the_window": 1,
    }
    cosine = pq.read_table(tmp_path / "out.parquet")["cosine"].to_pylist()
    deletion, substitution, first, too_long, within_long, *alone = cosine
    assert too_long is None
    np.testing.assert_allclose([deletion, substitution, first], alone, rtol=1e-5)
    assert within_long == pytest.approx(alone[2], rel=1e-5)


def test_unknown_bases_count_where_an_allele_changes_them(files: Path, tmp_path: Path) -> None:
    fasta, genome = written_genome(tmp_path)
    gap = genome.index("N")
    run = gap + 20
    rows = [
        ("chr1", gap, genome[gap - 1] + "N", other(genome[gap - 1]) + "N"),  # N is in both alleles
        ("chr1", run, "NA", "N"),  # one A of the run beside the gap, and the same at its end
        ("chr1", run + 3, "AA", "A"),
        ("chr1", gap + 1, "N", "A"),
        ("chr1", gap + 1, "A", "C"),
        ("chr1", gap - 1, genome[gap - 2], "R"),
        ("chr1", gap - 1, genome[gap - 2 : gap] + "A", genome[gap - 2]),
    ]
    frame = score_variants(files / "language", write_vcf(tmp_path / "in.vcf", rows), fasta)
    assert frame["cosine"].notna().tolist() == [True, *[False] * 6]
    summary = score_file(files / "language", tmp_path / "in.vcf", fasta, tmp_path / "out.vcf")
    assert summary.not_scored == {"unknown_bases": 6}


def test_models_without_a_state_or_a_label_at_an_allele_are_refused(files: Path, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 700, GENOME[699], other(GENOME[699]))])
    basset = BassetConfig(window_bp=256)
    described = {
        "kind": "task",
        "encoder": basset,
        "task": "regions",
        "head": "sigmoid",
        "window_bp": 256,
        "labels": ("a",),
    }
    save_checkpoint(tmp_path / "basset", build_model(CheckpointConfig(**described)), CheckpointConfig(**described))
    described |= {"encoder": TINY, "task": "enhancers"}
    save_checkpoint(tmp_path / "bins", build_model(CheckpointConfig(**described)), CheckpointConfig(**described))
    for name, message in (("basset", "no state for each base"), ("bins", "labels bins of 128 bp")):
        with pytest.raises(CheckpointError, match=message):
            score_file(tmp_path / name, vcf, files / "g.fa", tmp_path / "out.vcf")


def test_what_does_not_fit_is_refused(files: Path, tmp_path: Path) -> None:
    rows = [("chr1", 11, other(GENOME[10]), "N"), ("chr1", 12, other(GENOME[11]), GENOME[11])]
    mismatch = write_vcf(tmp_path / "mismatch.vcf", rows)
    out = tmp_path / "out.vcf"
    with pytest.raises(InputError, match="as the genome has it; is it the same assembly"):
        score_file(files / "language", mismatch, files / "g.fa", out, strict=True)
    foreign = write_vcf(tmp_path / "foreign.vcf", [("1", 11, "A", "C")])
    with pytest.raises(InputError, match="the names differ only in 'chr'"):
        score_file(files / "language", foreign, files / "g.fa", out)
    (tmp_path / "text.vcf").write_text("no VCF\n")
    for source in (tmp_path / "text.vcf", tmp_path / "nothing.vcf", tmp_path):
        with pytest.raises(InputError):
            score_file(files / "language", source, files / "g.fa", out)
    ran = dnaspt(
        "variants", files / "language", "--vcf", mismatch, "--genome", files / "g.fa", "--out", tmp_path / "x.txt"
    )
    assert ran.code == 2 and "expected a name that ends in" in " ".join(ran.errors)
    assert not out.exists()


def test_names_of_labels_with_commas_and_signs_stay_apart_in_the_header(files: Path, tmp_path: Path) -> None:
    names = ("H3K27ac, brain", '<100%> "open"')
    config = json.loads((files / "windows" / "config.json").read_text()) | {"labels": names}
    shutil.copytree(files / "windows", tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 700, GENOME[699], other(GENOME[699]))])
    score_file(tmp_path / "run", vcf, files / "g.fa", tmp_path / "out.vcf")
    with pysam.VariantFile(str(tmp_path / "out.vcf")) as scored:
        (known,) = (record.value for record in scored.header.records if record.key == "spt_labels")
        assert len(next(iter(scored)).info["SPT_DELTA"]) == len(names)
    assert tuple(unquote(name) for name in known.split(",")) == names
    score_file(tmp_path / "run", tmp_path / "out.vcf", files / "g.fa", tmp_path / "again.vcf")
    assert (tmp_path / "again.vcf").read_text() == (tmp_path / "out.vcf").read_text()
    if shutil.which("bcftools"):
        said = subprocess.run(["bcftools", "view", tmp_path / "out.vcf"], capture_output=True, text=True, check=True)
        assert f"##spt_labels={known}\n" in said.stdout and said.stderr == ""


def test_the_table_is_that_of_the_parquet_file_also_of_a_loaded_model(files: Path, tmp_path: Path) -> None:
    rows = [("chr1", 700, GENOME[699], other(GENOME[699])), ("chr1", 800, "N", "A"), ("chrM", 5, "A", "C")]
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    for name in ("language", "windows", "genes"):
        score_file(files / name, vcf, files / "g.fa", tmp_path / "scores.parquet", overwrite=True)
        expected = pq.read_table(tmp_path / "scores.parquet").to_pandas()
        model = load(files / name)
        frame = score_variants(model, str(vcf), str(files / "g.fa"), out=tmp_path / "again.vcf", overwrite=True)
        pd.testing.assert_frame_equal(frame, expected)
        assert frame["cosine"].isna().tolist() == [False, True, True]
        score_file(files / name, vcf, files / "g.fa", tmp_path / "scores.vcf", overwrite=True)
        assert (tmp_path / "again.vcf").read_text() == (tmp_path / "scores.vcf").read_text()
        pd.testing.assert_frame_equal(score_variants(files / name, vcf, files / "g.fa"), expected)


def test_a_file_without_alleles_gives_an_empty_table_with_the_same_columns(files: Path, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 700, GENOME[699], "<DEL>")])
    frame = score_variants(files / "language", vcf, files / "g.fa")
    assert list(frame.columns) == ["chrom", "pos", "ref", "alt", "cosine", "llr"] and not len(frame)


@pytest.mark.parametrize("task", ["", "regions", "methylation"])
def test_a_language_model_sees_512_bases_whatever_it_was_pretrained_on(task: str, files: Path, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 700, GENOME[699], other(GENOME[699]))])
    config = CheckpointConfig(kind="language", encoder=TINY, task=task, window_bp=128)
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "run", build_model(config), config)
    frames = [score_variants(tmp_path / "run", vcf, files / "g.fa", window_bp=window_bp) for window_bp in (None, 512)]
    pd.testing.assert_frame_equal(*frames)


def test_a_missing_pysam_is_told_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysam", None)
    with pytest.raises(ConfigError, match="pip install pysam"):
        score_file(tmp_path / "no-run", tmp_path / "no.vcf", tmp_path / "no.fa", tmp_path / "out.vcf.gz")


def test_what_is_read_is_not_replaced(files: Path, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 700, GENOME[699], other(GENOME[699]))])
    (tmp_path / "link.vcf").symlink_to(vcf)
    text = vcf.read_text()
    for out in (vcf, tmp_path / "link.vcf"):
        with pytest.raises(ConfigError, match=r"\.vcf: is the VCF .*in\.vcf, which is read; choose another --out"):
            score_file(files / "language", vcf, files / "g.fa", out)
    assert vcf.read_text() == text


def test_a_window_that_is_too_short_is_refused(files: Path, tmp_path: Path) -> None:
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 700, GENOME[699], other(GENOME[699]))])
    with pytest.raises(ConfigError, match="window_bp 63; expected 64 or more"):
        score_variants(files / "language", vcf, files / "g.fa", window_bp=63)
    with pytest.raises(InputError, match="no such folder; make it first"):
        score_variants(files / "language", vcf, files / "g.fa", out=tmp_path / "none" / "out.vcf")


def test_where_no_allele_is_scored_columns_are_numbers_and_a_warning_says_why(
    files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vcf = tmp_path / "calls.vcf"
    head = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    vcf.write_text(f"{head}chr1\t5\t.\t{GENOME[4]}\tN\t.\t.\t.\nchr1\t7\t.\tA\t<DEL>\t.\t.\tEND=9\n")
    table = score_variants(files / "language", vcf, files / "g.fa")
    assert table[["pos", "alt"]].to_numpy().tolist() == [[5, "N"]]
    assert table["cosine"].dtype == table["llr"].dtype == np.float64 and table[["cosine", "llr"]].isna().all(axis=None)
    assert (
        f"calls.vcf: no allele is scored ({words_of('symbolic_allele')}: 1; {words_of('unknown_bases')}: 1)"
        in caplog.text
    )


def test_a_window_that_is_mostly_n_is_counted_and_not_scored(files: Path, tmp_path: Path) -> None:
    codes = "N" * 300 + GENOME[300:310] + "N" * 200 + GENOME[510:1000]
    (tmp_path / "g.fa").write_text(f">chr1\n{codes}\n")
    rows = [("chr1", pos, codes[pos - 1], other(codes[pos - 1])) for pos in (301, 801)]
    vcf = write_vcf(tmp_path / "in.vcf", rows)
    summary = score_file(files / "language", vcf, tmp_path / "g.fa", tmp_path / "out.vcf")
    assert (summary.scored, summary.not_scored) == (1, {"unknown_window": 1})
    table = score_variants(files / "windows", vcf, tmp_path / "g.fa", window_bp=1000)
    assert not table.isna().any(axis=None)


def test_a_model_of_methylation_scores_alleles_by_its_hidden_states_alone(
    files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(files / "windows", tmp_path / "run")
    described = json.loads((tmp_path / "run" / "config.json").read_text()) | {"task": "methylation"}
    (tmp_path / "run" / "config.json").write_text(json.dumps(described))
    vcf = write_vcf(tmp_path / "in.vcf", [("chr1", 700, GENOME[699], other(GENOME[699]))])
    table = score_variants(tmp_path / "run", vcf, files / "g.fa", out=tmp_path / "out.vcf")
    assert list(table.columns) == ["chrom", "pos", "ref", "alt", "cosine"] and table["cosine"].notna().all()
    assert (
        "run: its labels are those of CpGs, and an allele is none; alleles are scored by hidden states" in caplog.text
    )
    text = (tmp_path / "out.vcf").read_text()
    assert "SPT_COSINE=" in text and "SPT_DELTA" not in text and "SPT_LLR" not in text and "spt_labels" not in text
    pd.testing.assert_series_equal(table["cosine"], score_variants(files / "windows", vcf, files / "g.fa")["cosine"])
