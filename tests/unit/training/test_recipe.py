"""Settings for windows that are taken where nothing else is said: by finetune and by studies, and never against what is said."""

from pathlib import Path

import pytest

import dnaspt
from dnaspt.checkpoint_config import read_config
from dnaspt.config import FinetuneConfig
from dnaspt.data.manifest import read_manifest
from dnaspt.json_files import read_json
from dnaspt.studies.settings import StudyConfig, check_settings
from dnaspt.training.finetune import check_settings as check_run
from dnaspt.training.finetune import finetune
from dnaspt.training.recipe import STUDY_RATES, recipe_of, with_recipe
from dnaspt.training.runs import SETTINGS

RECIPE = {
    "pool": "normalized",
    "learning_rate": 1e-2,
    "encoder_rate": 0.1,
    "average_fraction": 0.1,
    "composition": True,
}


def test_windows_get_the_recipe_but_for_what_is_given(windows: Path) -> None:
    manifest = read_manifest(windows)
    assert recipe_of(manifest, {}) == RECIPE
    given = {"learning_rate": 3e-4, "composition": False}
    assert recipe_of(manifest, given) == {name: value for name, value in RECIPE.items() if name not in given}


def test_what_the_recipe_says_is_always_allowed(windows: Path, tmp_path: Path) -> None:
    for given in (
        {},
        {"freeze_encoder": True},
        {"batch_bp": 512},
        {"devices": 2},
        {"preset": "basset"},
        {"head": "sigmoid"},
    ):
        config = with_recipe(FinetuneConfig.model_validate({"data": windows, "out": tmp_path / "run"} | given))
        assert check_run(config, read_manifest(windows)) == "sigmoid"


@pytest.mark.parametrize("given", [{"preset": "basset"}, {"preset": "onehot"}, {"embeddings": "some/model"}], ids=str)
def test_encoders_of_others_are_trained_as_before(windows: Path, given: dict[str, str]) -> None:
    assert recipe_of(read_manifest(windows), given) == {}


def test_an_encoder_of_others_that_is_given_is_told_by_its_checkpoint(windows: Path, tmp_path: Path) -> None:
    basset = dnaspt.finetune(windows, out=tmp_path / "basset", preset="basset", steps=1, batch_bp=4096)
    ours = dnaspt.finetune(windows, out=tmp_path / "ours", preset="tiny", steps=1, batch_bp=4096)
    manifest = read_manifest(windows)
    assert recipe_of(manifest, {"encoder": basset.path}) == {}
    assert recipe_of(manifest, {"encoder": ours.path}) == RECIPE


def test_a_run_goes_on_with_the_settings_that_it_began_with(windows: Path, tmp_path: Path) -> None:
    given = {
        "data": windows,
        "out": tmp_path / "run",
        "preset": "tiny",
        "steps": 2,
        "batch_bp": 4096,
        "tensorboard": False,
    }
    finetune(FinetuneConfig.model_validate(given | {"max_minutes": 1e-9}))  # by an earlier version, without a recipe
    dnaspt.finetune(
        windows, out=tmp_path / "run", preset="tiny", steps=2, batch_bp=4096, tensorboard=False, resume=True
    )
    assert read_json(tmp_path / "run" / SETTINGS)["pool"] == "mean"
    assert read_config(tmp_path / "run").composition is None


def test_genes_are_trained_as_before(gene_data: Path) -> None:
    assert recipe_of(read_manifest(gene_data), {}) == {}


def test_finetune_takes_it_and_says_so(windows: Path, tmp_path: Path) -> None:
    run = dnaspt.finetune(windows, out=tmp_path / "run", preset="tiny", steps=2, batch_bp=4096, encoder_rate=0.5)
    settings = read_json(run.path / SETTINGS)
    assert {name: settings[name] for name in RECIPE} == RECIPE | {"encoder_rate": 0.5}


def test_a_study_takes_it_unless_it_is_plain(windows: Path) -> None:
    arms = [
        {"name": "scratch"},
        {"name": "frozen", "freeze_encoder": True},
        {"name": "Basset", "finetune": {"preset": "basset"}},
        {"name": "4-mers", "init": "kmer"},
    ]
    study = StudyConfig.model_validate({"data": windows, "arms": arms, "finetune": {"composition": False}})
    checked = check_settings(study)
    own = {name: value for name, value in RECIPE.items() if name != "learning_rate"} | {"composition": False}
    scratch, frozen, basset, kmers = checked.arms
    assert checked.finetune_of(scratch) == own and set(STUDY_RATES) < set(checked.learning_rates)  # and those of Basset
    alone = study.model_copy(update={"arms": study.arms[:2]})
    assert check_settings(alone).learning_rates == STUDY_RATES
    assert checked.finetune_of(frozen)["encoder_rate"] == 1
    assert checked.finetune_of(basset)["pool"] == "mean" and not kmers.finetune
    assert check_settings(checked).finetune_of(scratch) == own
    own_batch = {"name": "own batch", "finetune": {"batch_bp": 512}}
    mixed = check_settings(StudyConfig.model_validate({"data": windows, "arms": [*arms, own_batch]}))
    assert mixed.finetune_of(mixed.arms[-1])["pool"] == "mean" and {3e-4, 1e-2} <= set(mixed.learning_rates)
    plain = check_settings(study.model_copy(update={"recipe": "plain"}))
    assert plain.finetune == {"composition": False} and plain.learning_rates != STUDY_RATES
