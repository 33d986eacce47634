"""What the tables of malformed files are made of: good sources, writers of rows, and the commands that read them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pybigtools
from tests.integration.in_process import letters

FOLDER, ABSENT = "a folder", "no file"

CHR1, CHR2 = letters(1200, 1), letters(600, 2)
GENOME = f">chr1\n{CHR1}\n>chr2\n{CHR2}\n"


def feature(kind: str, first: object, last: object, attributes: str, **columns: str) -> str:
    """A row of GFF3 or GTF on the plus strand of chr1, with other columns where given."""
    chrom, strand, phase = (
        columns.get(name, default) for name, default in (("chrom", "chr1"), ("strand", "+"), ("phase", "0"))
    )
    return f"{chrom}\ttest\t{kind}\t{first}\t{last}\t.\t{strand}\t{phase}\t{attributes}\n"


TOP = "##gff-version 3\n" + feature("gene", 31, 120, "ID=g") + feature("mRNA", 31, 120, "ID=t;Parent=g")
GENES = TOP + feature("CDS", 31, 60, "Parent=t") + feature("CDS", 91, 120, "Parent=t")
PEAKS = "chr1\t100\t400\nchr1\t700\t900\n"


@dataclass(frozen=True)
class BadFile:
    """command: see `COMMANDS`; line: where the fault is, where a line is known; message: regular expression."""

    command: str
    content: str | bytes | Callable[[Path], None]
    line: int | None
    message: str

    def write(self, path: Path) -> None:
        """Put the file where it should be."""
        if self.content == FOLDER:
            path.mkdir()
        elif isinstance(self.content, bytes):
            path.write_bytes(self.content)
        elif callable(self.content):
            self.content(path)
        elif self.content != ABSENT:
            path.write_text(self.content)


_GENES = "prepare genes --genome {folder}/genome.fa --annotation {folder}/genes.gff3 --out {out} --window-bp 64"
_REGIONS = "prepare regions --genome {folder}/genome.fa --regions {folder}/peaks.bed --out {out} --window-bp 256"
_CALLS = "prepare methylation --genome {folder}/genome.fa --calls {file} --out {out} --window-bp 64"
COMMANDS = {
    "genome": _GENES.replace("{folder}/genome.fa", "{file}"),
    "annotation": _GENES.replace("{folder}/genes.gff3", "{file}"),
    "unknown": f"{_GENES} --unknown {{file}}",
    "unlabeled": f"{_GENES} --unlabeled {{file}}",
    "split": f"{_GENES} --split {{file}}",
    "split of windows": f"{_REGIONS} --split {{file}}",
    "config": f"{_GENES} --config {{file}}",
    "training": "pretrain {folder}/data --out {out} --config {file}",
    "regions": _REGIONS.replace("{folder}/peaks.bed", "{file}"),
    "blacklist": f"{_REGIONS} --blacklist {{file}}",
    "names": f"{_REGIONS} --labels-file {{file}}",
    "calls": _CALLS,
    "coverage": f"{_CALLS.replace('{file}', '{folder}/levels.bw')} --coverage {{file}}",
}


def bigwig(*rows: tuple[int, int, float], chrom: str = "chr1", keep: float = 1.0) -> Callable[[Path], None]:
    """A writer of a bigWig, cut off after a share of its bytes."""

    def write(path: Path) -> None:
        pybigtools.open(str(path), "w").write({chrom: 1200}, ((chrom, *row) for row in rows))
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return write


def call(start: object, end: object, coverage: object = 9, percent: object = 50, **columns: str) -> str:
    """A row of bedMethyl."""
    code, strand = columns.get("code", "m"), columns.get("strand", "+")
    return f"chr1\t{start}\t{end}\t{code}\t{coverage}\t{strand}\t{start}\t{end}\t255,0,0\t{coverage}\t{percent}\n"


CPG = CHR1.index("CG", 200)
CUT_GZIP = r"broken gzip data .*; expected a whole file; copy it again"
UTF16 = r"text in UTF-16 .*; expected text in UTF-8 or ASCII; save it as UTF-8, or: iconv"
IS_FOLDER = "is a folder; expected a file"
NOT_THERE = "No such file or directory; expected a readable file"
