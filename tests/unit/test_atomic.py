"""Files and folders that appear whole or not at all."""

import errno
import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from dnaspt.atomic import (
    atomic_file,
    atomic_folder,
    content_of,
    remove_leftovers,
    sha256_of_file,
    write_text_atomically,
)
from dnaspt.errors import NoSpaceError
from dnaspt.owner import Owner

GONE = replace(Owner.this_process(), pid=2**30)
"""A process of this host that does not run: no system gives such a number."""
ELSEWHERE = replace(GONE, host="elsewhere")


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


def test_what_is_unfinished_says_who_writes_it(tmp_path: Path) -> None:
    tag = Owner.this_process().tag
    with atomic_folder(tmp_path / "out") as folder, atomic_file(tmp_path / "a.txt") as file:
        file.touch()
        assert (folder.name, file.name) == (f".out.unfinished-{tag}", f".a.txt.unfinished-{tag}")


def test_a_folder_is_written_to_where_a_symbolic_link_leads(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("disk/data")  # not there yet
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "link") as unfinished:
            (unfinished / name).touch()
        assert os.readlink(tmp_path / "link") == "disk/data"
        assert _names(tmp_path) == ["disk", "disk/data", f"disk/data/{name}", "link"]


def test_a_file_takes_the_place_of_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_text("ACGT")
    (tmp_path / "link").symlink_to("genome.fa")
    write_text_atomically(tmp_path / "link", "new")
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "genome.fa").read_text() == "ACGT"


@pytest.mark.skipif(os.name != "posix", reason="Windows does not say which processes run")
def test_what_a_process_that_is_gone_left_is_removed_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, file = tmp_path / f".out.unfinished-{GONE.tag}", tmp_path / f".run.json.unfinished-{GONE.tag}"
    folder.mkdir()
    for path in (folder / "inside", file):
        path.touch()
    (tmp_path / ".other").touch()
    remove_leftovers(tmp_path, "out")
    assert _names(tmp_path) == [".other", file.name]
    remove_leftovers(tmp_path)
    assert _names(tmp_path) == [".other"]
    assert caplog.messages == [
        f"{path}: removed; PID {2**30} on {GONE.host} left it unfinished and runs no more" for path in (folder, file)
    ]
    remove_leftovers(tmp_path / "nothing")


def test_what_may_be_in_use_stays_and_is_named_with_its_age(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old = tmp_path / ".out.unfinished-12345"  # as dnaspt 0.1 named it
    names = {f".out.unfinished-{ELSEWHERE.tag}": 3 * 86_400, old.name: 7_300, f".out.unfinished-{os.getpid()}": 5}
    for name, age in names.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, (tmp_path / name).stat().st_mtime - age))
    remove_leftovers(tmp_path, "out")
    assert _names(tmp_path) == sorted(names)
    assert sorted(caplog.messages) == sorted(
        f"{tmp_path / name}: unfinished, of {who}, last written {age} ago; remove it if nobody writes it"
        for name, who, age in zip(
            names, (ELSEWHERE, "process 12345", f"process {os.getpid()}"), ("3 days", "2 hours", "5 seconds")
        )
    )


def test_what_this_process_writes_is_not_left_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with atomic_folder(tmp_path / "out"):
        remove_leftovers(tmp_path, "out")
        assert content_of(tmp_path) == []
    assert _names(tmp_path) == ["out"] and caplog.messages == []


@pytest.mark.skipif(os.name != "posix", reason="Windows does not say which processes run")
def test_an_older_folder_that_was_aside_when_its_process_was_killed_is_put_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aside = tmp_path / f".out.replaced-{GONE.tag}"
    (aside / "old").mkdir(parents=True)
    remove_leftovers(tmp_path, "out")
    assert _names(tmp_path) == ["out", "out/old"] and "out: put back; " in caplog.text
    (aside / "older").mkdir(parents=True)  # killed a moment later: the new one is in its place
    remove_leftovers(tmp_path, "out")
    assert _names(tmp_path) == ["out", "out/old"]


def test_the_content_of_a_folder_is_what_is_finished(tmp_path: Path) -> None:
    assert content_of(tmp_path / "nothing") == []
    for name in (".run.json.unfinished-1", f".best.replaced-{ELSEWHERE.tag}", "run.json", ".hidden"):
        (tmp_path / name).touch()
    assert sorted(path.name for path in content_of(tmp_path)) == [".hidden", "run.json"]


def test_a_leftover_that_cannot_be_removed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left = tmp_path / f".out.unfinished-{GONE.tag}"
    left.touch()
    caplog.set_level(logging.WARNING)

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "not allowed")

    monkeypatch.setattr(Owner, "is_gone", True)
    monkeypatch.setattr(Path, "unlink", refuse)
    remove_leftovers(tmp_path)
    assert caplog.messages == [f"{left}: is left over, and could not be removed (not allowed)"]
