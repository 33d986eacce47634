"""Where a command may write: not where it reads, and not where another process writes."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from dnaspt.errors import BusyError, ConfigError, DatasetError, InputError
from dnaspt.output import locked_output, make_folder, refuse_existing, refuse_inputs
from dnaspt.owner import Owner

HOLD = """
import sys
from pathlib import Path
from dnaspt.output import locked_output
with locked_output(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run with files, a genome, and other names for both."""
    (tmp_path / "runs" / "pre" / "best").mkdir(parents=True)
    for name in ("runs/pre/run.json", "runs/pre/genes.gff3", "genome.fa"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("runs/pre")
    (tmp_path / "elsewhere").symlink_to("runs")
    os.link(tmp_path / "genome.fa", tmp_path / "hard.fa")
    return tmp_path


@pytest.mark.parametrize(
    ("out", "how"),
    [
        ("runs/pre", "is"),
        ("runs/../runs/pre/", "is"),
        ("link", "is"),
        ("elsewhere/pre", "is"),
        ("runs/pre/new", "lies in"),
        ("link/new/deep", "lies in"),
        ("runs", "holds"),
        ("elsewhere", "holds"),
        (".", "holds"),
    ],
)
def test_a_folder_is_not_written_where_a_folder_is_read(folder: Path, out: str, how: str) -> None:
    expected = f"{folder / out}: {how} the encoder {folder}/runs/pre, which is read; choose another --out"
    with pytest.raises(ConfigError, match=f"^{re.escape(expected)}$"):
        refuse_inputs(folder / out, {"data": None, "encoder": folder / "runs" / "pre"})


@pytest.mark.parametrize("out", ["runs/new", "runs/pre2", "new", "runs/pre-best/best"])
def test_a_folder_beside_what_is_read_is_written(folder: Path, out: str) -> None:
    refuse_inputs(folder / out, {"encoder": folder / "runs" / "pre", "data": folder / "nothing"})


def test_a_path_is_compared_from_wherever_it_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "runs")
    with pytest.raises(ConfigError, match=r"^pre: is the encoder .*, which is read"):
        refuse_inputs(Path("pre"), {"encoder": folder / "link"})


@pytest.mark.parametrize("out", ["genome.fa", "hard.fa", "runs/../genome.fa", "here.fa", "."])
def test_a_file_that_is_read_is_not_replaced(folder: Path, out: str) -> None:
    (folder / "here.fa").symlink_to("genome.fa")
    with pytest.raises(ConfigError, match=f"(is|holds) the genome {folder}/genome.fa, which is read"):
        refuse_inputs(folder / out, {"genome": [folder / "other.fa", folder / "genome.fa"]}, is_file=out != ".")


def test_a_file_in_a_run_may_be_written_but_not_replace_one_of_the_runs_own(folder: Path) -> None:
    run = {"run": folder / "runs" / "pre"}
    for name in ("new.parquet", "genes.gff3", "new.html"):
        refuse_inputs(folder / "runs" / "pre" / name, run, is_file=True)
    with pytest.raises(ConfigError, match=r"run\.json: lies in the run .*runs/pre, which is read"):
        refuse_inputs(folder / "link" / "run.json", run, is_file=True)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of tmp_path/out."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_told_who_writes_there_and_since_when(
    held: subprocess.Popen[str], tmp_path: Path
) -> None:
    host = Owner.this_process().host
    told = rf"out: PID {held.pid} on {host} has been writing there since 20\d\d-.*\+00:00; wait for it, .*--out; hint$"
    (tmp_path / "link").symlink_to("out")
    for out in (tmp_path / "out", tmp_path / "x" / ".." / "out"):
        with pytest.raises(BusyError, match=told), locked_output(out, hint="; hint"):
            pass
    with pytest.raises(BusyError, match="link: PID"), locked_output(tmp_path / "link"):
        pass
    with locked_output(tmp_path / "other"):
        pass
    held.communicate()
    with locked_output(tmp_path / "out"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_killed_owner_frees_its_lock(held: subprocess.Popen[str], tmp_path: Path) -> None:
    held.kill()
    held.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.lock", ".out.owner"]
    with locked_output(tmp_path / "out"):
        assert str(os.getpid()) in (tmp_path / ".out.owner").read_text()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("owner", [None, "", "[]", "{}", "\x00"])
def test_a_lock_whose_owner_is_not_on_record_is_one(
    held: subprocess.Popen[str], tmp_path: Path, owner: str | None
) -> None:
    file = tmp_path / ".out.owner"
    file.unlink() if owner is None else file.write_text(owner)
    with (
        pytest.raises(BusyError, match="out: another process writes there; wait for it"),
        locked_output(file.parent / "out"),
    ):
        pass


def test_a_lock_holds_between_threads_and_is_given_back_after_an_error(tmp_path: Path) -> None:
    told = []

    def second() -> None:
        try:
            with locked_output(tmp_path / "out"):
                told.append("written")
        except BusyError as error:
            told.append(str(error))

    with pytest.raises(KeyboardInterrupt), locked_output(tmp_path / "out"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        raise KeyboardInterrupt
    assert len(told) == 1 and f"PID {os.getpid()}" in told[0]
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_an_output_is_made_for_its_lock(tmp_path: Path) -> None:
    with locked_output(tmp_path / "deep" / "er" / "out"):
        assert (tmp_path / "deep" / "er" / ".out.lock").is_file()


def test_where_nothing_can_be_locked_that_is_said_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with locked_output(tmp_path / "out"):
        assert list(tmp_path.iterdir()) == []
    expected = "could not be locked (No locks available); see that no other process writes there"
    assert caplog.messages == [f"{tmp_path / 'out'}: {expected}"]


@pytest.mark.skipif(os.name != "posix", reason="Windows does not say which processes run")
def test_what_a_killed_process_left_of_this_output_is_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    host = Owner.this_process().host
    for name in ("out", "other"):
        (tmp_path / f".{name}.unfinished-{host}-{2**30}-7").mkdir()
    with locked_output(tmp_path / "out"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [f".other.unfinished-{host}-{2**30}-7"]
    assert "removed; PID" in caplog.text


def test_a_folder_that_cannot_be_made_is_an_error_and_no_lock_that_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"cannot be made \(Not a directory\)"),
        locked_output(tmp_path / "file" / "deep" / "out"),
    ):
        pass
    assert caplog.messages == [] and [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("genome.fa/new", "Not a directory"),
        ("genome.fa/new/deep", "Not a directory"),
        ("a" * 300, "File name too long"),
    ],
)
def test_a_path_that_nothing_can_have_is_refused_in_one_line(folder: Path, out: str, why: str) -> None:
    expected = f"{folder / out}: cannot be made ({why}); choose another --out"
    with pytest.raises(InputError, match=f"^{re.escape(expected)}$"):
        refuse_inputs(folder / out, {})
    with pytest.raises(InputError, match=r"cannot be made \("), locked_output(folder / out / "run"):
        raise AssertionError("nothing can be written there")


def test_a_link_that_leads_to_itself_is_refused(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"loop: cannot be made \(Too many levels of symbolic links\)"):
        refuse_inputs(folder / "loop", {})


def test_a_folder_is_made_where_a_link_leads_to(folder: Path) -> None:
    (folder / "dangling").symlink_to("runs/later")
    make_folder(folder / "dangling" / "deep")
    assert (folder / "runs" / "later" / "deep").is_dir()


def test_what_is_there_is_replaced_on_request_alone(tmp_path: Path) -> None:
    file = tmp_path / "genes.gff3"
    refuse_existing(file, overwrite=False)
    file.touch()
    refuse_existing(file, overwrite=True)
    with pytest.raises(ConfigError, match=r"genes\.gff3: already there; choose another --out, or say --overwrite$"):
        refuse_existing(file, overwrite=False)
    with pytest.raises(DatasetError, match="choose another --cds, or say"):
        refuse_existing(tmp_path, overwrite=False, option="--cds", error=DatasetError)
