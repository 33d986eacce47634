"""A run to a folder that is a checkpoint like any other, to transformers, and to the hub; or a reason why not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from tests.hub_server import TOKEN, Hub

import dnaspt
from dnaspt.checkpoint import load_model, read_tensors
from dnaspt.checkpoint_config import find_checkpoint, read_config
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.evaluation.results import read_evaluation
from dnaspt.output import locked_output
from dnaspt.security import OFFLINE
from dnaspt.sharing.export import export_run
from dnaspt.sharing.options import FILES, ExportOptions


def test_the_folder_is_a_checkpoint_with_the_same_weights_and_predictions(shared: Path, tmp_path: Path) -> None:
    exported = export_run(shared / "rich", ExportOptions(to=tmp_path / "out", license="mit"))
    assert exported.files == FILES and exported.for_transformers and exported.folder == str(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert exported.n_bytes == sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    (before, config), (after, described) = load_model(shared / "rich"), load_model(tmp_path / "out")
    assert described.model_copy(update={"provenance": config.provenance}) == config
    weights = [model.state_dict() for model in (before, after)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    rows = [
        dnaspt.load(folder, accelerator="cpu").predict_proba(["ACGT" * 50])
        for folder in (shared / "rich", tmp_path / "out")
    ]
    assert np.array_equal(*rows)
    with safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_what_takes_a_run_takes_the_folder(
    shared: Path, windows: Path, gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    for name in ("pre", "rich", "genes"):
        export_run(shared / name, ExportOptions(to=tmp_path / name))
    quick = {"steps": 1, "batch_bp": 2048, "tensorboard": False, "accelerator": "cpu"}
    run = dnaspt.finetune(windows, out=tmp_path / "tuned", encoder=tmp_path / "pre", **quick)
    assert read_config(run.path).provenance["encoder"]["data_digest"] == read_config(shared / "pre").data_digest
    assert "model_type" not in json.loads((find_checkpoint(run.path) / "config.json").read_text())
    scores = dnaspt.evaluate(tmp_path / "rich", windows, accelerator="cpu")
    before = read_evaluation(shared / "rich" / "evaluation-test.json")
    assert scores.primary == before.primary and scores.same_data
    both = dnaspt.ensemble(windows, [tmp_path / "rich", run], out=tmp_path / "both", accelerator="cpu")
    assert dnaspt.load(both).predict_proba("ACGT" * 50).shape == (1, 3)
    dnaspt.load(tmp_path / "genes").predict_file(simulated / "genome.fa", tmp_path / "genes.gff3")
    assert "rich" in str(dnaspt.inspect(tmp_path / "rich"))
    again = export_run(find_checkpoint(both.path), ExportOptions(to=tmp_path / "joined"))
    assert again.files == ("config.json", "model.safetensors", "README.md") and not again.for_transformers


def test_no_file_of_the_folder_says_where_or_by_whom_it_was_made(shared: Path, windows: Path, tmp_path: Path) -> None:
    for name in ("pre", "rich", "genes"):
        export_run(shared / name, ExportOptions(to=tmp_path / name))
        for file in (tmp_path / name).iterdir():
            content = file.read_bytes()
            for private in (
                b"alice",
                str(tmp_path).encode(),
                str(windows.parent).encode(),
                str(Path.home()).encode() + b"/",
            ):
                assert private not in content, (file, private)


def test_a_model_in_bend_s_format_becomes_one_in_ours(shared: Path, tmp_path: Path) -> None:
    bend = export_run(shared / "pre", ExportOptions(to=tmp_path / "bend", format="bend"))
    assert bend.files == ("config.json", "model.safetensors") and not bend.for_transformers
    assert any(name.startswith("model.encoder.") for name in read_tensors(tmp_path / "bend" / "model.safetensors"))
    assert export_run(tmp_path / "bend", ExportOptions(to=tmp_path / "ours")).for_transformers
    before, after = (load_model(folder)[0].state_dict() for folder in (shared / "pre", tmp_path / "ours"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    assert config["provenance"] == {"format": "BEND ConvNet"}  # its masked base is a T


def test_nothing_is_replaced_but_an_exported_folder_on_request(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_run(shared / "rich", ExportOptions(to=out))
    (out / "README.md").write_text("changed by hand")
    with pytest.raises(CheckpointError, match="out: already there; choose another --to, or say --overwrite"):
        export_run(shared / "rich", ExportOptions(to=out))
    assert (out / "README.md").read_text() == "changed by hand"
    export_run(shared / "pre", ExportOptions(to=out, overwrite=True))
    assert "masked language model" in (out / "README.md").read_text()
    (out / "notes.txt").write_text("mine")
    for folder in (out, tmp_path):
        with pytest.raises(CheckpointError, match="is there and holds more than an exported model"):
            export_run(shared / "pre", ExportOptions(to=folder, overwrite=True))
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(CheckpointError, match=r"notes\.txt: is a file; expected a folder"):
        export_run(shared / "pre", ExportOptions(to=out / "notes.txt", overwrite=True))
    with pytest.raises(ConfigError, match="lies in the run"):
        export_run(shared / "pre", ExportOptions(to=shared / "pre" / "out"))
    with locked_output(tmp_path / "busy"), pytest.raises(dnaspt.BusyError):
        export_run(shared / "pre", ExportOptions(to=tmp_path / "busy"))


def test_no_run_and_a_damaged_one_leave_nothing_behind(rich: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing: no such folder"):
        export_run(tmp_path / "nothing", ExportOptions(to=tmp_path / "out"))
    file = find_checkpoint(rich) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="is it whole"):
        export_run(rich, ExportOptions(to=tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rich"]


def test_a_pushed_model_is_loaded_by_its_name(shared: Path, hub: Hub) -> None:
    exported = export_run(shared / "rich", ExportOptions(push="lab/rich", license="cc0-1.0"))
    assert exported.pushed is not None and exported.folder == "" and exported.files == FILES
    made = hub.models["lab/rich"]
    card = made.commits[made.sha]["README.md"].decode()
    assert made.private and exported.pushed.commit == made.sha
    assert "license: cc0-1.0" in card and 'dnaspt.load("lab/rich")' in card and "# rich" in card
    model = dnaspt.load("lab/rich", revision=made.sha, accelerator="cpu")
    own = dnaspt.load(shared / "rich", accelerator="cpu")
    assert np.array_equal(model.predict_proba("ACGT" * 50), own.predict_proba("ACGT" * 50))
    assert model.is_on_disk and model.path.name == made.sha
    assert TOKEN not in str(exported) + card


def test_a_folder_is_pushed_with_what_its_author_changed(shared: Path, hub: Hub, tmp_path: Path) -> None:
    out = tmp_path / "rich"
    export_run(shared / "rich", ExportOptions(to=out, push="lab/one"))
    first = hub.models["lab/one"]
    assert set(first.commits[first.sha]) == {".gitattributes", *FILES}
    card = (out / "README.md").read_text().replace("## Limits", "## Limits\n\nWritten by hand.")
    (out / "README.md").write_text(card)
    export_run(out, ExportOptions(push="lab/two"))
    second = hub.models["lab/two"]
    assert second.commits[second.sha]["README.md"].decode() == card
    for options, said in (
        (ExportOptions(to=tmp_path / "copy"), "is exported already; copy it, or push it with --push alone"),
        (ExportOptions(push="lab/three", license="mit"), r"is exported already; change its README\.md"),
    ):
        with pytest.raises(ConfigError, match=said):
            export_run(out, options)


def test_a_push_that_fails_leaves_the_folder_and_says_how_to_go_on(
    shared: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    with pytest.raises(ConfigError, match=r"out is written: push it with 'dnaspt export .*out --push lab/rich'"):
        export_run(shared / "rich", ExportOptions(to=tmp_path / "out", push="lab/rich"))
    assert dnaspt.load(tmp_path / "out").task == "regions" and not hub.models
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(ConfigError, match="--offline"):
        export_run(shared / "rich", ExportOptions(to=tmp_path / "other", push="lab/rich"))
    assert not (tmp_path / "other").exists()


def test_a_checkpoint_with_a_readme_beside_it_is_pushed_without_its_paths(
    shared: Path, hub: Hub, tmp_path: Path
) -> None:
    own = shutil.copytree(find_checkpoint(shared / "rich"), tmp_path / "own")
    (own / "README.md").write_text("my notes")
    assert "alice" in (own / "config.json").read_text()
    export_run(own, ExportOptions(push="lab/own"))
    files = hub.models["lab/own"].commits[hub.models["lab/own"].sha]
    assert b"alice" not in b"".join(files.values()) and b"library_name: dnaspt" in files["README.md"]


def test_a_folder_of_others_with_a_readme_is_no_exported_one(shared: Path, tmp_path: Path) -> None:
    export_run(shared / "pre", ExportOptions(to=tmp_path / "bend", format="bend"))
    (tmp_path / "bend" / "README.md").write_text("by somebody else")
    export_run(tmp_path / "bend", ExportOptions(to=tmp_path / "ours"))
    with pytest.raises(CheckpointError, match="holds more than an exported model"):
        export_run(shared / "pre", ExportOptions(to=tmp_path / "bend", overwrite=True))


def test_a_name_with_spaces_and_a_folder_that_is_empty_are_fine(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "my best model"
    out.mkdir()
    exported = export_run(shared / "pre", ExportOptions(to=out))
    assert "# my best model" in (out / "README.md").read_text() and exported.summary()["files"] == FILES
    shutil.copytree(out, tmp_path / "elsewhere")
    assert dnaspt.load(tmp_path / "elsewhere").embed("ACGT").shape == (1, 8)
