"""Names on the hub: what is one, what is downloaded and checked, what is pushed, and what no error says."""

import logging
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from tests.hub_server import TOKEN, Hub, Repository

from dnaspt.checkpoint import build_model, save_checkpoint
from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import EncoderConfig
from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.hub import FILES, check_push, local_folder, push
from dnaspt.security import OFFLINE

TEXTS = ("config.json", "README.md")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small pretrained model with a card, and a file that is nobody's business."""
    config = CheckpointConfig(kind="language", encoder=EncoderConfig(hidden_size=8, n_layers=1))
    card = {"README.md": "---\nlicense: mit\n---\n", "notes.txt": "mine alone"}
    save_checkpoint(tmp_path / "model", build_model(config), config, card)
    return tmp_path / "model"


def publish(hub: Hub, model: Path, *, private: bool = False) -> Repository:
    hub.models["lab/model"] = made = Repository(private)
    made.commit({path.name: path.read_bytes() for path in model.iterdir()} | {"pytorch_model.bin": b"pickle"})
    return made


@pytest.mark.parametrize("path", ["runs/genes", "/lab/model", "model", "lab/model/best", "-lab/model"])
def test_a_path_is_no_name_on_the_hub(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`runs` is a folder here, so what is misspelt in it is not looked for elsewhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asked the network"))
    assert local_folder(Path(path)) == Path(path)
    with pytest.raises(ConfigError, match="is no name on the Hugging Face hub, so it has no revision 'main'"):
        local_folder(Path(path), "main")


def test_only_settings_and_tensors_are_downloaded_and_nothing_else(
    hub: Hub, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = publish(hub, model)
    folder = local_folder(Path("lab/model"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert all((folder / name).read_bytes() == (model / name).read_bytes() for name in FILES)
    assert f"lab/model: no folder here; taken from the Hugging Face hub, pin it as lab/model@{made.sha}" in caplog.text
    assert not [line for line in hub.asked if "pickle" in line or "pytorch_model" in line or "README" in line]


def test_a_revision_is_a_commit_in_either_spelling(hub: Hub, model: Path) -> None:
    made = publish(hub, model)
    first = made.sha
    changed = dict(made.commits[first]) | {"config.json": b"{}"}
    second = made.commit(changed)
    assert (local_folder(Path("lab/model")) / "config.json").read_bytes() == b"{}"
    assert (
        local_folder(Path("lab/model"), first).name == local_folder(Path(f"lab/model@{first}")).name == first != second
    )
    with pytest.raises(ConfigError, match="names a revision, and 'main' is another one"):
        local_folder(Path(f"lab/model@{first}"), "main")
    with pytest.raises(
        CheckpointError, match=r"lab/model: no such folder, and it could not be had .*Revision Not Found"
    ):
        local_folder(Path("lab/model@nothing"))


def test_offline_takes_the_copy_that_is_here_and_asks_nobody(
    hub: Hub, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub, model)
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(
        CheckpointError, match=r"no copy of a model of that name on the hub is here; leave --offline out once"
    ):
        local_folder(Path("lab/model"))
    monkeypatch.delenv(OFFLINE)
    folder = local_folder(Path("lab/model"))
    monkeypatch.setenv(OFFLINE, "1")
    hub.asked.clear()
    assert local_folder(Path("lab/model")) == local_folder(Path(f"lab/model@{folder.name}")) == folder
    assert not hub.asked
    monkeypatch.delenv(OFFLINE)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert local_folder(Path("lab/model")) == folder and not hub.asked
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lab/model: .*model\.safetensors"):
        local_folder(Path("lab/model"))


def test_a_hub_that_does_not_answer_is_an_error_of_one_line(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(CheckpointError) as told:
        local_folder(Path("lab/model"))
    assert (
        str(told.value) == "lab/model: no such folder, and it could not be had from the Hugging Face hub (ConnectError)"
    )


def test_what_is_no_checkpoint_or_too_large_is_not_downloaded(hub: Hub, model: Path) -> None:
    made = publish(hub, model)
    made.commit({"pytorch_model.bin": b"pickle", "config.json": b"{}"})
    with pytest.raises(
        CheckpointError, match=r"lab/model: has no model\.safetensors on the hub; expected a model of 'dnaspt"
    ):
        local_folder(Path("lab/model"))
    publish(hub, model)
    hub.lies = {"size": 1 << 40}
    with pytest.raises(
        CheckpointError, match=r"config\.json has 1,099,511,627,776 bytes on the hub; expected 67,108,864 at"
    ):
        local_folder(Path("lab/model"))
    assert not [line for line in hub.asked if "/resolve/" in line]


@pytest.mark.parametrize(
    ("lie", "said"),
    [({"sha256": "0" * 64}, "does not have the sha256 that the hub says"), ({"size": 7}, "bytes; expected 7;")],
)
def test_a_file_that_is_not_what_the_hub_says_is_refused(
    lie: dict[str, object], said: str, hub: Hub, model: Path
) -> None:
    publish(hub, model)
    hub.lies = lie
    with pytest.raises(CheckpointError, match=said):
        local_folder(Path("lab/model"))


def test_without_huggingface_hub_a_name_is_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        CheckpointError, match=r"lab/model: no such folder; models on the .*; pip install huggingface_hub"
    ):
        local_folder(Path("lab/model"))
    with pytest.raises(ConfigError, match="need huggingface_hub, which is not installed"):
        check_push("lab/model")


def test_a_private_model_needs_its_owner(hub: Hub, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub, model, private=True)
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    with pytest.raises(CheckpointError, match="if it is there, log in with 'hf auth login', or set HF_TOKEN"):
        local_folder(Path("lab/model"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert local_folder(Path("lab/model")).is_dir()


def test_pushed_files_are_private_and_come_back_as_they_were(hub: Hub, model: Path) -> None:
    pushed = push(model, "me/model", (*FILES, "README.md"))
    made = hub.models["me/model"]
    assert made.private and pushed.commit == made.sha and pushed.url == f"{hub.url}/me/model"
    assert set(made.commits[made.sha]) == {".gitattributes", *FILES, "README.md"}  # not the notes
    folder = local_folder(Path("me/model"))
    assert all((folder / name).read_bytes() == (model / name).read_bytes() for name in FILES)
    assert not [line for line in hub.asked if TOKEN in line]


def test_a_model_that_is_there_is_replaced_only_where_that_is_asked_for(hub: Hub, model: Path) -> None:
    made = publish(hub, model, private=True)
    before = made.sha
    with pytest.raises(ConfigError, match="lab/model: has 5 files on the hub; choose another name, or say --overwrite"):
        push(model, "lab/model", FILES)
    assert made.sha == before
    push(model, "lab/model", FILES, overwrite=True)
    assert set(made.commits[made.sha]) == set(FILES) and before in made.commits  # no pickle is left beside the tensors


def test_nothing_becomes_public_unless_that_is_asked_for(
    hub: Hub, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub.models["lab/open"] = made = Repository(private=False)
    made.commit({})
    with pytest.raises(ConfigError, match="lab/open: is there and is public; say --public, or choose another name"):
        push(model, "lab/open", FILES)
    push(model, "lab/open", FILES, public=True)
    push(model, "me/open", FILES, public=True)
    assert not hub.models["me/open"].private
    hub.models["lab/closed"] = closed = Repository(private=True)
    closed.commit({})
    push(model, "lab/closed", FILES, public=True)
    assert closed.private and "lab/closed: is there and stays private" in caplog.text


def test_a_push_without_a_right_to_it_is_one_line_without_the_token(
    hub: Hub, model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as told:
        push(model, "me/model", FILES)
    assert "could not be pushed to the Hugging Face hub" in str(told.value) and "hf auth login" in str(told.value)
    assert "\n" not in str(told.value) and "hf_wrong" not in str(told.value) + caplog.text and not hub.models


def test_what_cannot_be_pushed_is_told_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("model", "a/b/c", "../model", "me/", "me/my model", "https://huggingface.co/me/model"):
        with pytest.raises(ConfigError, match="expected OWNER/NAME"):
            check_push(name)
    check_push("me/model")
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(
        ConfigError, match=r"me/model: cannot be pushed, since --offline \(DNASPT_OFFLINE\) forbids network"
    ):
        check_push("me/model")


def test_a_copy_is_found_by_its_name_even_where_the_working_folder_changes(
    hub: Hub, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub, model)
    folder = local_folder(Path("lab/model"))
    assert folder.is_absolute()
    monkeypatch.chdir(tmp_path)
    os.makedirs("lab")
    assert local_folder(Path("lab/model")) == Path("lab/model")  # a folder of that name: a path
    shutil.copytree(model, tmp_path / "lab" / "model")
    assert local_folder(Path("lab/model")) == Path("lab/model")
