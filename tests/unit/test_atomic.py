"""Files and folders that appear whole or not at all."""

import errno
from pathlib import Path

import pytest

from dnaspt.atomic import atomic_file, atomic_folder, sha256_of_file, write_text_atomically
from dnaspt.errors import NoSpaceError


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_folder_appears_when_its_block_ends_and_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for name in ("a", "b"):
        with atomic_folder(out) as unfinished:
            (unfinished / name).write_text(name)
            assert not (out / name).exists()
    assert _names(tmp_path) == ["deep", "deep/out", "deep/out/b"]


def test_a_block_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with atomic_folder(out) as unfinished:
        (unfinished / "a").write_text("a")
    write_text_atomically(tmp_path / "file", "old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(out) as unfinished:
        (unfinished / "b").write_text("b")
        raise KeyboardInterrupt
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "file") as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert _names(tmp_path) == ["file", "out", "out/a"]
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize("publish", [atomic_file, atomic_folder])
def test_a_full_disk_is_told_with_the_name_that_was_asked_for(tmp_path: Path, publish) -> None:
    with pytest.raises(NoSpaceError, match=r"out: could not be written \(No space left"), publish(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "no space")
    with pytest.raises(PermissionError), publish(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "not allowed")
    assert _names(tmp_path) == []


def test_a_folder_that_cannot_take_its_place_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with atomic_folder(out) as unfinished:
        (unfinished / "a").write_text("a")
    rename = Path.rename

    def refuse(path: Path, to: Path) -> Path:
        if ".unfinished-" in path.name:
            raise OSError(errno.EIO, "broken disk")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="broken disk"), atomic_folder(out):
        pass
    assert _names(tmp_path) == ["out", "out/a"]


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
