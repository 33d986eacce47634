"""What a study's TOML file may say, and the runs that follow from it; nothing is trained."""

from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt
from tests.integration.test_study import PLAN

from dnaspt.config import build_config
from dnaspt.data.manifest import read_manifest
from dnaspt.errors import ConfigError
from dnaspt.reports import compare as summary
from dnaspt.studies import scheduler as execute
from dnaspt.studies.context import Workshop
from dnaspt.studies.plan import finals, pretrainings, tuning
from dnaspt.studies.settings import StudyConfig, check_settings


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
    ran = dnaspt("study", file, "--out", tmp_path / "out", "--dry-run")
    assert ran.code == 2
    assert said in " ".join(ran.errors), ran.errors


def test_more_sequence_is_pretrained_on_for_as_many_bases_and_no_claim_of_the_paper(
    plan: Path, gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes

    inputs = {"genome": (simulated / "genome.fa",), "annotation": (simulated / "annotation.gff3",)}
    prepare_genes(PrepareGenesConfig(out=tmp_path / "more", unlabeled=(simulated / "genome.fa",), **inputs))
    file = tmp_path / "study.toml"
    file.write_text(
        plan.read_text().replace(str(gene_data), str(tmp_path / "more")).replace('"spt"', '"spt+unlabeled"')
    )
    study = build_config(StudyConfig, {}, file)
    check_settings(study)
    dataset = read_manifest(study.data)
    (first, _) = pretrainings(study, dataset)
    assert first.settings["unlabeled"] is True
    n_bp = dataset.splits["train"].n_bp + dataset.splits["unlabeled"].n_bp
    assert first.settings["epochs"] * n_bp == pytest.approx(0.2 * dataset.splits["train"].n_bp)
    questions = {summary._question(study, one, other) for one in study.arms for other in study.arms}
    assert questions == {
        "",
        "training longer",
        "pretraining with more sequence",
        "pretraining with more sequence, the same bases in all",
    }
    own = study.arms[1].model_copy(update={"init": "spt"})
    assert summary._question(study, own, study.arms[1]) == "more sequence for pretraining"
    with pytest.raises(ConfigError, match="has no unlabeled sequence"):
        check_settings(study.model_copy(update={"data": gene_data}))
    with pytest.raises(ConfigError, match="'spt_more' is no file or folder"):
        check_settings(study.model_copy(update={"arms": (own.model_copy(update={"init": "spt_more"}),)}))


def test_a_rate_that_an_arm_has_is_not_chosen(plan: Path) -> None:
    study = build_config(StudyConfig, {}, plan)
    arm = study.arms[0].model_copy(update={"learning_rate": 5e-4})
    dataset = read_manifest(study.data)
    assert not tuning(study, dataset, arm)
    shop = Workshop(study.model_copy(update={"arms": (arm,)}), Path("out"), Path("records"))
    assert {job.settings["learning_rate"] for job in execute.stage_jobs(shop, "final")} == {5e-4}


def test_settings_are_checked_before_anything_runs(plan: Path) -> None:
    with pytest.raises(ConfigError, match="learning_rates"):
        build_config(StudyConfig, {"learning_rates": []}, plan)


@pytest.mark.parametrize("idle", [{"head": "sigmoid"}, {"finetune": {"epochs": 1}}, {"learning_rate": 1e-3}])
def test_settings_without_effect_on_a_baseline_are_refused(windows: Path, idle: dict[str, object]) -> None:
    study = build_config(StudyConfig, {"data": windows, "arms": [{"name": "4-mers", "init": "kmer", **idle}]})
    with pytest.raises(ConfigError, match="has no effect on a baseline"):
        check_settings(study)


def test_arms_may_have_settings_of_their_own(windows: Path, tmp_path: Path) -> None:
    arms = [
        {"name": "scratch"},
        {"name": "Basset", "finetune": {"preset": "basset"}},
        {"name": "SPT", "init": "spt"},
        {"name": "SPT, half masked", "init": "spt", "pretrain": {"mask_fraction": 0.5}},
    ]
    study = build_config(StudyConfig, {"data": windows, "arms": arms, "seeds": (0, 1)})
    check_settings(study)
    manifest = read_manifest(windows)
    assert [job.settings.get("mask_fraction") for job in pretrainings(study, manifest)] == [None, None, 0.5, 0.5]
    runs = [finals(study, manifest, arm, 1e-3) for arm in study.arms]
    assert [own[0].settings.get("preset") for own in runs] == [None, "basset", None, None]
    assert runs[2][1].encoder == pretrainings(study, manifest)[1].digest != runs[3][1].encoder
    bad = ({"preset": "basset", "seed": 1}, "seed is set by the study"), ({"preset": "base"}, "has the size")
    for settings, message in bad:
        arms[2]["finetune"] = settings
        with pytest.raises(ConfigError, match=message):
            check_settings(build_config(StudyConfig, {"data": windows, "arms": arms}))
