"""Variants: what each score is, by hand; indels, both strands, and files that other tools read."""

import subprocess
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pysam
import pytest
import torch
from tests.integration.in_process import dnaspt, letters

from dnaspt.checkpoint import CheckpointConfig, build_model, load_model, mask_token_of, save_checkpoint
from dnaspt.config import MASK_TOKEN, BassetConfig, EncoderConfig
from dnaspt.errors import CheckpointError, InputError
from dnaspt.genome.alphabet import T, encode, reverse_complement
from dnaspt.inference.variant_effects import Sides, cosine_distances, label_changes, log_likelihood_ratios
from dnaspt.inference.variants_vcf import score_file
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import CRFHead, HeadCNN, SigmoidHead
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import GENE_STATES

TINY = EncoderConfig(hidden_size=16, n_layers=4)
GENOME = letters(3000, 7)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    (folder / "g.fa").write_text(f">chr1\n{GENOME[:2000]}\n>chr2 rest\n{GENOME[2000:]}\n")
    torch.manual_seed(0)
    save_checkpoint(folder / "language", LanguageModel(TINY), CheckpointConfig(kind="language", encoder=TINY))
    windows = TaskModel(DilatedEncoder(TINY), SigmoidHead(HeadCNN(16, 2, resolution_bp=0), 2))
    described = {"kind": "task", "encoder": TINY, "task": "regions", "head": "sigmoid", "window_bp": 256}
    save_checkpoint(folder / "windows", windows, CheckpointConfig(**described, labels=("open", "closed")))
    genes = TaskModel(DilatedEncoder(TINY), CRFHead(16, GENE_STATES))
    described |= {"task": "genes", "head": "crf", "labels": GENE_STATES.names}
    save_checkpoint(folder / "genes", genes, CheckpointConfig(**described))
    return folder


def other(letter: str) -> str:
    return "ACGT"["ACGT".index(letter) - 1]


def write_vcf(path: Path, rows: list[tuple[str, int, str, str]]) -> Path:
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr1>", "##contig=<ID=chr2>", "##contig=<ID=chrM>"]
    lines.append("#" + "\t".join(("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")))
    lines += [f"{chrom}\t{pos}\t.\t{ref}\t{alt}\t.\tPASS\t." for chrom, pos, ref, alt in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_both_sides_of_an_allele_and_their_other_strand() -> None:
    codes = encode(GENOME.encode())
    snv = Sides.of(codes, 1000, 1, encode(b"A"), 100)
    assert (snv.first, len(snv.ref), len(snv.alt)) == (50, 100, 100) and snv.alt[50] == 0
    insertion = Sides.of(codes, 1000, 1, encode(b"GATT"), 100)
    assert len(insertion.ref) == len(insertion.alt) == 100 and insertion.n_after == 46
    np.testing.assert_array_equal(insertion.ref[51:97], insertion.alt[54:])
    deletion = Sides.of(codes, 1000, 4, encode(b"G"), 100)
    assert len(deletion.alt) == 100 and deletion.n_after == 46
    np.testing.assert_array_equal(deletion.ref[54:], deletion.alt[51:97])
    for sides in (
        snv,
        insertion,
        deletion,
        Sides.of(codes, 2, 1, encode(b"C"), 100),
        Sides.of(codes, 2999, 1, encode(b"C"), 100),
    ):
        turned = sides.turned()
        own = slice(turned.first, turned.first + sides.n_alt)
        allele = sides.alt[sides.first : sides.first + sides.n_alt]
        np.testing.assert_array_equal(turned.alt[own], reverse_complement(allele))
        np.testing.assert_array_equal(turned.turned().ref, sides.ref[: len(turned.ref)])


def test_scores_are_those_of_a_plain_loop(files: Path) -> None:
    codes = encode(GENOME.encode())
    model, _ = load_model(files / "language")
    assert isinstance(model, LanguageModel)
    sides = [Sides.of(codes, at, 1, encode(other(GENOME[at]).encode()), 128) for at in (900, 1500)]
    cosine, ratio = cosine_distances(model, sides).mean(axis=1), log_likelihood_ratios(model, sides)
    for index, at in enumerate((900, 1500)):
        own = {"cosine": [], "ratio": []}
        window = codes[at - 64 : at + 64].copy()
        changed = window.copy()
        changed[64] = encode(other(GENOME[at]).encode())[0]
        for ref, alt, place in ((window, changed, 64), (reverse_complement(window), reverse_complement(changed), 63)):
            with torch.no_grad():
                one, two = (model.encoder(torch.from_numpy(x.copy())[None])[0, place].double() for x in (ref, alt))
                masked = ref.copy()
                masked[place] = MASK_TOKEN
                log = model.base_log_probabilities(torch.from_numpy(masked)[None])[0, place]
            own["cosine"].append(1 - float(torch.nn.functional.cosine_similarity(one, two, dim=0)))
            own["ratio"].append(float(log[alt[place]] - log[ref[place]]))
        assert cosine[index] == pytest.approx(np.mean(own["cosine"]), abs=1e-6)
        assert ratio[index] == pytest.approx(np.mean(own["ratio"]), abs=1e-5)


def test_the_other_strand_gives_the_same_scores_and_no_change_gives_none(files: Path) -> None:
    codes = encode(GENOME.encode())
    language, windows, genes = (load_model(files / name)[0] for name in ("language", "windows", "genes"))
    for ref, alt in (("?", "T"), ("????", "?"), ("?", "?GATTACA"), ("???", "TGC")):
        at, n = 1400, len(ref)
        own = GENOME[at : at + n]
        new = encode("".join(own[0] if letter == "?" else letter for letter in alt).encode())
        here = Sides.of(codes, at, n, new, 200)
        # The same window, cut from the other strand: it ends where the first begins.
        turned = here.turned()
        pairs = (
            (cosine_distances(language, [here]), cosine_distances(language, [turned])[:, ::-1]),
            (log_likelihood_ratios(language, [here.turned().turned()]), log_likelihood_ratios(language, [turned])),
        )
        for one, two in pairs:
            np.testing.assert_allclose(one, two, atol=1e-5)
        changes = label_changes(genes, [here.turned().turned()], GENE_STATES.complement)
        opposite = label_changes(genes, [turned], GENE_STATES.complement)
        np.testing.assert_allclose(changes[:, list(GENE_STATES.complement)], opposite, atol=1e-5)
    same = Sides.of(codes, 1400, 2, encode(GENOME[1400:1402].encode()), 200)
    assert cosine_distances(language, [same])[0, 0] == pytest.approx(0, abs=1e-9)
    assert log_likelihood_ratios(language, [same])[0] == 0
    # PyTorch's products round a row by its place in the batch, on some processors.
    np.testing.assert_allclose(label_changes(windows, [same], None), 0, atol=1e-6)


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


def test_a_mask_that_is_a_base_is_the_mask_of_such_a_model(files: Path, tmp_path: Path) -> None:
    model, config = load_model(files / "language")
    as_published = config.model_copy(update={"provenance": {"settings": {"masking": "as-published"}}})
    assert mask_token_of(config) == MASK_TOKEN and mask_token_of(as_published) == T
    assert mask_token_of(config.model_copy(update={"provenance": {"format": "BEND ConvNet"}})) == T
    assert isinstance(model, LanguageModel)
    sides = [Sides.of(encode(GENOME.encode()), 900, 1, encode(other(GENOME[900]).encode()), 128)]
    assert log_likelihood_ratios(model, sides, T)[0] != log_likelihood_ratios(model, sides)[0]


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
