"""`import dnaspt` offers the API and nothing else, in milliseconds."""

import subprocess
import sys

import pytest

import dnaspt

API = {
    *(
        "baseline",
        "browse",
        "ensemble",
        "evaluate",
        "export",
        "finetune",
        "inspect",
        "load",
        "prepare_bend",
        "prepare_genes",
        "prepare_methylation",
    ),
    *("browse", "compare_annotations", "decode_emissions", "explain"),
    *("prepare_regions", "prepare_sequences", "pretrain", "report", "score_variants", "simulate", "study", "to_frame"),
    "prepare_unlabeled",
    *(
        "AnnotationComparison",
        "Dataset",
        "BesideBaseline",
        "Description",
        "Evaluation",
        "ExplanationSummary",
        "GeneScores",
        "GenomeBrowser",
        "Model",
        "Record",
        "Run",
        "RunResult",
        "RunStopped",
        "SPTClassifier",
        "SPTRegressor",
        "Score",
    ),
    *("SimulationSummary", "StudyResult", "Transcript"),
    *("BusyError", "CheckpointError", "ConfigError", "DatasetError", "DivergedError", "DnasptError", "InputError"),
    *("NoMemoryError", "NoSpaceError", "NotFiniteError"),
    "__version__",
}


def test_dir_lists_the_api_and_nothing_else() -> None:
    assert set(dir(dnaspt)) == set(dnaspt.__all__) == API


@pytest.mark.parametrize("name", sorted(API))
def test_every_listed_name_is_there(name: str) -> None:
    assert getattr(dnaspt, name) is not None


@pytest.mark.slow
def test_using_a_subpackage_hides_no_public_function() -> None:
    code = (
        "import importlib, pkgutil, dnaspt\n"
        "for module in pkgutil.iter_modules(dnaspt.__path__):\n"
        "    if module.name != '__main__': importlib.import_module('dnaspt.' + module.name)\n"
        "print(all(callable(getattr(dnaspt, name)) for name in dnaspt.__all__ if name != '__version__'))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "True"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'pretrian'"):
        dnaspt.pretrian  # noqa: B018


def test_importing_the_package_loads_no_library() -> None:
    code = (
        "import sys, dnaspt; print([n for n in ('torch', 'numpy', 'pandas', 'pydantic', 'rich') if n in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
