"""Files of any kind, plain, gzip or bgzip, to bytes; and text files to lines, whichever system wrote them."""

import codecs
import gzip
import io
import logging
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

from dnaspt.errors import InputError

log = logging.getLogger(__name__)

_BUFFER_BYTES = 1 << 18
_HEAD_BYTES = 64
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_LONE_RETURN = re.compile(rb"\r(?!\r*\n)")
"""A carriage return that ends a line by itself. Some programs write two of them before a line feed: these end one line."""

_NOT_TEXT = (
    (b"BCF", "BCF, the binary form of VCF", "convert it: bcftools view -Ov -o NAME.vcf NAME.bcf"),
    (b"BAM\1", "BAM", "reads of a sequencer are not read here"),
    (b"CRAM", "CRAM", "reads of a sequencer are not read here"),
    (b"TBI\1", "an index of tabix", "give the file that it belongs to"),
    (b"CSI\1", "an index of tabix or bcftools", "give the file that it belongs to"),
    (b"\x43\x27\x41\x1a", "2bit", "convert it: twoBitToFa NAME.2bit NAME.fa"),
    (b"\x1a\x41\x27\x43", "2bit", "convert it: twoBitToFa NAME.2bit NAME.fa"),
    (b"\xeb\xf2\x89\x87", "bigBed", "convert it: bigBedToBed NAME.bb NAME.bed"),
    (b"\x87\x89\xf2\xeb", "bigBed", "convert it: bigBedToBed NAME.bb NAME.bed"),
    (b"\x26\xfc\x8f\x88", "bigWig", "convert it: bigWigToBedGraph NAME.bw NAME.bedGraph"),
    (b"\x88\x8f\xfc\x26", "bigWig", "convert it: bigWigToBedGraph NAME.bw NAME.bedGraph"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the table as tab-separated text"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook", "save the table as tab-separated text"),
    (b"BZh", "packed with bzip2", "unpack it: bunzip2 NAME.bz2"),
    (b"\xfd7zXZ\0", "packed with xz", "unpack it: unxz NAME.xz"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "unpack it: unzstd NAME.zst"),
    (b"\x1f\x8b", "packed with gzip twice", "unpack it once"),
    (b"\x89HDF\r\n\x1a\n", "HDF5", "give a text file"),
    (b"PAR1", "Parquet", "give a text file"),
)
"""How files that are no text begin, what they are, and what to do."""


def open_bytes(path: Path) -> IO[bytes]:
    """Open a plain, gzip or bgzip file for reading bytes. Its content tells which of these it is, not its name.

    Raises:
        InputError: no such file, a folder, a pipe, or not readable.
    """
    return _open(path)[0]


@contextmanager
def open_text(path: Path) -> Iterator[IO[bytes]]:
    r"""Open a text file, plain, gzip or bgzip, for reading its bytes as lines that end with \n or \r\n.

    A byte order mark of UTF-8 is left out. Where lines end with \r alone, as on old Macs, it is read as \n. Both a file with
    such lines, and bgzip data without their end mark, which may be cut off, are read with a warning.

    Raises:
        InputError: as `open_bytes`; text in UTF-16, or no text at all; broken gzip data, also while the file is being read; bgzip
            data without their end mark that end within a line.
    """
    try:
        file, lacks_end_mark = _open(path)
        with file:
            head = cast(Any, file).peek(_HEAD_BYTES)[:_HEAD_BYTES]
            _check_text(path, head)
            if head.startswith(codecs.BOM_UTF8):
                file.read(len(codecs.BOM_UTF8))
            yield io.BufferedReader(_Lines(path, file, lacks_end_mark=lacks_end_mark), _BUFFER_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"broken gzip data ({error})", expected="a whole file", do="copy it again") from error


def check_text_file(path: Path) -> None:
    """Refuse what `open_text` would not open, before the work begins.

    Raises:
        InputError: as `open_text`.
    """
    with open_text(path):
        pass


def unpacked_name(path: Path) -> str:
    """Name of a file without the ending of gzip or bgzip: peaks.bed of peaks.bed.gz."""
    return re.sub(r"(?<=.)\.b?gz$", "", path.name, flags=re.IGNORECASE)


def _open(path: Path) -> tuple[IO[bytes], bool]:
    """The file, and whether it is bgzip without its end mark."""
    try:
        if path.is_dir():
            raise InputError(path, "is a folder", expected="a file")
        if path.exists() and not path.is_file():
            raise InputError(path, "is a pipe or a device", expected="a file, since it is read more than once")
        with path.open("rb") as file:
            magic = file.read(18)
            lacks_end_mark = _is_bgzip(magic) and not _has_end_mark(file)
    except OSError as error:
        raise InputError(path, error.strerror or str(error), expected="a readable file") from error
    if magic[:2] == b"\x1f\x8b":
        return cast(IO[bytes], gzip.open(path, "rb")), lacks_end_mark
    return path.open("rb"), False


def _is_bgzip(header: bytes) -> bool:
    """Whether gzip data begin with the extra field BC of bgzip (SAM specification, section 4.1)."""
    return header[:4] == b"\x1f\x8b\x08\x04" and header[12:16] == b"BC\x02\x00"


def _has_end_mark(file: IO[bytes]) -> bool:
    """Whether bgzip data end with the empty block of 28 bytes. Some programs leave it out; a cut between two blocks, too."""
    file.seek(0, os.SEEK_END)
    file.seek(-min(28, file.tell()), os.SEEK_END)
    return file.read() == _BGZIP_END


def _check_text(path: Path, head: bytes) -> None:
    """Refuse a file whose first bytes are those of another format, or of text in UTF-16 or UTF-32.

    Raises:
        InputError: it is. The error says what it is, and what to do.
    """
    has_wide_letters = len(head) > 3 and (not any(head[::2]) or not any(head[1::2])) and any(head)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)) or has_wide_letters:
        do = "save it as UTF-8, or: iconv -f UTF-16 -t UTF-8 NAME > NEW"
        raise InputError(path, "text in UTF-16 (Excel's 'Unicode text')", expected="text in UTF-8 or ASCII", do=do)
    for magic, what, do in _NOT_TEXT:
        if head.startswith(magic):
            raise InputError(path, f"is {what}", expected="a text file, plain, gzip or bgzip", do=do)


class _Lines(io.RawIOBase):
    r"""The bytes of a text file, with \n for each lone \r.

    Args:
        path: the file, for warnings.
        file: the file, open behind its byte order mark.
        lacks_end_mark: whether it is bgzip without its end mark.
    """

    def __init__(self, path: Path, file: IO[bytes], *, lacks_end_mark: bool) -> None:
        super().__init__()
        self._path, self._file = path, file
        self._lacks_end_mark = lacks_end_mark
        self._returns = b""  # at the end of what was read: the byte behind them says what they are
        self._last = b"\n"

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as `io.RawIOBase` has it; 0 at the end of the file."""
        chunk = self._returns
        while more := self._file.read(len(buffer) - len(chunk)):
            chunk += more
            if n_kept := len(chunk.rstrip(b"\r")):
                chunk, self._returns = chunk[:n_kept], chunk[n_kept:]
                break
        else:  # the end of the file, or a buffer full of returns
            self._returns = b""
        if chunk.count(b"\r") != chunk.count(b"\r\n"):
            chunk = self._with_line_feeds(chunk)
        if not chunk and self._lacks_end_mark:
            self._tell_lacking_end_mark()
        self._last = chunk[-1:] or self._last
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        chunk, n_lone = _LONE_RETURN.subn(b"\n", chunk)
        if n_lone:
            _warn_once(f"{self._path}: has lines that end with \\r alone, as on old Macs; each is read as a line")
        return chunk

    def _tell_lacking_end_mark(self) -> None:
        """Warn of bgzip data without their end mark.

        Raises:
            InputError: they end within a line, so that they are cut off.
        """
        found = "bgzip data without their end mark"
        if self._last != b"\n":
            do = "copy it again; if it is whole, unpack it with gzip -d"
            raise InputError(self._path, f"{found}, and they end within a line", expected="a whole file", do=do)
        _warn_once(f"{self._path}: {found}; if the file was copied, compare its size: its end may be missing")


@lru_cache(maxsize=1024)
def _warn_once(message: str) -> None:
    """Log a warning. The same one is not repeated, though a file may be opened several times."""
    log.warning("%s", message)
