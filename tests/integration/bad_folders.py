"""Datasets, runs and options that cannot be used, each named for its fault: what is done to good ones, and the answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.integration.bad_files import CPG, GENES, GENOME, PEAKS, bigwig, call
from tests.integration.in_process import dnaspt

TRAINING = """
steps = 1
batch_bp = 1024
tensorboard = false
precision = "32"
accelerator = "cpu"
"""
ENCODER = "[encoder]\nhidden_size = 8\nn_layers = 1\n"


def make_good(folder: Path) -> None:
    """Sources, a dataset of genes and one of windows, and a finished run of every kind, all very small."""
    texts = {"genome.fa": GENOME, "genes.gff3": GENES, "peaks.bed": PEAKS, "one.bedmethyl": call(CPG, CPG + 1)}
    texts |= {"finetune.toml": TRAINING, "pretrain.toml": TRAINING + ENCODER, "other.fa": ">chr9\nACGTACGT\n"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    bigwig((CPG, CPG + 1, 0.5))(folder / "levels.bw")
    for command in (
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/data --window-bp 64",
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {}/windows --window-bp 32 --config {}/w.toml",
        "pretrain {}/data --out {}/pretrained --config {}/pretrain.toml",
        "finetune {}/data --encoder {}/pretrained --head softmax --out {}/genes --config {}/finetune.toml",
        "finetune {}/windows --encoder {}/pretrained --out {}/peaks --config {}/finetune.toml",
    ):
        (folder / "w.toml").write_text("core_bp = 16\n")
        code, _, errors = dnaspt(*(word.replace("{}", str(folder)) for word in command.split()))
        assert code == 0, errors


@dataclass(frozen=True)
class BadFolder:
    """command: words with {} for the folder; where: what the line begins with; message: regular expression."""

    command: str
    where: str
    message: str
    spoil: Callable[[Path], Any] = lambda folder: None


def _edit(path: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change a JSON file of the folder."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / path).read_text())
        change(content)
        (folder / path).write_text(json.dumps(content))

    return spoil


def _cut(path: str) -> Callable[[Path], None]:
    """Cut a file to half its bytes."""
    return lambda folder: (folder / path).write_bytes(
        (folder / path).read_bytes()[: (folder / path).stat().st_size // 2]
    )


def _resumable(path: str) -> Callable[[Path], None]:
    """Make a copied run one of the copied dataset, and cut one of its files."""

    def spoil(folder: Path) -> None:
        _edit("pretrained/run.json", lambda raw: raw.update(data=str(folder / "data")))(folder)
        _cut(path)(folder)

    return spoil


def _text(path: str, text: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / path).write_text(text)


def _remove(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def _column(name: str, change: Callable[[list], list], kind: pa.DataType | None = None) -> Callable[[Path], None]:
    """Change a column of the train table of genes."""

    def spoil(folder: Path) -> None:
        path = folder / "data/train.parquet"
        table = pq.read_table(path)
        values = pa.array(change(table[name].to_pylist()), type=kind or table.schema.field(name).type)
        pq.write_table(table.set_column(table.schema.get_field_index(name), name, values), path)

    return spoil


def _drop_column(folder: Path) -> None:
    path = folder / "data/train.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["labels"]), path)


_PRETRAIN = "pretrain {}/data --out {}/out --config {}/pretrain.toml"
_FINETUNE = "finetune {}/data --out {}/out --head softmax --config {}/finetune.toml --preset tiny"
_PREDICT = "predict {}/genes --genome {}/genome.fa --out {}/out.gff3"
_RESUME = "pretrain {}/data --out {}/pretrained --config {}/pretrain.toml --resume"
_REGIONS = "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {}/few --config {}/w.toml"
_EVALUATE = "evaluate {}/genes --data {}/data"
_BEST, _LAST = "genes/best/step-00000001", "pretrained/last/step-00000001"

DATASETS = {
    "dataset_absent": BadFolder("pretrain {}/nothing --out {}/out", "{}/nothing", "no such folder; make it with"),
    "file_as_dataset": BadFolder(
        "pretrain {}/genome.fa --out {}/out", "{}/genome.fa", "is a file; expected a folder; make it with"
    ),
    "manifest_absent": BadFolder(
        _PRETRAIN, "{}/data", "not a dataset, or unfinished; make", _remove("data/manifest.json")
    ),
    "manifest_of_other_version": BadFolder(
        _PRETRAIN,
        "{}/data/manifest.json",
        "format version 99; expected 1; prepare it again",
        _edit("data/manifest.json", lambda raw: raw.update(format_version=99)),
    ),
    "manifest_not_json": BadFolder(_PRETRAIN, "{}/data/manifest.json", "not a manifest", _cut("data/manifest.json")),
    "manifest_is_a_list": BadFolder(
        _PRETRAIN, "{}/data/manifest.json", "not a manifest", _text("data/manifest.json", "[]")
    ),
    "manifest_without_task": BadFolder(
        _PRETRAIN,
        "{}/data/manifest.json",
        "task None; expected genes",
        _edit("data/manifest.json", lambda raw: raw.pop("task")),
    ),
    "manifest_of_unknown_task": BadFolder(
        _FINETUNE,
        "{}/data/manifest.json",
        "task 'folding'; expected genes",
        _edit("data/manifest.json", lambda raw: raw.update(task="folding")),
    ),
    "table_absent": BadFolder(_PRETRAIN, "{}/data", "has no train split", _remove("data/train.parquet")),
    "table_truncated": BadFolder(
        _PRETRAIN, "{}/data/train.parquet", "broken table .*prepare it", _cut("data/train.parquet")
    ),
    "table_empty": BadFolder(_PRETRAIN, "{}/data/train.parquet", "broken table", _text("data/train.parquet", "")),
    "table_without_labels": BadFolder(
        _FINETUNE, "{}/data/train.parquet", "column 'labels' has no value in 14 rows", _drop_column
    ),
    "labels_nan": BadFolder(
        _FINETUNE,
        "{}/data/train.parquet",
        "broken table",
        _column("labels", lambda rows: [[float("nan")] * len(row) for row in rows], pa.list_(pa.float32())),
    ),
    "labels_null": BadFolder(
        _FINETUNE,
        "{}/data/train.parquet",
        "'labels' has an empty label; prepare it again",
        _column("labels", lambda rows: [[None] * len(row) for row in rows]),
    ),
    "labels_in_words": BadFolder(
        _FINETUNE,
        "{}/data/train.parquet",
        "broken table",
        _column("labels", lambda rows: [["exon"] * len(row) for row in rows], pa.list_(pa.string())),
    ),
    "labels_of_a_tenth_class": BadFolder(
        _FINETUNE,
        "{}/data/train.parquet",
        "'labels' has label 9; expected 0 to 8, or -100 where missing; prepare it again",
        _column("labels", lambda rows: [[9] * len(row) for row in rows]),
    ),
    "labels_too_few": BadFolder(
        _FINETUNE,
        "{}/data/train.parquet",
        "neither one label a base",
        _column("labels", lambda rows: [row[1:] for row in rows]),
    ),
    "sequence_null": BadFolder(
        _PRETRAIN,
        "{}/data/train.parquet",
        "'sequence' has no value",
        _column("sequence", lambda rows: [None for _ in rows]),
    ),
    "sequence_of_protein": BadFolder(
        _PRETRAIN,
        "{}/data/train.parquet",
        "'sequence' has letters other than A C G T N",
        _column("sequence", lambda rows: ["E" * len(row) for row in rows]),
    ),
    "sequence_cut_short": BadFolder(
        _PRETRAIN,
        "{}/data/train.parquet",
        "'sequence' is not as long as start and end say",
        _column("sequence", lambda rows: [row[1:] for row in rows]),
    ),
    "valid_split_absent": BadFolder(
        _FINETUNE, "{}/data", "has no valid split", _edit("data/manifest.json", lambda raw: raw["splits"].pop("valid"))
    ),
    "transcripts_absent": BadFolder(
        _EVALUATE, "{}/data", "has no transcripts.parquet; expected", _remove("data/transcripts.parquet")
    ),
    "transcripts_truncated": BadFolder(
        _EVALUATE, "{}/data/transcripts.parquet", "broken table", _cut("data/transcripts.parquet")
    ),
    "inspected_folder_is_neither": BadFolder("inspect {}", "{}", "has no checkpoint in it; expected a run"),
    "inspected_folder_absent": BadFolder(
        "inspect {}/nothing", "{}/nothing", "no such folder; expected a dataset or a run"
    ),
}
RUNS = {
    "run_absent": BadFolder(
        "predict {}/no --genome {}/genome.fa --out {}/out.gff3", "{}/no", "no such folder; expected a run"
    ),
    "file_as_run": BadFolder(
        "predict {}/genome.fa --genome {}/genome.fa --out {}/out.gff3", "{}/genome.fa", "expected a run"
    ),
    "encoder_absent": BadFolder(
        _FINETUNE + " --encoder {}/no", "{}/no", "no such folder; expected a run of 'dnaspt pretrain'"
    ),
    "encoder_is_a_dataset": BadFolder(_FINETUNE + " --encoder {}/data", "{}/data", "has no checkpoint in it; expected"),
    "checkpoint_truncated": BadFolder(
        _PREDICT, f"{{}}/{_BEST}/model.safetensors", "cannot be read .*is it whole", _cut(f"{_BEST}/model.safetensors")
    ),
    "checkpoint_is_empty": BadFolder(
        _PREDICT, f"{{}}/{_BEST}/model.safetensors", "cannot be read", _text(f"{_BEST}/model.safetensors", "")
    ),
    "checkpoint_without_description": BadFolder(
        _PREDICT, f"{{}}/{_BEST}/config.json", "not a description of a checkpoint", _remove(f"{_BEST}/config.json")
    ),
    "checkpoint_description_not_json": BadFolder(
        _PREDICT, f"{{}}/{_BEST}/config.json", "not a description of a checkpoint", _cut(f"{_BEST}/config.json")
    ),
    "checkpoint_of_other_version": BadFolder(
        _PREDICT,
        f"{{}}/{_BEST}/config.json",
        "format version 99; expected 1",
        _edit(f"{_BEST}/config.json", lambda raw: raw.update(format_version=99)),
    ),
    "checkpoint_of_other_shape": BadFolder(
        _PREDICT,
        f"{{}}/{_BEST}",
        "tensors do not fit the description .*size mismatch",
        _edit(f"{_BEST}/config.json", lambda raw: raw["encoder"].update(hidden_size=16)),
    ),
    "checkpoint_of_unknown_task": BadFolder(
        _PREDICT,
        f"{{}}/{_BEST}/config.json",
        "task 'folding'; expected genes",
        _edit(f"{_BEST}/config.json", lambda raw: raw.update(task="folding")),
    ),
    "checkpoint_of_unknown_head": BadFolder(
        _PREDICT,
        f"{{}}/{_BEST}/config.json",
        "head 'mlp' does not fit task 'genes'; expected crf or softmax",
        _edit(f"{_BEST}/config.json", lambda raw: raw.update(head="mlp")),
    ),
    "language_model_predicts": BadFolder(
        "predict {}/pretrained --genome {}/genome.fa --out {}/out.gff3",
        "{}/pretrained",
        "expected a run of 'dnaspt finetune'",
    ),
    "language_model_evaluated": BadFolder(
        "evaluate {}/pretrained --data {}/data",
        "{}/pretrained",
        "holds a language model; expected a run of 'dnaspt finetune'",
    ),
    "evaluated_on_other_labels": BadFolder(
        "evaluate {}/genes --data {}/windows", "{}/genes", "predicts CDS.*is labeled with peaks"
    ),
    "evaluated_on_another_dataset": BadFolder(
        _EVALUATE,
        "{}/genes",
        "was trained on another dataset .*say --any-data",
        _edit("data/manifest.json", lambda raw: raw.update(digest="0")),
    ),
    "evaluated_on_no_split": BadFolder(_EVALUATE + " --split dev", "{}/data", "has no dev split"),
    "run_already_there": BadFolder(
        "pretrain {}/data --out {}/pretrained --config {}/pretrain.toml",
        "{}/pretrained",
        "already there; go on with --resume",
    ),
    "file_as_run_to_write": BadFolder(
        "pretrain {}/data --out {}/genome.fa", "{}/genome.fa", "is a file; expected a folder"
    ),
    "resumed_folder_is_no_run": BadFolder(
        "pretrain {}/data --out {}/windows --resume", "{}/windows", "has no run.json"
    ),
    "resumed_with_other_settings": BadFolder(
        "pretrain {}/data --out {}/pretrained --config {}/pretrain.toml --resume --seed 5",
        "{}/pretrained",
        "was started with seed = 0, now 5; resume with the same settings",
    ),
    "resumed_settings_truncated": BadFolder(
        _RESUME,
        "{}/pretrained/run.json",
        "not JSON",
        _cut("pretrained/run.json"),
    ),
    "resumed_state_truncated": BadFolder(
        _RESUME,
        f"{{}}/{_LAST}/state.json",
        "not JSON",
        _resumable(f"{_LAST}/state.json"),
    ),
    "resumed_optimizer_truncated": BadFolder(
        _RESUME,
        f"{{}}/{_LAST}/optimizer.safetensors",
        "cannot be read",
        _resumable(f"{_LAST}/optimizer.safetensors"),
    ),
    "inspected_result_truncated": BadFolder(
        "inspect {}/genes", "{}/genes/result.json", "not JSON", _cut("genes/result.json")
    ),
    "one_kind_of_windows_on_valid": BadFolder(
        "finetune {}/few --out {}/out --preset tiny",
        "{}/few",
        "no label has both positive and negative windows in the valid split",
        lambda folder: dnaspt(*(_REGIONS.replace("{}", str(folder)) + " --window-bp 64").split()),
    ),
    "overwritten_folder_is_no_run": BadFolder(
        "pretrain {}/data --out {}/windows --overwrite", "{}/windows", "is there and is no run .*; choose another"
    ),
    "reported_run_not_evaluated": BadFolder(
        "report {}/genes --data {}/data --out {}/out.html", "{}/genes", "not evaluated on the test split; run"
    ),
}
OPTIONS = {
    "genes_in_bed": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/out.bed", "{}/out.bed", "expected a name .*gff3"
    ),
    "windows_in_gff3": BadFolder(
        "predict {}/peaks --genome {}/genome.fa --out {}/out.gff3 --stride-bp 16",
        "{}/out.gff3",
        "unknown suffix; expected .bed, .bw",
    ),
    "stride_of_zero": BadFolder(
        "predict {}/peaks --genome {}/genome.fa --out {}/out.bed --stride-bp 0",
        "stride_bp 0",
        "expected 1 to the window",
    ),
    "threshold_above_one": BadFolder(
        "predict {}/peaks --genome {}/genome.fa --out {}/out.bed --stride-bp 16 --threshold 50",
        "threshold 50",
        "expected 0 to 1",
    ),
    "regions_of_another_genome": BadFolder(
        "predict {}/genes --genome {}/other.fa --out {}/out.gff3 --regions {}/peaks.bed",
        "{}/peaks.bed",
        "contig 'chr1' is not in .*/other.fa; are its names those of the FASTA",
    ),
    "predicted_into_no_folder": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/no/where/out.gff3", "{}/no/where", "no such folder"
    ),
    "predicted_into_a_folder": BadFolder(
        "predict {}/genes --genome {}/genome.fa --out {}/out.gff3",
        "{}/out.gff3",
        "is a folder",
        lambda f: (f / "out.gff3").mkdir(),
    ),
    "head_of_another_task": BadFolder(
        "finetune {}/windows --out {}/out --head crf", "head 'crf' does not fit task 'regions'", "expected sigmoid"
    ),
    "head_unknown": BadFolder(
        "finetune {}/data --out {}/out --head mlp", "options", "head = 'mlp': .*'crf', 'softmax'"
    ),
    "preset_unknown": BadFolder("pretrain {}/data --out {}/out --preset huge", "options", "preset = 'huge': .*'paper'"),
    "batch_of_one_base": BadFolder("pretrain {}/data --out {}/out --batch-bp 1", "options", "batch_bp = 1: .*64"),
    "label_fraction_of_zero": BadFolder(
        "finetune {}/data --out {}/out --label-fraction 0", "options", "label_fraction = 0"
    ),
    "pretrained_on_an_unknown_split": BadFolder(
        "pretrain {}/data --out {}/out --config {}/s.toml",
        "{}/data",
        "has no dev split",
        _text("s.toml", "splits = ['dev']\n"),
    ),
    "output_already_there": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/data",
        "{}/data",
        "already there; choose another",
    ),
    "overwritten_folder_is_no_dataset": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/genes --overwrite",
        "{}/genes",
        "is there and is no dataset .*; choose another --out",
    ),
    "protein_predicted": BadFolder(
        "predict {}/genes --genome {}/protein.fa --out {}/out.gff3",
        "{}/protein.fa:4",
        "is it protein?",
        _text("protein.fa", f">chr1\n{GENOME.split()[1]}\n>p\nMKTAYI\n"),
    ),
    "genome_absent_predicted": BadFolder(
        "predict {}/genes --genome {}/no.fa --out {}/out.gff3",
        "{}/no.fa",
        "No such file or directory; expected a readable",
    ),
    "valid_contigs_beside_position": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --valid-contigs chr2",
        "options",
        "^error: options: valid_contigs and test_contigs have an effect with split 'contig' alone$",
    ),
    "contig_for_valid_and_test": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out"
        " --split contig --valid-contigs chr2 --test-contigs chr2",
        "contig 'chr2' is named for valid and for test",
        "choose one",
    ),
    "contig_of_the_split_unknown": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --split contig --test-contigs chr7",
        "contig 'chr7' of the split has no record in",
        "check its name",
    ),
    "fractions_above_one": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --config {}/s.toml",
        "split fractions",
        r"\(0.8, 0.3, 0.2\); expected three that are not negative and sum to 1",
        _text("s.toml", "fractions = [0.8, 0.3, 0.2]\n"),
    ),
    "valid_genome_without_annotation": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --valid-genome {}/other.fa",
        "options",
        "^error: options: valid_genome and valid_annotation belong together; give both or none$",
    ),
    "split_is_no_word_and_no_file": BadFolder(
        "prepare genes --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out --split random",
        "options",
        "^error: options: split 'random' is neither a file nor one of position",
    ),
    "genome_given_twice": BadFolder(
        "prepare genes --genome {}/genome.fa --genome {}/genome.fa --annotation {}/genes.gff3 --out {}/out",
        "{}/genome.fa",
        "record 'chr1' stands in two genome files",
    ),
    "window_longer_than_contigs": BadFolder(
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {}/out --window-bp 4096",
        "{}/genome.fa",
        "no window left .*; check window_bp",
    ),
    "core_longer_than_window": BadFolder(
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {}/out --window-bp 128",
        "options",
        "^error: options: core_bp 256 is more than window_bp 128$",
    ),
    "region_file_twice": BadFolder(
        "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --regions {}/peaks.bed --out {}/out --window-bp 256",
        "two region files are named 'peaks'",
        "rename one",
    ),
    "odd_window_around_cpgs": BadFolder(
        "prepare methylation --genome {}/genome.fa --calls {}/one.bedmethyl --out {}/out --window-bp 63",
        "options",
        "^error: options: window_bp 63 is odd; expected an even one",
    ),
    "two_names_for_one_sample": BadFolder(
        "prepare methylation --genome {}/genome.fa --calls {}/one.bedmethyl --out {}/out --names a,b",
        "options",
        "^error: options: 2 names for 1 files of calls; expected one each$",
    ),
    "coverage_beyond_every_call": BadFolder(
        "prepare methylation --genome {}/genome.fa --calls {}/one.bedmethyl --out {}/out --min-coverage 99 --window-bp 64",
        "{}/genome.fa",
        "no window left",
    ),
    "strict_about_leakage": BadFolder(
        "prepare genes --genome {}/twice.fa --annotation {}/genes.gff3 --out {}/out --window-bp 64 --strict"
        " --split contig --test-contigs chr2",
        "{}/out",
        "share|leak",
        lambda f: (
            (f / "twice.fa").write_text(f">chr1\n{GENOME.split()[1]}\n>chr2\n{GENOME.split()[1]}\n"),
            (f / "genes.gff3").write_text(
                GENES + GENES.replace("chr1", "chr2").replace("=g", "=h").replace("=t", "=u")
            ),
        ),
    ),
    "simulated_over_other_files": BadFolder(
        "simulate --out {}/data --overwrite", "{}/data", "is not a simulated genome .*choose another --out"
    ),
    "too_short_to_simulate": BadFolder("simulate --out {}/out --contig-bp 10", "options", "contig_bp = 10: .*10000"),
}
BAD_FOLDERS = DATASETS | RUNS | OPTIONS
