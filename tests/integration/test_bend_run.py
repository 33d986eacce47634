"""A protocol on each task of windows with one command, and results beside the published ones."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.integration.in_process import dnaspt

from dnaspt.bend.protocol import read_protocol
from dnaspt.bend.published import PUBLISHED
from dnaspt.bend.table import BEND_TASKS
from dnaspt.data.dataset import read_split
from dnaspt.errors import ConfigError
from dnaspt.studies.records import read_records, write_record
from dnaspt.studies.settings import check_settings

PROTOCOLS = Path(__file__).parent.parent.parent / "examples" / "bend"
TINY = """
seeds = [0]
learning_rates = [1e-3]
pretrain = { preset = "tiny", epochs = 0.3, batch_bp = 4096, tensorboard = false }
finetune = { epochs = 0.3, batch_bp = 4096, tensorboard = false }

[[arms]]
name = "scratch"

[tasks.histone_modification]
arms = [{ name = "SPT", init = "spt" }]

[tasks.cpg_methylation]
arms = [{ name = "Basset", finetune = { preset = "basset" } }]
"""


def write_root(root: Path, task: str, prefix: str) -> Path:
    """Files of a task of windows: both strands, empty labels, windows of odd lengths, all labels in each split."""
    rng, row = np.random.default_rng(3), BEND_TASKS[task]
    (root / row.folder).mkdir(parents=True)
    (root / "data/genomes").mkdir()
    contigs = {f"{prefix}{name}": "".join(rng.choice(list("ACGT"), 12_000)) for name in ("1", "2")}
    fasta = "".join(f">{name}\n{letters}\n" for name, letters in contigs.items())
    (root / f"data/genomes/{row.genome}.fa").write_text(fasta)
    rows = ["chromosome\tstart\tend\tstrand\tlabel\tsplit"]
    for number in range(36):
        split = ("train", "train", "train", "valid", "test", "test")[number % 6]
        label = ("", ",".join(map(str, range(row.n_labels))), "0")[number // 6 % 3]
        at, length = number // 2 * 640, 512 - number % 3
        rows.append(f"{prefix}{number % 2 + 1}\t{at}\t{at + length}\t{'+-'[number % 2]}\t{label}\t{split}")
    (root / row.folder / f"{task}.bed").write_text("\n".join(rows) + "\n")
    return root


@pytest.mark.parametrize(
    ("task", "prefix"),
    [
        pytest.param("chromatin_accessibility", "", marks=pytest.mark.slow),
        pytest.param("histone_modification", "chr", marks=pytest.mark.slow),
        pytest.param("cpg_methylation", "chr", marks=pytest.mark.slow),
    ],
)
def test_one_command_prepares_trains_evaluates_and_reports(task: str, prefix: str, tmp_path: Path) -> None:
    root, out, protocol = write_root(tmp_path / "bend", task, prefix), tmp_path / "study", tmp_path / "tiny.toml"
    protocol.write_text(TINY)
    ran = dnaspt("bend", "run", protocol, task, "--root", root, "--out", out)
    assert ran.code == 0, ran.errors
    arms = {"cpg_methylation": ["Basset"], "histone_modification": ["SPT"]}.get(task, ["scratch"])
    records = read_records(out / "records", "final")
    assert sorted(record.job.arm for record in records) == sorted(arms)
    assert (out / "study.html").is_file() and (out / "study.md").is_file()
    labels = {len(window.labels) for split in ("train", "valid", "test") for window in read_split(out / "data", split)}
    assert labels == {BEND_TASKS[task].n_labels}
    n_runs = 2 if arms == ["SPT"] else 1
    assert (
        f"{arms[0]}, seed 0, learning rate 0.001" in ran.printed and f": finished, {n_runs} of {n_runs}" in ran.printed
    )
    again = dnaspt("bend", "run", protocol, task, "--root", root, "--out", out)
    assert again.code == 0 and "seed 0" not in again.printed
    of_an_earlier_protocol = replace(records[0].job, arm="of an earlier protocol", data_digest="other")
    write_record(out / "records", replace(records[0], job=of_an_earlier_protocol))
    shown = dnaspt("bend", "results", out, "--out", tmp_path / "results.csv")
    assert shown.code == 0, shown.errors
    rows = list(csv.reader((tmp_path / "results.csv").read_text().splitlines()))
    assert rows[0] == ["task", "metric", "model", "value", "source", "note"]
    assert [row[2] for row in rows if row[0] == task] == arms
    assert all(row[4] == f"our runs on {root}, tiny, 1 seed" for row in rows if row[0] == task)
    assert {row[0] for row in rows[1:]} == {task}


@pytest.mark.slow
def test_tasks_of_one_command_begin_from_one_pretraining(tmp_path: Path) -> None:
    root, out, protocol = write_root(tmp_path / "bend", "cpg_methylation", "chr"), tmp_path / "all", tmp_path / "x.toml"
    folder = root / "data" / "histone_modification"
    folder.mkdir()
    rows = (root / "data/cpg_methylation/cpg_methylation.bed").read_text().splitlines()
    swapped = [row.replace("train", "x").replace("test", "train").replace("x", "test") for row in rows[19:]]
    (folder / "histone_modification.bed").write_text("\n".join(rows[:19] + swapped) + "\n")
    arms = 'arms = [{ name = "SPT", init = "spt" }]\n'
    protocol.write_text('pretrain_data = "histone_modification"\n' + TINY.split("[[arms]]")[0] + arms)
    tasks = ("cpg_methylation", "histone_modification")
    ran = dnaspt("bend", "run", protocol, *tasks, "--root", root, "--out", out)
    assert ran.code == 0, ran.errors
    records = [record for task in tasks for record in read_records(out / task / "records")]
    (pretraining,) = read_records(out / "pretraining" / "records")
    assert [record.job.encoder for record in records] == [pretraining.job.digest] * 2
    cut = pretraining.result.cut_out  # half of the windows that the one task tests are in train of the other one
    assert cut is not None and cut.n_offered_bp // 8 < cut.n_cut_bp < cut.n_offered_bp
    shown = dnaspt("bend", "results", *(out / task for task in tasks))
    assert shown.code == 0 and "SPT" in shown.printed


def test_a_folder_of_another_task_is_refused(tmp_path: Path) -> None:
    root, protocol = write_root(tmp_path / "bend", "histone_modification", "chr"), tmp_path / "tiny.toml"
    write_root(tmp_path / "other", "cpg_methylation", "chr")
    protocol.write_text(TINY)
    data = tmp_path / "study" / "data"
    assert dnaspt("prepare", "bend", "histone_modification", "--root", root, "--out", data).code == 0
    for task, where, word in (("cpg_methylation", root, "task"), ("histone_modification", tmp_path / "other", "root")):
        ran = dnaspt("bend", "run", protocol, task, "--root", where, "--out", tmp_path / "study")
        assert ran.code == 2 and f"was prepared with {word}" in " ".join(ran.errors)
    ran = dnaspt("bend", "run", protocol, "enhancer_annotation", "--root", root, "--out", tmp_path / "x", "--fold", "0")
    assert ran.code == 2


@pytest.mark.slow
def test_a_dataset_that_was_prepared_by_hand_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root, protocol, out = write_root(tmp_path / "bend", "cpg_methylation", "chr"), tmp_path / "own.toml", tmp_path / "x"
    protocol.write_text(TINY)
    names, bed = tmp_path / "names.txt", root / "data/cpg_methylation/cpg_methylation.bed"
    names.write_text("\n".join(f"tissue{number}" for number in range(9)))
    options = ("--bed", bed, "--labels-file", names, "--root", root, "--out", tmp_path / "data")
    assert dnaspt("prepare", "bend", "cpg_methylation", *options).code == 0
    assert "has 9 labels; BEND's cpg_methylation has 7" in caplog.text
    given = ("--data", tmp_path / "data", "--out", out)
    planned = dnaspt("bend", "run", protocol, "cpg_methylation", *given, "--dry-run")
    assert planned.code == 0 and "1 run, 1 to do" in planned.printed and not (out / "records").exists()
    assert dnaspt("bend", "run", protocol, "cpg_methylation", *given).code == 0
    shown = dnaspt("bend", "results", tmp_path, out)
    assert shown.code == 0 and "Basset" in shown.printed and "has no bend.json" in caplog.text
    wrong = dnaspt("bend", "run", protocol, "histone_modification", *given)
    assert wrong.code == 2 and "holds cpg_methylation; expected histone_modification" in " ".join(wrong.errors)


def test_nothing_is_published_but_what_has_a_source() -> None:
    assert len(PUBLISHED) == 14 and all(row.source and row.note and row.value for row in PUBLISHED)
    shown = dnaspt("bend", "results")
    assert shown.code == 0 and "0.64" in shown.printed


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_protocols_that_ship_are_whole(protocol: Path, gene_data: Path, windows: Path) -> None:
    for task, row in BEND_TASKS.items():
        if row.kind == "variants":
            with pytest.raises(ConfigError, match="scored without training"):
                read_protocol(protocol, task, windows)
        else:
            data = gene_data if row.kind == "genes" else windows
            study = check_settings(read_protocol(protocol, task, data, lambda _: gene_data))
            assert study.pretrain_data == ((gene_data,) if protocol.stem == "spt-as-published" else ())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    root, protocol = write_root(tmp_path / "bend", "histone_modification", "chr"), tmp_path / "own.toml"
    for text, message in (
        ("seeds = [0", "not TOML"),
        ("[tasks.enhancers]\nseeds = [0]\n", "tasks.enhancers: no such task"),
        ("tasks = 3\n", "tasks is a int; expected a table"),
        ("data = 'data/mine'\n[[arms]]\nname = 'x'\n", "it is a study and no protocol"),
        (
            "pretrain = { steps = 9 }\n[[arms]]\nname = 'x'\n",
            "own.toml: pretrain.steps is set by the study itself; say epochs",
        ),
        (
            "[finetune]\npreset = 'base'\n[[arms]]\nname = 'x'\nfinetune = { embeddings = 'y' }\n",
            "a preset and embeddings",
        ),
        ("seed = [0]\n[[arms]]\nname = 'scratch'\n", "no setting is called 'seed'"),
    ):
        protocol.write_text(text)
        ran = dnaspt("bend", "run", protocol, "histone_modification", "--root", root, "--out", tmp_path / "out")
        assert ran.code == 2 and message in " ".join(ran.errors)
    for words, message in (
        (("histone_modification", protocol), "the protocol comes first"),
        (("spt", "histone_modification"), "spt: no such file; expected a protocol"),
    ):
        ran = dnaspt("bend", "run", *words, "--root", root, "--out", tmp_path / "out")
        assert ran.code == 2 and message in " ".join(ran.errors)
    ran = dnaspt("bend", "results", tmp_path)
    assert ran.code == 2 and "expected a folder of 'dnaspt bend run'" in " ".join(ran.errors)
