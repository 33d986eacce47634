"""Options of an export: what makes no sense, what may be replaced, and how a model is called."""

import subprocess
import sys
from pathlib import Path

import pytest

from dnaspt.errors import CheckpointError, ConfigError
from dnaspt.sharing.options import ExportOptions, check_folder, check_options, is_exported, name_of


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "nowhere to export to; say --to FOLDER, --push NAME, or both"),
        ({"push": "model"}, "expected OWNER/NAME"),
        ({"to": "out", "license": "all rights"}, "license 'all rights'; expected a word of the hub"),
        ({"to": "out", "datasets": ("a b",)}, "dataset 'a b'; expected a name on the hub"),
        ({"to": "out", "public": True}, "public is for --push"),
        ({"to": "out", "format": "onnx"}, "format 'onnx'; expected hub or bend"),
        ({"to": "out", "format": "bend", "push": "me/x"}, "format bend is a folder alone"),
        ({"to": "out", "format": "bend", "license": "mit"}, "format bend has no card"),
    ],
)
def test_options_that_make_no_sense_are_told_before_anything_is_read(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_options(ExportOptions(**options))  # type: ignore[arg-type]


def test_a_folder_is_replaced_only_if_it_is_an_exported_one(tmp_path: Path) -> None:
    check_folder(tmp_path / "new", overwrite=False)
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty", overwrite=False)
    out = tmp_path / "out"
    out.mkdir()
    for name, text in (
        ("config.json", '{"format_version": 1, "provenance": {}}'),
        ("model.safetensors", ""),
        ("README.md", ""),
    ):
        assert not is_exported(out)
        (out / name).write_text(text)
    assert is_exported(out)
    check_folder(out, overwrite=True)
    with pytest.raises(CheckpointError, match="already there; choose another --to, or say --overwrite"):
        check_folder(out, overwrite=False)
    private = '{"format_version": 1, "provenance": {"settings": {"data": "/home/alice/data"}}}'
    for text in ('{"vocab_size": 7}', private):  # BEND's, and a checkpoint into which somebody has put a README
        (out / "config.json").write_text(text)
        assert not is_exported(out)


def test_a_model_is_called_as_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert name_of(Path(".")) == "here" and name_of(tmp_path / "my model") == "my model"


def test_a_mistake_is_told_without_torch_and_pandas() -> None:
    code = (
        "import sys, dnaspt\n"
        "try: dnaspt.export('missing', to='new')\n"
        "except dnaspt.CheckpointError: print([n for n in ('torch', 'pandas', 'transformers') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
