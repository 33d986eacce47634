import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.integration.in_process import dnaspt as run_command

import dnaspt
from dnaspt.config import build_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError, DatasetError
from dnaspt.studies.settings import (
    Arm,
    StudyConfig,
    _warn_of_sizes,
    check_settings,
    read_studies,
    read_study,
)

PLAN = """
data = "{data}"
seeds = [0, 1]
learning_rates = [1e-3, 3e-3]
[pretrain]
preset = "tiny"
epochs = 0.2
batch_bp = 4096
tensorboard = false
[finetune]
epochs = 0.2
batch_bp = 4096
tensorboard = false
[[arms]]
name = "scratch + CRF"
head = "crf"
label_fractions = [1.0, 0.5]
[[arms]]
name = "SPT + CRF"
init = "spt"
head = "crf"
[[arms]]
name = "longer"
head = "crf"
extended = true
"""


@pytest.fixture(scope="module")
def plan(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plan") / "study.toml"
    file.write_text(PLAN.format(data=gene_data))
    return file


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "longer"', 'name = "SPT + CRF"'), "two arms are called 'SPT + CRF'"),
        (('name = "longer"', 'name = "a | b"'), "expected a name without '|'"),
        (("epochs = 0.2", "seed = 3"), "pretrain.seed is set by the study itself"),
        (("epochs = 0.2", "max_minutes = 3"), "max_minutes would end a run early"),
        (("epochs = 0.2", "epoch = 3"), "no setting is called 'epoch'; did you mean 'epochs'?"),
        (('head = "crf"', 'hed = "crf"'), "no setting is called 'arms.0.hed'"),
        (('head = "crf"', 'head = "sigmoid"'), "head 'sigmoid' does not fit task 'genes'; expected"),
        (("seeds = [0, 1]", "seeds = [0, 0]"), "0 stands twice among 0, 0"),
        (("seeds = [0, 1]", "seeds = [-1]"), "seeds.0"),
        (("seeds = [0, 1]", "label_fractions = [0.0]"), "label_fractions.0"),
        (("seeds = [0, 1]", "label_fractions = [2.0]"), "label_fractions.0"),
        (("label_fractions = [1.0, 0.5]", "label_fractions = []"), "arms.0.label_fractions"),
        (('init = "spt"', 'init = "tests"'), "has no checkpoint in it"),
    ],
)
def test_what_no_run_has_is_refused(plan: Path, tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "study.toml"
    file.write_text(plan.read_text().replace(*change))
    ran = run_command("study", file, "--out", tmp_path / "out", "--dry-run")
    assert ran.code == 2
    assert said in " ".join(ran.errors), ran.errors


def test_settings_are_checked_before_anything_runs(plan: Path) -> None:
    with pytest.raises(ConfigError, match="learning_rates"):
        build_config(StudyConfig, {"learning_rates": []}, plan)


@pytest.mark.parametrize("idle", [{"head": "sigmoid"}, {"finetune": {"epochs": 1}}, {"learning_rate": 1e-3}])
def test_settings_without_effect_on_a_baseline_are_refused(windows: Path, idle: dict[str, object]) -> None:
    study = build_config(StudyConfig, {"data": windows, "arms": [{"name": "4-mers", "init": "kmer", **idle}]})
    with pytest.raises(ConfigError, match="has no effect on a baseline"):
        check_settings(study)


def study_of(data: Path, *arms: dict[str, object], **settings: object) -> StudyConfig:
    return build_config(StudyConfig, {"data": data, "arms": arms, **settings})


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ({"init": "kmer"}, "init 'kmer' is for windows"),
        ({"init": "spt+unlabeled"}, "has no unlabeled sequence"),
        ({"init": "spt_more"}, "'spt_more' is no file or folder; expected one, or scratch, spt, "),
        ({"pretrain": {"epochs": 1}}, "is not pretrained here"),
        ({"init": "spt", "finetune": {"preset": "base"}}, "begins from pretraining, which has the size"),
        ({"finetune": {"preset": "base", "embeddings": "x"}}, "has a preset and embeddings"),
        ({"head": "crf", "extended": True, "finetune": {"batch_bp": 4096}}, "different batches"),
        ({"finetune": {"encoder_rat": 0.1}}, "did you mean 'encoder_rate'?"),
    ],
)
def test_an_arm_that_cannot_be_trained_is_refused(gene_data: Path, arm: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_settings(study_of(gene_data, {"name": "a"} | arm))
    assert said in str(refused.value)


def test_a_dataset_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        check_settings(study_of(tmp_path / "none", {"name": "a"}))


def test_augustus_is_for_genes(windows: Path) -> None:
    with pytest.raises(ConfigError, match="init 'augustus:human' is for genes"):
        check_settings(study_of(windows, {"name": "a", "init": "augustus:human"}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"arms": [{"name": "a", "init": "markov"}]}, "for numbers say kmer"),
        ({"label_groups": {"marks": ["H3K"]}}, "label_groups are for labels of windows that are true or false"),
    ],
)
def test_what_does_not_fit_numbers_is_refused_before_a_run(
    settings: dict[str, object], said: str, tmp_path: Path
) -> None:
    letters = ["".join(own) for own in np.random.default_rng(0).choice(list("ACGT"), (40, 30))]
    pd.DataFrame({"sequence": letters, "label": np.arange(40) / 8}).to_csv(tmp_path / "a.csv", index=False)
    dnaspt.prepare_sequences(sequences=tmp_path / "a.csv", out=tmp_path / "data")
    study = build_config(StudyConfig, {"data": tmp_path / "data", "arms": [{"name": "a"}]} | settings)
    with pytest.raises(ConfigError, match=said):
        check_settings(study)


def test_groups_of_labels_that_there_are_not_are_refused_before_a_run(windows: Path) -> None:
    with pytest.raises(ConfigError, match="no label of 'marks' begins with H3K; there are rich"):
        check_settings(study_of(windows, {"name": "a"}, label_groups={"marks": ["H3K"]}))


@pytest.mark.parametrize(
    ("init", "is_baseline", "is_augustus"),
    [("scratch", False, False), ("cpg", True, False), ("augustus", True, True), ("augustus:human", True, True)],
)
def test_baselines_are_known_by_their_names(init: str, is_baseline: bool, is_augustus: bool) -> None:
    arm = Arm(name="a", init=init)
    assert (arm.is_baseline, arm.is_augustus) == (is_baseline, is_augustus)


def test_arms_that_differ_in_size_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    arms = ({"name": "a"}, {"name": "b", "init": "spt"})
    _warn_of_sizes(study_of(Path("x"), *arms, finetune={"preset": "base"}))
    assert "'a' and 'b' differ in the size of the encoder" in caplog.text


@pytest.mark.parametrize(
    ("pretrain", "arm", "network"),
    [
        ({}, {}, ("preset", "small")),
        ({"preset": "base"}, {}, ("preset", "base")),
        ({}, {"finetune": {"embeddings": "x"}}, ("embeddings", "x")),
        ({}, {"init": "runs/pre"}, ("given", "runs/pre")),
        ({"preset": "base"}, {"init": "spt"}, ("preset", "base")),
        ({"encoder": {"hidden_size": 8}}, {"init": "spt"}, ("encoder", '{"hidden_size": 8}')),
    ],
)
def test_the_size_of_an_arms_encoder_is_known(
    pretrain: dict[str, object], arm: dict[str, object], network: tuple[object, ...]
) -> None:
    study = study_of(Path("x"), {"name": "a"} | arm, pretrain=pretrain)
    assert study.network_of(study.arms[0]) == network


def test_a_study_is_named_after_its_dataset() -> None:
    assert study_of(Path("data/genes"), {"name": "a"}).title == "Study of genes"
    assert study_of(Path("studies/bend_genes/data"), {"name": "a"}).name == "bend_genes"


def test_auto_is_the_default_head_of_the_dataset(gene_data: Path) -> None:
    study = study_of(gene_data, {"name": "a"}, {"name": "b", "head": "softmax"})
    manifest = read_manifest(gene_data)
    assert [arm.head for arm in study.with_heads(manifest).arms] == ["gene-model", "softmax"]
    of_bend = manifest.model_copy(update={"settings": manifest.settings | {"bend": "gene_finding"}})
    assert [arm.head for arm in study.with_heads(of_bend).arms] == ["crf", "softmax"]
    stop_outside = manifest.model_copy(update={"stop_in_cds": False})
    assert [arm.head for arm in study.with_heads(stop_outside).arms] == ["crf", "softmax"]


def test_a_file_may_list_datasets(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('data = ["data/a", "data/b"]\n[[arms]]\nname = "scratch"\n')
    assert {name: study.data for name, study in read_studies(file).items()} == {
        "a": Path("data/a"),
        "b": Path("data/b"),
    }
    assert list(read_studies(file, Path("data/b"))) == ["b"]
    assert read_study(file, Path("data/b")).data == Path("data/b")
    with pytest.raises(ConfigError, match="lists 2 datasets; choose one with data"):
        read_study(file)
    file.write_text('data = ["x/a", "y/a"]\n[[arms]]\nname = "scratch"\n')
    with pytest.raises(ConfigError, match="2 datasets are called 'a'"):
        read_studies(file)
    file.write_text('data = []\n[[arms]]\nname = "scratch"\n')
    with pytest.raises(ConfigError, match="data lists no dataset"):
        read_studies(file)


def test_a_file_that_names_one_dataset_is_a_study_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('data = "data/a"\n[[arms]]\nname = "scratch"\n')
    assert {name: study.data for name, study in read_studies(file, Path("z")).items()} == {"": Path("z")}
    assert read_study(file).data == Path("data/a")


@pytest.mark.parametrize("kind", [Arm, StudyConfig])
def test_every_setting_is_described(kind: type[Arm] | type[StudyConfig]) -> None:
    assert all(field.description for field in kind.model_fields.values())


@pytest.mark.parametrize(
    ("name", "kind"), [("manifest.json", "dataset"), ("run.json", "run"), ("config.json", "model")]
)
def test_a_study_is_not_written_into_a_dataset_a_run_or_a_model(
    name: str, kind: str, gene_data: Path, tmp_path: Path
) -> None:
    study = study_of(gene_data, {"name": "scratch"})
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=f"is a {kind}; a study has a folder of its own; choose another --out"):
        check_settings(study, tmp_path)
    with pytest.raises(ConfigError, match="is a file; expected a folder to write"):
        check_settings(study, tmp_path / name)


def test_a_network_is_for_gene_models_without_folds_and_with_all_labels(gene_data: Path) -> None:
    crf, gene_model = (
        {"name": "a", "head": head, "finetune": {"network": "runs/crf"}} for head in ("crf", "gene-model")
    )
    check_settings(study_of(gene_data, gene_model))
    with pytest.raises(ConfigError, match=r"arm 'a': finetune\.network is for gene models"):
        check_settings(study_of(gene_data, crf))
    with pytest.raises(ConfigError, match="arm 'a': each fold and each share of the labels needs a network of its own"):
        check_settings(study_of(gene_data, gene_model | {"label_fractions": [0.5, 1]}))


def test_datasets_that_a_file_lists_begin_from_one_pretraining(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    arm = '[[arms]]\nname = "SPT"\ninit = "spt"\n'
    file.write_text(f'data = ["data/a", "data/b"]\npretrain_data = "data/genes"\npretrain_for = ["data/c"]\n{arm}')
    named = (Path("data/c"), Path("data/a"), Path("data/b"))
    studies = read_studies(file)
    assert [study.pretrain_for for study in studies.values()] == [named, named]
    assert [study.pretrain_data for study in studies.values()] == [(Path("data/genes"),)] * 2
    (one,) = read_studies(file, Path("data/b")).values()
    assert one == studies["b"]  # so that its runs are those of all
    file.write_text(f'data = ["data/a", "data/b"]\n{arm}')
    assert [study.pretrain_for for study in read_studies(file).values()] == [(), ()]
    file.write_text(f'data = ["data/a", "data/pretraining"]\npretrain_data = "data/genes"\n{arm}')
    with pytest.raises(ConfigError, match="a dataset is called 'pretraining'"):
        read_studies(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": [{"name": "scratch"}]}, "pretrain_data has no effect: no arm begins from it"),
        ({"pretrain_data": [], "pretrain_for": ["x"]}, "pretrain_for has no effect without pretrain_data"),
        ({"arms": [{"name": "a", "pretrain_data": []}, {"name": "b", "init": "spt"}]}, "'a': is not pretrained here"),
        ({"pretrain": {"held_out": ["x"]}}, "pretrain.held_out is set by the study itself"),
    ],
)
def test_data_for_pretraining_without_effect_is_refused(
    gene_data: Path, windows: Path, change: dict[str, object], said: str
) -> None:
    settings = {"data": windows, "pretrain_data": gene_data, "arms": [{"name": "SPT", "init": "spt"}]}
    with pytest.raises(ConfigError, match=re.escape(said)):
        check_settings(build_config(StudyConfig, settings | change))
    check_settings(build_config(StudyConfig, settings))


def test_data_for_pretraining_must_be_there_and_is_not_written_into(
    gene_data: Path, windows: Path, tmp_path: Path
) -> None:
    settings = {"data": windows, "arms": [{"name": "SPT", "init": "spt"}]}
    study = build_config(StudyConfig, settings | {"pretrain_data": tmp_path / "none"})
    with pytest.raises(DatasetError, match="none: no such folder"):
        check_settings(study)
    study = build_config(StudyConfig, settings | {"pretrain_data": gene_data})
    with pytest.raises(ConfigError, match="the pretrain_data"):
        check_settings(study, gene_data / "study")


def test_a_report_of_moved_data_asks_where_they_are(tmp_path: Path) -> None:
    arms = [{"name": "CpG count", "init": "cpg"}]
    study = build_config(StudyConfig, {"data": tmp_path / "gone", "seeds": [0], "learning_rates": [1e-3], "arms": arms})
    with pytest.raises(ConfigError, match="gone: no such folder; say where the dataset is now: data"):
        check_settings(study, report_only=True)
