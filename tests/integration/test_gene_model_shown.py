"""What `finetune`, `inspect` and `report` show of a gene model: how it was estimated, and nothing of a training."""

from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt as command

import dnaspt
from dnaspt.checkpoint_config import read_config
from dnaspt.models.gene_model import WEIGHT_NAMES
from dnaspt.training.runs import read_result
from dnaspt.words import words_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("shown")]  # one process makes what these tests start from


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a dataset."""
    folder = tmp_path_factory.mktemp("shown")
    dnaspt.simulate(folder / "genome", n_contigs=3, contig_bp=30_000, seed=3)
    files = folder / "genome" / "genome.fa", folder / "genome" / "annotation.gff3"
    dnaspt.prepare_genes(*files, out=folder / "data")
    return folder


@pytest.fixture(scope="module")
def printed(folder: Path) -> str:
    """What `finetune` prints of a gene model of letters, in the folder `run`."""
    ran = command("finetune", folder / "data", "--out", folder / "run", "--head", "gene-model")
    assert ran.code == 0, ran.errors
    return ran.printed


def test_scores_are_printed_as_those_of_an_estimate(printed: str) -> None:
    assert "run: train: out of fold; valid" in " ".join(printed.split())
    assert "F1 of exons on train, out of fold" in printed and "F1 of exons on valid" in printed and "minutes" in printed
    assert "best checkpoint" not in printed
    assert not any(f"{words_of(name)} " in printed for name in ("best_step", "steps", "precision"))


def test_a_run_holds_what_it_was_estimated_on(folder: Path, printed: str) -> None:
    result, provenance = read_result(folder / "run"), read_config(folder / "run").provenance
    assert provenance["n_bp"] == result.n_bp > 0
    assert result.is_estimated and result.scores["train_mcc"] == provenance["train_mcc"]
    assert result.to_dict()["best_step"] == 0 and "best_step" not in result.summary()


def test_a_gene_model_is_described_by_what_was_estimated(folder: Path, printed: str) -> None:
    tables = dnaspt.inspect(folder / "run").tables
    about, scores, weights, offsets = tables
    assert about.title == f"{folder / 'run'}: gene model"
    values = dict(about.rows)
    provenance = read_config(folder / "run").provenance
    assert values["genes learned from"] == f"{provenance['n_genes']:,}" and provenance["n_genes"] >= 3
    assert values["bases learned from"] == f"{provenance['n_bp']:,}"
    expected = {
        "sites scored by": "letters",
        "label fraction": "1",
        "seed": "0",
        "genetic code": "1",
        "start codons": "ATG",
    }
    assert {name: values[name] for name in expected} == expected and int(values["shortest intron, bp"]) >= 10
    assert scores.title == "scores; train: out of fold" and scores.columns[1] == "train, out of fold"
    assert [row[0] for row in scores.rows] == ["MCC", "F1 of coding bases", "F1 of exons", "F1 of genes"]
    assert float(scores.rows[0][1]) == pytest.approx(provenance["train_mcc"], abs=1e-3)
    assert float(scores.rows[0][2]) == pytest.approx(provenance["valid_mcc"], abs=1e-3)
    assert [row[0] for row in weights.rows] == list(WEIGHT_NAMES)
    assert offsets.title == "exons by gene offset; train: out of fold"
    assert [row[0] for row in offsets.rows] == ["-6", "-4", "-2", "+0", "+2", "+4", "+8"]
    text = "\n".join(map(str, tables))
    assert not any(name in text for name in ("architecture", "n_layers", "kernel_size", "train_mcc", "best_step"))


def test_a_report_of_gene_models_has_no_curves(folder: Path, printed: str) -> None:
    dnaspt.evaluate(folder / "run", folder / "data")
    ran = command("report", folder / "run", "--data", folder / "data", "--out", folder / "report.html")
    assert ran.code == 0, ran.errors
    assert {file.name for file in (folder / "report_figures").iterdir()} == {"scores.svg", "locus.svg"}
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "none (letters)" in text
    assert not any(words in text for words in ("best at step", "of the head alone", "Training loss"))
