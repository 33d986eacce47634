"""Good datasets and runs, very small, and the ways to spoil one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.integration.in_process import dnaspt
from tests.integration.sources import CPG, GENES, GENOME, PEAKS, bigwig, call

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
    for name, content in texts.items():
        (folder / name).write_text(content)
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


def edit(path: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change a JSON file of the folder."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / path).read_text())
        change(content)
        (folder / path).write_text(json.dumps(content))

    return spoil


def cut(path: str) -> Callable[[Path], None]:
    """Cut a file to half its bytes."""
    return lambda folder: (folder / path).write_bytes(
        (folder / path).read_bytes()[: (folder / path).stat().st_size // 2]
    )


def resumable(path: str) -> Callable[[Path], None]:
    """Make a copied run one of the copied dataset, and cut one of its files."""

    def spoil(folder: Path) -> None:
        edit("pretrained/run.json", lambda raw: raw.update(data=str(folder / "data")))(folder)
        cut(path)(folder)

    return spoil


def text(path: str, content: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / path).write_text(content)


def remove(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def column(name: str, change: Callable[[list], list], kind: pa.DataType | None = None) -> Callable[[Path], None]:
    """Change a column of the train table of genes."""

    def spoil(folder: Path) -> None:
        path = folder / "data/train.parquet"
        table = pq.read_table(path)
        values = pa.array(change(table[name].to_pylist()), type=kind or table.schema.field(name).type)
        pq.write_table(table.set_column(table.schema.get_field_index(name), name, values), path)

    return spoil


def drop_column(folder: Path) -> None:
    path = folder / "data/train.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["labels"]), path)


PRETRAIN = "pretrain {}/data --out {}/out --config {}/pretrain.toml"
FINETUNE = "finetune {}/data --out {}/out --head softmax --config {}/finetune.toml --preset tiny"
PREDICT = "predict {}/genes --genome {}/genome.fa --out {}/out.gff3"
RESUME = "pretrain {}/data --out {}/pretrained --config {}/pretrain.toml --resume"
REGIONS = "prepare regions --genome {}/genome.fa --regions {}/peaks.bed --out {}/few --config {}/w.toml"
EVALUATE = "evaluate {}/genes --data {}/data"
BEST, LAST = "genes/best/step-00000001", "pretrained/last/step-00000001"
