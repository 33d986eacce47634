"""Checksums of downloaded files: kept at the first download, and compared later."""

import json
from pathlib import Path, PurePosixPath

import pytest

from dnaspt.atomic import sha256_of_file
from dnaspt.bend.download import CHECKSUMS, Checksums
from dnaspt.bend.share import RemoteFile
from dnaspt.errors import DnasptError, InputError

REMOTE = RemoteFile(PurePosixPath("data/x.bed"), "https://host/data/x.bed")


def put(root: Path, text: str) -> Path:
    file = root / REMOTE.path
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


def test_a_file_is_what_was_downloaded(tmp_path: Path) -> None:
    checksums = Checksums(tmp_path)
    assert not checksums.verify(REMOTE)
    file = put(tmp_path, "first")
    checksums.add(REMOTE)
    assert checksums.verify(REMOTE) and Checksums(tmp_path).verify(REMOTE)
    (kept,) = json.loads((tmp_path / CHECKSUMS).read_text()).values()
    assert kept["sha256"] == sha256_of_file(file) and kept["n_bytes"] == 5 and kept["url"] == REMOTE.url


def test_a_file_that_has_changed_is_left_alone_and_told(tmp_path: Path) -> None:
    put(tmp_path, "first")
    Checksums(tmp_path).add(REMOTE)
    file = put(tmp_path, "mine")
    with pytest.raises(InputError, match=r"has changed since it was downloaded; expected SHA-256 .*remove it"):
        Checksums(tmp_path).verify(REMOTE)
    assert file.read_text() == "mine"


def test_a_file_that_was_not_downloaded_is_left_alone_and_told(tmp_path: Path) -> None:
    file = put(tmp_path, "mine")
    with pytest.raises(InputError, match=r"is there already, and checksums\.json knows nothing of it"):
        Checksums(tmp_path).verify(REMOTE)
    assert file.read_text() == "mine"


def test_another_file_of_the_same_name_is_removed(tmp_path: Path) -> None:
    put(tmp_path, "first")
    Checksums(tmp_path).add(REMOTE)
    file = put(tmp_path, "second")
    with pytest.raises(DnasptError, match=r"x\.bed: is not the file of .* any more; see"):
        Checksums(tmp_path).add(REMOTE)
    assert not file.exists()


_KEPT = {"sha256": "0" * 64, "n_bytes": 5, "url": "https://host/x", "date": "2025-01-01"}


@pytest.mark.parametrize(
    "entry",
    [
        {"sha": 1},
        "text",
        None,
        [],
        {},
        _KEPT | {"sha256": 5},
        _KEPT | {"sha256": "abc"},
        _KEPT | {"n_bytes": "5"},
        _KEPT | {"n_bytes": True},
        _KEPT | {"date": None},
        _KEPT | {"more": 1},
    ],
)
def test_checksums_that_are_broken_are_named(entry: object, tmp_path: Path) -> None:
    (tmp_path / CHECKSUMS).write_text(json.dumps({"a": entry}))
    with pytest.raises(InputError, match=r"checksums\.json: not the checksums of a download \('a' has not .*remove it"):
        Checksums(tmp_path)


@pytest.mark.parametrize("text", ["{", "", "[]", "\x00", "[" * 99_999, '{"a": ' * 9_999, '{"a": 1' + "0" * 9_999 + "}"])
def test_checksums_that_are_no_json_are_named(text: str, tmp_path: Path) -> None:
    (tmp_path / CHECKSUMS).write_text(text)
    with pytest.raises(InputError, match=r"checksums\.json: (not JSON|a list).*remove it"):
        Checksums(tmp_path)


def test_checksums_that_are_a_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / CHECKSUMS).mkdir()
    with pytest.raises(InputError, match=r"checksums\.json: Is a directory"):
        Checksums(tmp_path)


def test_checksums_that_are_a_link_are_replaced_and_not_written_through(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("{}")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / CHECKSUMS).symlink_to(mine)
    put(tmp_path / "root", "first")
    Checksums(tmp_path / "root").add(REMOTE)
    assert mine.read_text() == "{}" and not (tmp_path / "root" / CHECKSUMS).is_symlink()


def test_a_folder_where_a_file_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / REMOTE.path).mkdir(parents=True)
    with pytest.raises(InputError, match=r"x\.bed: is a folder; .*move it elsewhere"):
        Checksums(tmp_path).verify(REMOTE)
