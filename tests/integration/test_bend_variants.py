"""BEND's variant effects: windows around variants, zero-shot scores, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.integration.in_process import dnaspt, letters

from dnaspt.bend.prepare import PrepareBendConfig, prepare_bend
from dnaspt.checkpoint import CheckpointConfig, load_model, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.data.dataset import read_split
from dnaspt.errors import InputError
from dnaspt.genome.alphabet import decode
from dnaspt.models.language_model import LanguageModel

GENOME = letters(4000, 11)
TASK = "variant_effects_disease"


def bed_of(rows: list[tuple[int, str, str, int]]) -> str:
    lines = ["chromosome\tstart\tend\tref\talt\tlabel"]
    return "\n".join([*lines, *(f"chr1\t{at}\t{at + 1}\t{ref}\t{alt}\t{label}" for at, ref, alt, label in rows)]) + "\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("bend"), np.random.default_rng(2)
    (folder / "data/variant_effects").mkdir(parents=True)
    (folder / "data/genomes").mkdir()
    (folder / "data/genomes/GRCh38.fa").write_text(f">chr1\n{GENOME}\n")
    rows = []
    for at in rng.permutation(4000)[:60].tolist():
        alt = rng.choice([letter for letter in "ACGT" if letter != GENOME[at]])
        rows.append((at, GENOME[at], alt, int(rng.random() < 0.4)))
    rows.append((7, "ACGT"["ACGT".index(GENOME[7]) - 1], GENOME[7], 1))
    (folder / f"data/variant_effects/{TASK}.bed").write_text(bed_of(rows))
    return folder


def test_windows_alleles_and_scores(root: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    ran = dnaspt("prepare", "bend", TASK, "--root", root, "--out", data)
    assert ran.code == 0, ran.errors
    manifest = json.loads((data / "manifest.json").read_text())
    assert manifest["counts"]["variants"] == 60 and manifest["dropped"] == {"reference_mismatch": 1}
    rows = read_split(data, "test")
    for window in rows:
        assert decode(window.codes) == GENOME[window.start : window.end]
        assert window.end - window.start == 513 or window.start == 0 or window.end == 4000
    torch.manual_seed(0)
    tiny = EncoderConfig(hidden_size=16, n_layers=4)
    save_checkpoint(
        run / "best" / "step-00000001", LanguageModel(tiny), CheckpointConfig(kind="language", encoder=tiny)
    )
    ran = dnaspt("evaluate", run, "--data", data)
    assert ran.code == 0, ran.errors
    (file,) = run.glob("evaluation-test-*.json")
    scores = json.loads(file.read_text())
    assert list(scores["auroc"]) == [
        "cosine",
        "cosine, both strands",
        "log ratio of reference to alternative, both strands",
    ]
    model, _ = load_model(run)
    distances = []
    bed = [line.split("\t") for line in (root / f"data/variant_effects/{TASK}.bed").read_text().splitlines()[1:-1]]
    for window in rows:
        (row,) = (
            row
            for row in bed
            if max(0, int(row[1]) - 256) == window.start and min(4000, int(row[1]) + 257) == window.end
        )
        at = int(row[1]) - window.start
        changed = window.codes.copy()
        changed[at] = "ACGT".index(row[4])
        assert int(row[5]) == window.labels[0]
        with torch.no_grad():
            one, two = (
                model.encoder(torch.from_numpy(codes.copy())[None])[0, at].double() for codes in (window.codes, changed)
            )
        distances.append(1 - float(torch.nn.functional.cosine_similarity(one, two, dim=0)))
    assert scores["auroc"]["cosine"]["value"] == pytest.approx(roc_auc_score(rows.labels, distances))
    ran = dnaspt("finetune", data, "--out", tmp_path / "no")
    assert ran.code == 2 and "scored without training" in " ".join(ran.errors)


def test_what_does_not_fit_is_refused(root: Path, tmp_path: Path) -> None:
    bed = tmp_path / "own.bed"
    base, alt = GENOME[5], "ACGT"["ACGT".index(GENOME[5]) - 1]
    for text, message in (
        (bed_of([(5, base, "AC", 1)]), r"own\.bed:2: alt AC; expected one of A, C, G, T"),
        (bed_of([(5, base, alt, 2)]), r"own\.bed:2: label 2; expected 0 or 1"),
        (bed_of([(4000, "A", "C", 1)]), r"own\.bed:2: chr1:4000 is off the contig"),
        (bed_of([(5, base, alt, 1)]).replace("alt", "other"), "no column alt"),
        (bed_of([(5, base, alt, 1)]).replace("chr1", "1"), "the names differ only in 'chr'"),
    ):
        bed.write_text(text)
        with pytest.raises(InputError, match=message):
            prepare_bend(PrepareBendConfig(task=TASK, root=root, bed=bed, out=tmp_path / "data"))
        assert not (tmp_path / "data").exists()
