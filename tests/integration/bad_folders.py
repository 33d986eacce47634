"""Datasets and runs that cannot be used, each named for its fault: what is done to good ones, and the answer; and options."""

import pyarrow as pa
from tests.integration.bad_options import OPTIONS
from tests.integration.in_process import dnaspt
from tests.integration.spoiling import (
    BEST,
    EVALUATE,
    FINETUNE,
    LAST,
    PREDICT,
    PRETRAIN,
    REGIONS,
    RESUME,
    BadFolder,
    column,
    cut,
    drop_column,
    edit,
    remove,
    resumable,
    text,
)

DATASETS = {
    "dataset_absent": BadFolder("pretrain {}/nothing --out {}/out", "{}/nothing", "no such folder; make it with"),
    "file_as_dataset": BadFolder(
        "pretrain {}/genome.fa --out {}/out", "{}/genome.fa", "is a file; expected a folder; make it with"
    ),
    "manifest_absent": BadFolder(
        PRETRAIN, "{}/data", "not a dataset, or unfinished; make", remove("data/manifest.json")
    ),
    "manifest_of_other_version": BadFolder(
        PRETRAIN,
        "{}/data/manifest.json",
        "format version 99; expected 1; prepare it again",
        edit("data/manifest.json", lambda raw: raw.update(format_version=99)),
    ),
    "manifest_not_json": BadFolder(PRETRAIN, "{}/data/manifest.json", "not a manifest", cut("data/manifest.json")),
    "manifest_is_a_list": BadFolder(
        PRETRAIN, "{}/data/manifest.json", "not a manifest", text("data/manifest.json", "[]")
    ),
    "manifest_without_task": BadFolder(
        PRETRAIN,
        "{}/data/manifest.json",
        "task None; expected genes",
        edit("data/manifest.json", lambda raw: raw.pop("task")),
    ),
    "manifest_of_unknown_task": BadFolder(
        FINETUNE,
        "{}/data/manifest.json",
        "task 'folding'; expected genes",
        edit("data/manifest.json", lambda raw: raw.update(task="folding")),
    ),
    "table_absent": BadFolder(PRETRAIN, "{}/data", "has no train split", remove("data/train.parquet")),
    "table_truncated": BadFolder(
        PRETRAIN, "{}/data/train.parquet", "broken table .*prepare it", cut("data/train.parquet")
    ),
    "table_empty": BadFolder(PRETRAIN, "{}/data/train.parquet", "broken table", text("data/train.parquet", "")),
    "table_without_labels": BadFolder(
        FINETUNE, "{}/data/train.parquet", "column 'labels' has no value in 14 rows", drop_column
    ),
    "labels_nan": BadFolder(
        FINETUNE,
        "{}/data/train.parquet",
        "broken table",
        column("labels", lambda rows: [[float("nan")] * len(row) for row in rows], pa.list_(pa.float32())),
    ),
    "labels_null": BadFolder(
        FINETUNE,
        "{}/data/train.parquet",
        "'labels' has an empty label; prepare it again",
        column("labels", lambda rows: [[None] * len(row) for row in rows]),
    ),
    "labels_in_words": BadFolder(
        FINETUNE,
        "{}/data/train.parquet",
        "broken table",
        column("labels", lambda rows: [["exon"] * len(row) for row in rows], pa.list_(pa.string())),
    ),
    "labels_of_a_tenth_class": BadFolder(
        FINETUNE,
        "{}/data/train.parquet",
        "'labels' has label 9; expected 0 to 8, or -100 where missing; prepare it again",
        column("labels", lambda rows: [[9] * len(row) for row in rows]),
    ),
    "labels_too_few": BadFolder(
        FINETUNE,
        "{}/data/train.parquet",
        "neither one label a base",
        column("labels", lambda rows: [row[1:] for row in rows]),
    ),
    "sequence_null": BadFolder(
        PRETRAIN,
        "{}/data/train.parquet",
        "'sequence' has no value",
        column("sequence", lambda rows: [None for _ in rows]),
    ),
    "sequence_of_protein": BadFolder(
        PRETRAIN,
        "{}/data/train.parquet",
        "'sequence' has letters other than A C G T N",
        column("sequence", lambda rows: ["E" * len(row) for row in rows]),
    ),
    "sequence_cut_short": BadFolder(
        PRETRAIN,
        "{}/data/train.parquet",
        "'sequence' is not as long as start and end say",
        column("sequence", lambda rows: [row[1:] for row in rows]),
    ),
    "valid_split_absent": BadFolder(
        FINETUNE, "{}/data", "has no valid split", edit("data/manifest.json", lambda raw: raw["splits"].pop("valid"))
    ),
    "transcripts_absent": BadFolder(
        EVALUATE, "{}/data", "has no transcripts.parquet; expected", remove("data/transcripts.parquet")
    ),
    "transcripts_truncated": BadFolder(
        EVALUATE, "{}/data/transcripts.parquet", "broken table", cut("data/transcripts.parquet")
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
        FINETUNE + " --encoder {}/no", "{}/no", "no such folder; expected a run of 'dnaspt pretrain'"
    ),
    "encoder_is_a_dataset": BadFolder(FINETUNE + " --encoder {}/data", "{}/data", "has no checkpoint in it; expected"),
    "checkpoint_truncated": BadFolder(
        PREDICT, f"{{}}/{BEST}/model.safetensors", "cannot be read .*is it whole", cut(f"{BEST}/model.safetensors")
    ),
    "checkpoint_is_empty": BadFolder(
        PREDICT, f"{{}}/{BEST}/model.safetensors", "cannot be read", text(f"{BEST}/model.safetensors", "")
    ),
    "checkpoint_without_description": BadFolder(
        PREDICT, f"{{}}/{BEST}/config.json", "not a description of a checkpoint", remove(f"{BEST}/config.json")
    ),
    "checkpoint_description_not_json": BadFolder(
        PREDICT, f"{{}}/{BEST}/config.json", "not a description of a checkpoint", cut(f"{BEST}/config.json")
    ),
    "checkpoint_of_other_version": BadFolder(
        PREDICT,
        f"{{}}/{BEST}/config.json",
        "format version 99; expected 1",
        edit(f"{BEST}/config.json", lambda raw: raw.update(format_version=99)),
    ),
    "checkpoint_of_other_shape": BadFolder(
        PREDICT,
        f"{{}}/{BEST}",
        "tensors do not fit the description .*size mismatch",
        edit(f"{BEST}/config.json", lambda raw: raw["encoder"].update(hidden_size=16)),
    ),
    "checkpoint_of_unknown_task": BadFolder(
        PREDICT,
        f"{{}}/{BEST}/config.json",
        "task 'folding'; expected genes",
        edit(f"{BEST}/config.json", lambda raw: raw.update(task="folding")),
    ),
    "checkpoint_of_unknown_head": BadFolder(
        PREDICT,
        f"{{}}/{BEST}/config.json",
        "head 'mlp' does not fit task 'genes'; expected gene-model or crf or softmax",
        edit(f"{BEST}/config.json", lambda raw: raw.update(head="mlp")),
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
        "evaluate {}/genes --data {}/windows", "{}/genes", "of another task: predicts genes.*holds regions"
    ),
    "evaluated_on_another_dataset": BadFolder(
        EVALUATE,
        "{}/genes",
        "was trained on another dataset .*say --any-data",
        edit("data/manifest.json", lambda raw: raw.update(digest="0")),
    ),
    "evaluated_on_no_split": BadFolder(EVALUATE + " --split dev", "{}/data", "split is called 'dev'"),
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
        RESUME,
        "{}/pretrained/run.json",
        "not JSON",
        cut("pretrained/run.json"),
    ),
    "resumed_state_truncated": BadFolder(
        RESUME,
        f"{{}}/{LAST}/state.json",
        "not JSON",
        resumable(f"{LAST}/state.json"),
    ),
    "resumed_optimizer_truncated": BadFolder(
        RESUME,
        f"{{}}/{LAST}/optimizer.safetensors",
        "cannot be read",
        resumable(f"{LAST}/optimizer.safetensors"),
    ),
    "inspected_result_truncated": BadFolder(
        "inspect {}/genes", "{}/genes/result.json", "not JSON", cut("genes/result.json")
    ),
    "one_kind_of_windows_on_valid": BadFolder(
        "finetune {}/few --out {}/out --preset tiny",
        "{}/few",
        "no label has both positive and negative windows in the valid split",
        lambda folder: dnaspt(*(REGIONS.replace("{}", str(folder)) + " --window-bp 64").split()),
    ),
    "run_overwritten_from_a_broken_table": BadFolder(
        "pretrain {}/data --out {}/pretrained --config {}/pretrain.toml --overwrite",
        "{}/data/train.parquet",
        "broken table",
        cut("data/train.parquet"),
    ),
    "overwritten_folder_is_no_run": BadFolder(
        "pretrain {}/data --out {}/windows --overwrite", "{}/windows", "is there and is no run .*; choose another"
    ),
    "reported_run_not_evaluated": BadFolder(
        "report {}/genes --data {}/data --out {}/out.html", "{}/genes", "not evaluated on the test split; run"
    ),
}
BAD_FOLDERS = DATASETS | RUNS | OPTIONS
