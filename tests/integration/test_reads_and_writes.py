"""No command writes where it reads, by any name of it, above or below it; and none where another process writes."""

import os
import shutil
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt, files_below

from dnaspt.output import locked_output

VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t3\t.\tA\tC\t.\t.\t.\n"

pytestmark = pytest.mark.xdist_group("made")  # one process makes what these tests start from


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --window-bp 64", "data"),
        ("prepare regions --genome {}/genome.fa --regions {}/peaks.bed --window-bp 256", "data"),
        ("predict {}/genes --genome {}/genome.fa", "out.gff3"),
        ("predict {}/peaks --genome {}/genome.fa", "out.parquet"),
        ("variants {}/pretrained --vcf {}/v.vcf --genome {}/genome.fa", "out.vcf"),
        ("baseline {}/windows --model cpg", "count"),
        ("export {}/pretrained", "bend"),
        ("simulate --n-contigs 1 --contig-bp 10000", "simulated"),
        ("pretrain {}/data --config {}/pretrain.toml", "run"),
        ("finetune {}/data --config {}/finetune.toml --head softmax", "run"),
    ],
)
def test_no_command_writes_where_another_process_writes(command: str, out: str, made: Path, tmp_path: Path) -> None:
    words = (word.replace("{}", str(made)) for word in command.split())
    with locked_output(tmp_path / out):
        before = list(files_below(tmp_path))
        code, _, errors = dnaspt(*words, "--out", tmp_path / out)
        assert (code, len(errors)) == (2, 1), errors
        assert errors[0].startswith(f"error: {tmp_path / out}: PID {os.getpid()} on "), errors
        assert "has been writing there since" in errors[0] and list(files_below(tmp_path)) == before


@pytest.mark.parametrize(
    "command",
    [
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {} --overwrite",
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/genome.fa --overwrite",
        "prepare genes --genome {}/data/g.fa --annotation {}/genes.gff3 --out {}/data --window-bp 64 --overwrite",
        "prepare regions --genome {}/genome.fa --regions {}/windows/p.bed --out {}/windows --overwrite --config {}/w.toml",
        "prepare methylation --genome {}/data/g.fa --calls {}/one.bedmethyl --out {}/data --overwrite",
        "pretrain {}/data --out {}/data --overwrite",
        "pretrain {}/data --out {}/data/run",
        "pretrain {}/data --out {}/pretrained --overwrite --config {}/pretrained/settings.toml",
        "finetune {}/data --encoder {}/pretrained --out {}/pretrained --overwrite",
        "finetune {}/data --encoder {}/pretrained --out {}/link --overwrite",
        "finetune {}/data --encoder {}/link --out {}/pretrained --overwrite",
        "finetune {}/data --encoder {}/pretrained --out {}/windows/../pretrained --resume",
        "finetune {}/data --encoder {}/pretrained/best/step-00000001 --out {}/pretrained --overwrite",
        "finetune {}/data --encoder {}/pretrained --out {}/pretrained/tuned",
        "predict {}/genes --genome {}/genome.fa --regions {}/all.bed --out {}/genes/run.json",
        "predict {}/peaks --genome {}/genome.fa --regions {}/all.bed --out {}/all.bed",
        "predict {}/peaks --genome {}/genome.fa --regions {}/all.bed --out {}/hard.bed",
        "variants {}/pretrained --vcf {}/v.vcf --genome {}/genome.fa --out {}/v.vcf",
        "variants {}/pretrained --vcf {}/v.vcf --genome {}/genome.fa --out {}/linked.vcf",
        "export {}/pretrained --out {}/pretrained/best/bend",
        "baseline {}/windows --out {}/windows --overwrite",
        "baseline {}/windows --out {}/windows/count --model cpg",
        "simulate --out {}/simulated --overwrite --config {}/simulated/settings.toml",
        "study {}/study.toml --out {}/windows",
        "study {}/study.toml --out {}/windows/study",
        "study {}/study.toml --out {}/pretrained --data {}/data",
        "report {}/genes --data {}/data --out {}/genes/run.json",
        "report {}/genes --data {}/data --out {}/data/train.parquet",
    ],
)
def test_no_command_writes_where_it_reads(command: str, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    shutil.copytree(made, folder)
    (folder / "link").symlink_to(folder / "pretrained")
    (folder / "v.vcf").write_text(VCF)
    (folder / "linked.vcf").symlink_to("v.vcf")
    (folder / "all.bed").write_text("chr1\t0\t200\n")
    os.link(folder / "all.bed", folder / "hard.bed")
    for name in ("pretrained/settings.toml", "simulated/settings.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "simulated" / "truth.json").write_text("{}")
    shutil.copy(folder / "genome.fa", folder / "data" / "g.fa")
    shutil.copy(folder / "peaks.bed", folder / "windows" / "p.bed")
    arms = f'arms = [{{name = "a", init = "{folder}/pretrained"}}]\nlearning_rates = [1e-3]\n'
    (folder / "study.toml").write_text(f'data = "{folder}/windows"\n{arms}')
    before = {path: (folder / path).read_bytes() for path in files_below(folder) if (folder / path).is_file()}
    code, _, errors = dnaspt(*(word.replace("{}", str(folder)) for word in command.split()))
    assert (code, len(errors)) == (2, 1), errors
    assert ", which is read; choose another --out" in errors[0], errors
    assert {path: (folder / path).read_bytes() for path in files_below(folder) if (folder / path).is_file()} == before
