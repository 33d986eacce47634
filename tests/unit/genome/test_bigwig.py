"""bigWig files: what is written is read back, and broken files, full disks and the library's panics become errors of one line."""

import errno
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pybigtools
import pytest

from dnaspt.errors import InputError, NoSpaceError
from dnaspt.genome import bigwig
from dnaspt.genome.bigwig import bigwig_contigs, is_bigwig, read_bigwig, write_bigwig

CHRS = ("chr1", "chr2")
CONTIGS = [("chr2", 20_000), ("chr10", 20_000), ("empty", 7)]


def blocks() -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """500 intervals with gaps and 400 without, in two blocks each."""
    starts, values = np.arange(0, 5000, 10), np.random.default_rng(0).random(500)
    long = np.arange(0, 4000, 10)
    return [
        ("chr2", starts[:100], starts[:100] + 5, values[:100]),
        ("chr2", starts[100:], starts[100:] + 5, values[100:]),
        ("chr10", long[:1], long[:1] + 10, np.array([-3.0])),
        ("chr10", long[1:], long[1:] + 10, long[1:] / 7),
    ]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_bigwig(tmp_path / "a.bw", CONTIGS, blocks())
    return tmp_path / "a.bw"


def test_what_is_written_is_read_back_to_the_last_bit_of_float32(written: Path) -> None:
    signals = dict(read_bigwig(written))
    assert list(signals) == ["chr2", "chr10"]
    for contig, signal in signals.items():
        starts, ends, values = (np.concatenate(column) for column in list(zip(*blocks()))[1:])
        mine = np.repeat([block[0] for block in blocks()], [len(block[1]) for block in blocks()]) == contig
        assert np.array_equal(signal.intervals, np.stack([starts, ends], axis=1)[mine])
        assert np.array_equal(signal.values, values[mine].astype(np.float32).astype(np.float64))


def test_another_reader_sees_the_same_file(written: Path) -> None:
    with pybigtools.open(str(written)) as file:
        assert file.chroms() == {"chr2": 20_000, "chr10": 20_000}
        assert list(file.records("chr10"))[:2] == [(0, 10, -3.0), (10, 20, pytest.approx(10 / 7))]
        assert np.isnan(file.values("chr2", 5, 10, fillna=None)).all()


def test_a_file_is_known_by_its_first_bytes(written: Path, tmp_path: Path) -> None:
    (tmp_path / "track").write_bytes(written.read_bytes())
    assert is_bigwig(tmp_path / "track") and len(list(read_bigwig(tmp_path / "track"))) == 2
    (tmp_path / "text.bw").write_text("chr1\t0\t1\n")
    assert not is_bigwig(tmp_path / "text.bw")
    with pytest.raises(InputError, match="no bigWig"):
        list(read_bigwig(tmp_path / "text.bw"))


def test_long_blocks_are_cut_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: Path
) -> None:
    monkeypatch.setattr(bigwig, "_RECORDS_AT_ONCE", 7)
    write_bigwig(tmp_path / "b.bw", CONTIGS, blocks())
    pairs = zip(read_bigwig(tmp_path / "b.bw"), read_bigwig(written), strict=True)
    assert all(np.array_equal(one.values, other.values) for (_, one), (_, other) in pairs)


def test_every_cut_within_the_data_is_an_error_of_one_line(
    written: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = written.read_bytes()
    index = struct.unpack_from("<Q", whole, 24)[0]
    for n_bytes in range(0, index, 101):
        (tmp_path / "cut.bw").write_bytes(whole[:n_bytes])
        with pytest.raises(InputError, match=r"cut\.bw: no bigWig, or a truncated one"):
            list(read_bigwig(tmp_path / "cut.bw"))
    assert capfd.readouterr() == ("", "")


def spoiled(path: Path, at: int, value: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


def test_a_panic_is_an_error_of_one_line_and_nothing_is_written_to_the_terminal(
    written: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = struct.unpack_from("<Q", written.read_bytes(), 16)[0]
    with pytest.raises(InputError, match=r"a\.bw: a broken bigWig; expected a whole one; copy it again"):
        list(read_bigwig(spoiled(written, data + 30, b"\xff\xff\xff\xff")))
    assert capfd.readouterr() == ("", "")
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"


def test_a_number_of_contigs_that_no_file_can_have_is_refused_before_memory_is_reserved(written: Path) -> None:
    contigs = struct.unpack_from("<Q", written.read_bytes(), 8)[0]
    with pytest.raises(InputError, match="no bigWig, or a truncated one"):
        list(read_bigwig(spoiled(written, contigs + 16, struct.pack("<Q", 1 << 60))))


@pytest.mark.parametrize("length", [1 << 40, 1 << 63])
def test_a_block_that_ends_beyond_the_file_is_refused_before_memory_is_reserved(written: Path, length: int) -> None:
    index = struct.unpack_from("<Q", written.read_bytes(), 24)[0]
    first_block = index + 48 + 4
    with pytest.raises(InputError, match="no bigWig, or a truncated one"):
        list(read_bigwig(spoiled(written, first_block + 24, struct.pack("<Q", length))))


def test_an_index_that_leads_in_a_circle_is_refused(written: Path) -> None:
    root = struct.unpack_from("<Q", written.read_bytes(), 24)[0] + 48
    circle = struct.pack("<BBHIIIIQ", 0, 0, 1, 0, 0, 1, 1000, root)
    with pytest.raises(InputError, match="no bigWig, or a truncated one"):
        list(read_bigwig(spoiled(written, root, circle)))


def test_a_block_of_another_contig_than_the_index_says_is_refused(written: Path) -> None:
    index = struct.unpack_from("<Q", written.read_bytes(), 24)[0]
    first_block = index + 48 + 4
    with pytest.raises(InputError, match=r"a\.bw: a broken bigWig; expected a whole one"):
        list(read_bigwig(spoiled(written, first_block, struct.pack("<I", 7))))


def test_blocks_that_the_index_no_longer_names_are_missed(written: Path) -> None:
    index = struct.unpack_from("<Q", written.read_bytes(), 24)[0]
    n_blocks = struct.unpack_from("<H", written.read_bytes(), index + 48 + 2)[0]
    with pytest.raises(InputError, match=r"values of [0-9,]+ bases; expected 6,500, as its header says"):
        list(read_bigwig(spoiled(written, index + 48 + 2, struct.pack("<H", n_blocks - 1))))


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_no_changed_byte_ends_the_process_or_changes_a_value(
    tmp_path: Path, flip: int, capfd: pytest.CaptureFixture[str]
) -> None:
    starts = np.array([3, 10, 40])
    write_bigwig(tmp_path / "a.bw", [("chr1", 60), ("chr2", 60)], [(c, starts, starts + 2, starts / 64) for c in CHRS])
    whole = (tmp_path / "a.bw").read_bytes()
    values = [(starts / 64).tolist()] * 2
    n_read = 0
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= flip
        (tmp_path / "b.bw").write_bytes(changed)
        try:
            signals = list(read_bigwig(tmp_path / "b.bw"))
        except InputError as error:
            assert "bigWig" in str(error) and "\n" not in str(error)
            continue
        n_read += 1
        assert [signal.values.tolist() for _, signal in signals] == values
        assert all(np.array_equal(signal.intervals[:, 0], starts) for _, signal in signals)
    assert 0 < n_read < len(whole)
    assert capfd.readouterr() == ("", "")


def by_hand(order: str, *sections: tuple[int, int, int, int, bytes], is_packed: bool = True) -> bytes:
    """A bigWig of contigs x (0) and y (1) with sections of (contig, kind, step, span, records), all from base 100 on."""
    sizes = {1: 12, 2: 8, 3: 4}
    blocks = [
        struct.pack(f"{order}IIIIIBBH", contig, 100, 200, step, span, kind, 0, len(records) // sizes[kind]) + records
        for contig, kind, step, span, records in sections
    ]
    blocks = [zlib.compress(block) for block in blocks] if is_packed else blocks
    contigs = struct.pack(f"{order}4I2Q", 0x78CA8C91, 2, 1, 8, 2, 0) + struct.pack(f"{order}BBH", 1, 0, 2)
    contigs += b"".join(struct.pack(f"{order}cII", name, number, 999) for number, name in enumerate((b"x", b"y")))
    data = 64 + len(contigs)
    offsets = [data + 8 + sum(map(len, blocks[:number])) for number in range(len(blocks))]
    index = offsets[-1] + len(blocks[-1])
    header = (
        bigwig.MAGIC if order == "<" else bigwig.MAGIC[::-1],
        4,
        0,
        64,
        data,
        index,
        0,
        0,
        0,
        0,
        int(is_packed),
        0,
    )
    leaves = [
        struct.pack(f"{order}4I2Q", section[0], 0, section[0], 999, offset, len(block))
        for section, offset, block in zip(sections, offsets, blocks)
    ]
    return b"".join(
        [
            struct.pack(f"{order}4sHHQQQHHQQIQ", *header),
            contigs,
            struct.pack(f"{order}Q", len(blocks)),
            *blocks,
            struct.pack(f"{order}IIQIIIIQII", 0x2468ACE0, 256, len(blocks), 0, 0, 1, 999, index, 1, 0),
            struct.pack(f"{order}BBH", 1, 0, len(blocks)),
            *leaves,
        ]
    )


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_kind_of_section_is_read(tmp_path: Path, order: str, is_packed: bool) -> None:
    sections = [
        (0, 1, 0, 0, struct.pack(f"{order}IIfIIf", 100, 104, 0.5, 110, 111, -1.0)),
        (0, 2, 0, 2, struct.pack(f"{order}IfIf", 120, 0.25, 130, float("nan"))),
        (1, 3, 10, 3, struct.pack(f"{order}fff", 1.0, 2.0, 3.0)),
    ]
    (tmp_path / "a.bw").write_bytes(by_hand(order, *sections, is_packed=is_packed))
    signals = dict(read_bigwig(tmp_path / "a.bw"))
    assert list(signals) == ["x", "y"]
    assert signals["x"].intervals.tolist() == [[100, 104], [110, 111], [120, 122], [130, 132]]
    assert signals["x"].values[:3].tolist() == [0.5, -1, 0.25] and np.isnan(signals["x"].values[3])
    assert signals["y"].intervals.tolist() == [[100, 103], [110, 113], [120, 123]]
    assert signals["y"].values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "sections",
    [
        [(0, 1, 0, 0, struct.pack("<IIfIIf", 100, 104, 1, 103, 105, 1))],
        [(0, 2, 0, 2, struct.pack("<IfIf", 120, 1, 110, 1))],
        [(0, 3, 0, 1, struct.pack("<ff", 1, 1))],
        [(0, 3, 5, 0, struct.pack("<f", 1))],
        [(1, 3, 5, 1, struct.pack("<f", 1)), (0, 3, 5, 1, struct.pack("<f", 1))],
        [(0, 3, 5, 1, struct.pack("<f", 1)), (0, 3, 5, 1, struct.pack("<f", 1))],
        [(2, 3, 5, 1, struct.pack("<f", 1))],
        [(0, 3, 5, 1, b"")],
    ],
)
def test_values_that_overlap_or_are_out_of_order_are_refused(tmp_path: Path, sections: list) -> None:
    (tmp_path / "a.bw").write_bytes(by_hand("<", *sections))
    with pytest.raises(InputError, match="a broken bigWig"):
        list(read_bigwig(tmp_path / "a.bw"))


def test_a_file_without_a_summary_is_read(written: Path) -> None:
    assert len(dict(read_bigwig(spoiled(written, 44, bytes(8))))["chr2"].values) == 500


def test_a_bigwig_that_is_packed_is_refused_with_what_to_do(written: Path, tmp_path: Path) -> None:
    import gzip

    (tmp_path / "a.bw.gz").write_bytes(gzip.compress(written.read_bytes()))
    with pytest.raises(InputError, match="packed with gzip; expected a plain one; unpack it"):
        list(read_bigwig(tmp_path / "a.bw.gz"))


@pytest.mark.parametrize(
    ("starts", "ends", "values"),
    [
        ([5, 0], [6, 1], [1, 1]),
        ([0, 3], [4, 6], [1, 1]),
        ([40], [60], [1]),
        ([0], [1], [np.nan]),
        ([0], [1], [1e300]),
        ([3], [3], [1]),
    ],
)
def test_intervals_a_bigwig_cannot_hold_leave_no_file(tmp_path: Path, starts: list, ends: list, values: list) -> None:
    block = ("a", np.array(starts), np.array(ends), np.array(values, dtype=float))
    with pytest.raises(ValueError, match="a: "):
        write_bigwig(tmp_path / "out.bw", [("a", 50)], [block])
    assert not list(tmp_path.iterdir())


def test_contigs_out_of_order_leave_no_file(tmp_path: Path) -> None:
    one = np.array([0])
    with pytest.raises(ValueError, match="chr2: intervals overlap, are out of order"):
        write_bigwig(tmp_path / "out.bw", CONTIGS, [(name, one, one + 1, one) for name in ("chr2", "chr10", "chr2")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyError("mine"), KeyboardInterrupt()])
def test_an_error_of_who_gives_the_blocks_reaches_the_caller(
    tmp_path: Path, error: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
        yield blocks()[0]
        raise error

    with pytest.raises(type(error)):
        write_bigwig(tmp_path / "out.bw", CONTIGS, broken())
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")


def test_a_bigwig_without_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out\.bw: no value to write; a bigWig cannot be empty"):
        write_bigwig(tmp_path / "out.bw", CONTIGS, [])
    assert not list(tmp_path.iterdir())


def test_a_bigwig_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"out\.bw: could not be written \(No such file or directory\)"):
        write_bigwig(tmp_path / "none" / "out.bw", CONTIGS, blocks())


@pytest.mark.parametrize("n_bytes", [0, 1000, 300_000, 700_000, 830_000])
def test_a_full_disk_leaves_no_bigwig(tmp_path: Path, n_bytes: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Whether the library panics, prints or says nothing depends on where space ends; 835 kB are needed."""
    resource = pytest.importorskip("resource", reason="limits of file size are a matter of POSIX systems")
    starts = np.arange(100_000) * 10
    many = [("a", starts, starts + 5, np.random.default_rng(0).random(100_000))]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        with pytest.raises(NoSpaceError, match=r"out\.bw: could not be written \(File too large\); make room"):
            write_bigwig(tmp_path / "out.bw", [("a", 1_000_000)], many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")
    write_bigwig(tmp_path / "out.bw", [("a", 1_000_000)], many)
    assert (tmp_path / "out.bw").stat().st_size > n_bytes


def test_a_file_that_does_not_hold_what_was_sent_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk, with a disk that has room again."""

    class Forgetful:
        def __init__(self, path: str, mode: str) -> None:
            self.writer = true_open(path, mode)

        def write(self, lengths: dict[str, int], records: Iterator[tuple[str, int, int, float]]) -> None:
            self.writer.write(lengths, iter([*records][:-1]))

    true_open = pybigtools.open
    monkeypatch.setattr(
        pybigtools, "open", lambda path, mode="r": (Forgetful if mode == "w" else true_open)(path, mode)
    )
    with pytest.raises(InputError, match=r"out\.bw: could not be written to its end; is the disk of .* full"):
        write_bigwig(tmp_path / "out.bw", CONTIGS, blocks())
    assert not list(tmp_path.iterdir())


def test_without_standard_error_the_library_is_called_all_the_same(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(descriptor: int) -> int:
        raise OSError(errno.EBADF, "closed")

    monkeypatch.setattr(os, "dup", closed)
    assert len(list(read_bigwig(written))) == 2


def test_contigs_of_a_file_are_listed_without_its_values(written: Path, tmp_path: Path) -> None:
    assert {chrom for chrom, _ in read_bigwig(written)} <= set(bigwig_contigs(written))
    for content in (b"", b"hello", written.read_bytes()[:80]):
        (tmp_path / "bad.bw").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.bw: no bigWig, or a truncated one"):
            bigwig_contigs(tmp_path / "bad.bw")
