"""What others may see of a run: no path, the scores of this checkpoint, and the dataset if it is the one."""

import json
import shutil
from pathlib import Path

import pytest

import dnaspt
from dnaspt.atomic import sha256_of_file
from dnaspt.checkpoint_config import find_checkpoint, read_config
from dnaspt.errors import CheckpointError, ConfigError, DatasetError
from dnaspt.sharing.source import read_shareable


def test_a_run_is_read_with_its_scores_its_data_and_how_often_test_was_scored(shared: Path, windows: Path) -> None:
    run = read_shareable(shared / "rich")
    assert run.checkpoint == find_checkpoint(shared / "rich")
    assert [evaluation.split for evaluation in run.evaluations] == ["test"] and run.n_test == 1
    assert run.manifest is not None and run.manifest.digest == run.config.data_digest
    assert run.data == windows.name and run.result is not None
    own = read_config(shared / "rich")
    assert run.config.model_copy(update={"provenance": own.provenance}) == own
    assert str(shared) not in run.config.model_dump_json() and "alice" not in run.config.model_dump_json()


def test_a_dataset_that_is_not_the_run_s_is_refused_or_left_out(
    rich: Path, gene_data: Path, windows: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match=r"genes: is not the dataset that .* was trained on \(digests differ\)"):
        read_shareable(rich, gene_data)
    with pytest.raises(DatasetError, match="nothing: no such folder"):
        read_shareable(rich, tmp_path / "nothing")
    moved = shutil.copytree(windows, tmp_path / "moved")
    assert read_shareable(rich, moved).data == "moved" and read_shareable(rich, moved).manifest is not None
    file = find_checkpoint(rich) / "config.json"
    content = json.loads(file.read_text())
    for folder, said in ((tmp_path / "nothing", "no such folder"), (gene_data, "holds another dataset now")):
        content["provenance"]["settings"]["data"] = str(folder)
        file.write_text(json.dumps(content))
        assert read_shareable(rich).manifest is None and said in caplog.text


def test_scores_of_another_checkpoint_are_left_out_and_named(rich: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that was extended after it was scored has another best checkpoint."""
    checkpoint = find_checkpoint(rich)
    checkpoint.rename(checkpoint.with_name("step-00000009"))
    assert not read_shareable(rich).evaluations
    assert f"evaluation-test.json: scores of {checkpoint.name}, not of step-00000009: left out" in caplog.text


def test_a_checkpoint_alone_has_no_scores(shared: Path) -> None:
    run = read_shareable(find_checkpoint(shared / "rich"))
    assert (run.evaluations, run.n_test, run.result) == ((), 0, None)
    assert not run.is_unfinished
    with pytest.raises(CheckpointError, match="no such folder"):
        read_shareable(shared / "nothing")


def test_a_run_that_has_not_come_to_its_end_is_known_as_such(rich: Path) -> None:
    assert not read_shareable(rich).is_unfinished
    (rich / "result.json").unlink()
    assert read_shareable(rich).is_unfinished and read_shareable(rich).result is None


def test_a_model_that_needs_a_folder_of_this_machine_is_refused(rich: Path) -> None:
    file = find_checkpoint(rich) / "config.json"
    content = json.loads(file.read_text())
    encoder = {"architecture": "published", "sha256": "0" * 64, "hidden_size": 8, "n_tokens": 64, "chunk_bp": 62}
    for path, is_shared in (("/home/alice/dnabert", False), (str(rich), False), ("lab/dnabert", True)):
        file.write_text(json.dumps(content | {"encoder": encoder | {"path": path}}))
        if is_shared:
            assert read_shareable(rich).config.encoder.hidden_size == 8
            continue
        with pytest.raises(CheckpointError, match="reads with a Hugging Face model in a folder of this machine"):
            read_shareable(rich)


def test_the_dataset_of_a_fold_is_the_one_that_the_fold_saw(simulated: Path, tmp_path: Path) -> None:
    data = dnaspt.prepare_regions(
        simulated / "genome.fa", simulated / "peaks_A.bed", out=tmp_path / "data", window_bp=128, core_bp=64, folds=3
    )
    quick = {"steps": 1, "batch_bp": 1024, "tensorboard": False, "preset": "tiny", "accelerator": "cpu", "fold": 2}
    run = dnaspt.finetune(data, out=tmp_path / "run", **quick)
    seen = read_shareable(run.path).manifest
    assert seen is not None and seen.fold == 2 and seen.digest != data.manifest.digest
    assert seen.sources[0].sha256 == sha256_of_file(simulated / "genome.fa")
