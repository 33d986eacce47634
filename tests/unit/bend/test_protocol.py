"""Protocols: a study without data, changed for a task, and what does not fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.bend import prepare as prepare_module
from dnaspt.bend import protocol as protocol_module
from dnaspt.bend.prepare import PrepareBendConfig
from dnaspt.bend.protocol import BendRun, plan_protocol, read_protocol
from dnaspt.data.manifest import Manifest
from dnaspt.errors import ConfigError

TOML = """
seeds = [0, 1]
pretrain = { preset = "tiny", epochs = 2 }

[[arms]]
name = "scratch"

[tasks.cpg_methylation]
seeds = [5]
pretrain = { epochs = 3 }
finetune = { epochs = 4 }
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_table_of_a_task_is_joined_and_other_values_are_replaced(tmp_path: Path) -> None:
    file = write(tmp_path / "x.toml", TOML)
    plain, own = (read_protocol(file, task, Path("data")) for task in ("histone_modification", "cpg_methylation"))
    assert plain.seeds == (0, 1) and plain.pretrain == {"preset": "tiny", "epochs": 2} and plain.finetune == {}
    assert own.seeds == (5,) and own.pretrain == {"preset": "tiny", "epochs": 3} and own.finetune == {"epochs": 4}
    assert own.data == Path("data") and [arm.name for arm in own.arms] == ["scratch"]


@pytest.mark.parametrize(
    ("task", "text", "message"),
    [
        ("histone", TOML, "no task of BEND is called 'histone'; known: gene_finding"),
        ("x.toml", TOML, "the protocol comes first"),
        ("variant_effects_disease", TOML, "is scored without training"),
        ("cpg_methylation", "data = 'x'\n", "names its data, 'x', so it is a study and no protocol"),
        ("cpg_methylation", "tasks = 3\n", "tasks is a int; expected a table"),
        ("cpg_methylation", "[tasks.cpg]\nseeds = [0]\n", "tasks.cpg: no such task"),
        ("cpg_methylation", "pretrain = 3\n[tasks.cpg_methylation.pretrain]\nepochs = 1\n", "pretrain is a int"),
        (
            "cpg_methylation",
            "seed = [0]\n[[arms]]\nname = 'x'\n",
            r"x\.toml: no setting is called 'seed'; did you mean",
        ),
    ],
)
def test_what_does_not_fit_is_refused(task: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        read_protocol(write(tmp_path / "x.toml", text), task, Path("data"))


def test_a_protocol_that_is_not_there_is_told_with_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; expected a protocol, a TOML file \(examples/bend/spt\.toml"):
        read_protocol(tmp_path / "no.toml", "cpg_methylation", Path("data"))


def manifest(**settings: object) -> Manifest:
    return Manifest(
        task="methylation", labels=("a",), resolution_bp=0, window_bp=64, sources=(), settings=dict(settings)
    )


def test_a_dataset_is_prepared_once_and_only_taken_where_it_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[PrepareBendConfig] = []
    monkeypatch.setattr(prepare_module, "prepare_bend", prepared.append)
    monkeypatch.setattr(protocol_module, "check_settings", lambda study, _: study)
    run = BendRun(write(tmp_path / "x.toml", TOML), "cpg_methylation", tmp_path / "out", root=Path("bend"), jobs=2)
    said: list[str] = []
    study = plan_protocol(run, said.append)
    (config,) = prepared
    assert (config.task, config.root, config.out) == ("cpg_methylation", Path("bend"), tmp_path / "out" / "data")
    assert said == [f"{tmp_path / 'out' / 'data'}: preparing cpg_methylation"]
    assert study.jobs == 2 and study.records == tmp_path / "out" / "records"
    (tmp_path / "out" / "data").mkdir(parents=True)
    fitting = manifest(**config.on_record())
    monkeypatch.setattr(protocol_module, "read_manifest", lambda _: fitting)
    plan_protocol(run, said.append)
    assert len(prepared) == 1
    fitting = manifest(bend="cpg_methylation", bend_source={"root": "elsewhere", "genome": None})
    with pytest.raises(ConfigError, match="was prepared with root elsewhere, not bend; choose another --out"):
        plan_protocol(run, said.append)
    fitting = manifest()
    with pytest.raises(ConfigError, match="was prepared with task None, not cpg_methylation"):
        plan_protocol(run, said.append)


def test_a_given_dataset_is_of_the_task_and_takes_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "check_settings", lambda study, _: study)
    file, fitting = write(tmp_path / "x.toml", TOML), manifest(bend="cpg_methylation")
    monkeypatch.setattr(protocol_module, "read_manifest", lambda _: fitting)
    run = BendRun(file, "cpg_methylation", tmp_path / "out", data=tmp_path / "given")
    assert plan_protocol(run, print).study.data == tmp_path / "given"
    with pytest.raises(ConfigError, match="--fold and --genome have no effect"):
        plan_protocol(BendRun(file, "cpg_methylation", tmp_path, data=tmp_path, fold=2), print)
    fitting = manifest(bend="histone_modification")
    with pytest.raises(ConfigError, match="holds histone_modification; expected cpg_methylation"):
        plan_protocol(run, print)
    fitting = manifest()
    with pytest.raises(ConfigError, match="holds no task of BEND"):
        plan_protocol(run, print)


def test_what_decides_a_dataset_is_on_record() -> None:
    genes = PrepareBendConfig(task="gene_finding", out="x", root="r", fold=3)
    bins = PrepareBendConfig(task="enhancer_annotation", out="x", root="r", fold=3)
    assert genes.on_record() == {"bend": "gene_finding", "bend_source": {"root": "r", "genome": None}}
    assert bins.source() == {"root": "r", "genome": None, "fold": 3}


def test_a_protocol_may_be_pretrained_on_a_task_for_all_tasks_of_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[PrepareBendConfig] = []
    monkeypatch.setattr(prepare_module, "prepare_bend", prepared.append)
    monkeypatch.setattr(protocol_module, "check_settings", lambda study, _: study)
    text = 'pretrain_data = "gene_finding"\n[[arms]]\nname = "SPT"\ninit = "spt"\n'
    whole = BendRun(write(tmp_path / "x.toml", text), "cpg_methylation", tmp_path / "out")
    names = ("cpg_methylation", "histone_modification")
    cpg, histones = (plan_protocol(run, lambda _: None) for run in whole.of_each(names))
    genes = tmp_path / "out" / "pretraining" / "gene_finding" / "data"
    data = tuple(tmp_path / "out" / name / "data" for name in names)
    assert cpg.study.pretrain_data == histones.study.pretrain_data == (genes,)
    assert cpg.study.pretrain_for == histones.study.pretrain_for == data
    assert (cpg.study.data, histones.study.data) == data and cpg.out == tmp_path / "out" / names[0]
    assert cpg.pretrained is not None and cpg.pretrained == histones.pretrained
    assert cpg.pretrained.out == tmp_path / "out" / "pretraining"
    assert [config.out for config in prepared[:3]] == [data[0], genes, data[1]]
    assert {config.task for config in prepared} == {"gene_finding", *names}
    (alone,) = whole.of_each(names[:1])
    assert alone == whole and plan_protocol(alone, lambda _: None).pretrained is None
    of_genes = plan_protocol(BendRun(whole.protocol, "gene_finding", tmp_path / "g"), lambda _: None).study
    assert of_genes.pretrain_data == (of_genes.data,) == (tmp_path / "g" / "data",)


def test_tasks_of_one_command_are_different_and_prepared_alike(tmp_path: Path) -> None:
    run = BendRun(tmp_path / "x.toml", "cpg_methylation", tmp_path / "out")
    with pytest.raises(ConfigError, match="a task stands twice"):
        run.of_each(("cpg_methylation", "cpg_methylation"))
    for given in ({"data": tmp_path}, {"genome": tmp_path / "g.fa"}):
        with pytest.raises(ConfigError, match="--data and --genome are of one task"):
            replace(run, **given).of_each(("cpg_methylation", "histone_modification"))
