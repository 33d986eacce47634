"""Text files as other systems and programs write them: the same lines, or an error that names the cause."""

import gzip
import os
import random
import re
from collections.abc import Generator
from pathlib import Path

import pysam
import pytest

from dnaspt.errors import InputError
from dnaspt.genome import text_files
from dnaspt.genome.text_files import check_text_file, open_bytes, open_text, unpacked_name

TEXT = b"first\n\nsecond \xc3\xa9\n"


def write(folder: Path, content: bytes, name: str = "a.txt") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(path: Path) -> bytes:
    with open_text(path) as file:
        return file.read()


def test_a_folder_no_file_or_a_pipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; expected a file"):
        open_bytes(tmp_path)
    with pytest.raises(InputError, match="No such file or directory; expected a readable file"):
        open_bytes(tmp_path / "none.fa")
    if hasattr(os, "mkfifo"):  # Windows has none
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError, match="is a pipe or a device; expected a file, since it is read more than once"):
            check_text_file(tmp_path / "pipe")


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.replace(b"\n", b"\r"),
        b"first\r\nsecond \xc3\xa9\n".replace(b"\r\n", b"\r\r"),
        b"\xef\xbb\xbf" + TEXT,
        gzip.compress(TEXT.replace(b"\n", b"\r"), mtime=0),
        gzip.compress(b"\xef\xbb\xbf" + TEXT[:7], mtime=0) + gzip.compress(TEXT[7:], mtime=0) + bytes(100),
    ],
    ids=["plain", "old-mac", "mixed", "bom", "old-mac-gzip", "bom-two-members-and-zeros"],
)
def test_lines_are_the_same_whoever_wrote_them(tmp_path: Path, content: bytes) -> None:
    assert read(write(tmp_path, content)) == TEXT


def test_lines_of_windows_stay_as_they_are_also_where_they_were_converted_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for end in (b"\r\n", b"\r\r\n", b"\r\r\r\n"):
        content = TEXT.replace(b"\n", end)
        assert read(write(tmp_path, content)) == content
    assert not caplog.messages


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 5, 8])
def test_a_return_may_stand_anywhere_in_a_buffer(n_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a plain replacement in the whole text."""
    monkeypatch.setattr(text_files, "_BUFFER_BYTES", n_bytes)
    chance = random.Random(n_bytes)
    for number in range(300):
        content = b"ab" + bytes(chance.choices(b"ac\r\n", k=chance.randrange(12)))
        path = write(tmp_path, content, f"{number}.txt")
        with open_text(path) as file:
            lines = b"".join(file)
        longest = max(len(run) for run in re.findall(rb"\r*", content))
        if longest < n_bytes:  # returns that fill the buffer are lines without text
            assert lines == re.sub(rb"\r(?!\r*\n)", b"\n", content), content
        assert lines.split() == content.split()


def test_old_line_ends_are_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, b"a\rb\r" * 9)
    assert read(path) == read(path) == b"a\nb\n" * 9
    assert caplog.messages == [f"{path}: has lines that end with \\r alone, as on old Macs; each is read as a line"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_text_is_named(encoding: str, tmp_path: Path) -> None:
    for content in (TEXT.decode().encode(encoding), gzip.compress(TEXT.decode().encode(encoding))):
        with pytest.raises(InputError, match=r"a\.txt: text in UTF-16 .*; expected text in UTF-8 or ASCII; save it as"):
            check_text_file(write(tmp_path, content))


@pytest.mark.parametrize(("magic", "what", "do"), text_files._NOT_TEXT)
def test_other_formats_are_named_with_what_to_do(magic: bytes, what: str, do: str, tmp_path: Path) -> None:
    packed = gzip.compress(magic + b"\x01\x02")
    for content in (packed,) if magic == b"\x1f\x8b" else (magic + b"\x01\x02", packed):
        with pytest.raises(InputError, match=f"a.txt: is {what}; expected a text file.*; {re.escape(do)}"):
            check_text_file(write(tmp_path, content))


def packed_without_end_mark(folder: Path, content: bytes) -> Path:
    path = folder / "a.gz"
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(content)
    return write(folder, path.read_bytes()[:-28], "a.gz")


def test_bgzip_without_its_end_mark_is_read_if_it_ends_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = packed_without_end_mark(tmp_path, TEXT)
    assert read(path) == TEXT
    assert caplog.messages == [
        f"{path}: bgzip data without their end mark; if the file was copied, compare its size: its end may be missing"
    ]
    with pytest.raises(InputError, match=r"and they end within a line; expected a whole file; copy it again; if it is"):
        read(packed_without_end_mark(tmp_path, TEXT[:-1]))
    check_text_file(path)


def test_bgzip_that_is_cut_within_a_block_is_refused(tmp_path: Path) -> None:
    content = random.Random(0).randbytes(300_000).hex().encode() + b"\n"
    path = packed_without_end_mark(tmp_path, content)
    whole = path.read_bytes()
    for n_bytes in (18, 1000, len(whole) // 2, len(whole) - 1):
        with pytest.raises(InputError, match=r"broken gzip data|end within a line"):
            read(write(tmp_path, whole[:n_bytes], "a.gz"))


def test_a_file_is_closed_where_a_reader_stops(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)

    def lines() -> Generator[bytes]:
        with open_text(path) as file:
            yield from file

    reader = lines()
    assert next(reader) == b"first\n"
    reader.close()
    with pytest.raises(StopIteration):
        next(reader)
    assert read(path) == TEXT


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.bed.gz", "a.bed"),
        ("a.bed.bgz", "a.bed"),
        ("A.BED.GZ", "A.BED"),
        ("a.bed", "a.bed"),
        (".gz", ".gz"),
        ("agz", "agz"),
    ],
)
def test_the_ending_of_gzip_is_no_part_of_a_name(name: str, expected: str) -> None:
    assert unpacked_name(Path("folder") / name) == expected
