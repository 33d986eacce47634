"""Files that a user names to the tracks of a view, in the order annotation, genes, posteriors, regions, predictions, variants."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from dnaspt.errors import InputError
from dnaspt.genome.bigwig import bigwig_contigs
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.text_files import open_text, unpacked_name

log = logging.getLogger(__name__)

BIG_TEXT_BYTES = 200_000_000
"""A text file without an index is read whole by the page: above this size it is slow, and may be too much for it."""
_ORDER = ("annotation", "genes", "posteriors", "regions", "predictions", "variants")
_POSTERIORS = ("coding_plus", "coding_minus", "donor_plus", "donor_minus", "acceptor_plus", "acceptor_minus")


class FileKind(NamedTuple):
    """A kind of file that a view shows: its name for igv.js, what it is there, and the numbers of its columns of coordinates."""

    format: str
    track: Literal["annotation", "wig", "variant"]
    group: str
    start_column: int = 1
    first_base: int = 0


_GFF3, _GTF = FileKind("gff3", "annotation", "annotation", 3, 1), FileKind("gtf", "annotation", "annotation", 3, 1)
KINDS = {
    ".gff3": _GFF3,
    ".gff": _GFF3,
    ".gtf": _GTF,
    ".bed": FileKind("bed", "annotation", "regions"),
    ".narrowpeak": FileKind("narrowpeak", "annotation", "regions"),
    ".broadpeak": FileKind("broadpeak", "annotation", "regions"),
    ".bedmethyl": FileKind("bedmethyl", "annotation", "regions"),
    ".bw": FileKind("bigwig", "wig", "predictions"),
    ".bigwig": FileKind("bigwig", "wig", "predictions"),
    ".bedgraph": FileKind("bedgraph", "wig", "predictions"),
    ".bdg": FileKind("bedgraph", "wig", "predictions"),
    ".vcf": FileKind("vcf", "variant", "variants", 1, 1),
}
"""What a file is, by the end of its name (without .gz)."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file to show.

    Attributes:
        path: the file.
        name: how its track is called.
        kind: what it is.
        group: where it stands among the tracks, one of `_ORDER`.
        index: tabix index that lies beside a file packed with bgzip; None where there is none.
        first: contig, start and end of its first row on the genome; None for bigWig, and where there is no row.
    """

    path: Path
    name: str
    kind: FileKind
    group: str
    index: Path | None
    first: tuple[str, int, int] | None


def named_files(paths: Mapping[str, Path], genome: Path, lengths: Mapping[str, int]) -> list[NamedFile]:
    """Look at files and put them in the order in which a view shows them.

    Args:
        paths: files by the names of their tracks.
        genome: FASTA, for errors.
        lengths: its contigs and their lengths in bp.

    Raises:
        InputError: no such file, one of a kind that is not shown, or one none of whose contigs is in the genome.
    """
    files = [_named_file(path, name, genome, lengths) for name, path in paths.items()]
    return sorted(files, key=lambda file: _ORDER.index(file.group))


def unique_names(paths: Sequence[Path]) -> list[str]:
    """A name for each path: its last part; for those that share it, with the folders above it that tell them apart."""
    parts = [Path(path).absolute().parts for path in paths]
    names = [own[-1] for own in parts]
    for n_parts in range(2, max(map(len, parts), default=0) + 1):
        uses = Counter(names)
        names = ["/".join(own[-n_parts:]) if uses[name] > 1 else name for own, name in zip(parts, names, strict=True)]
    return names


def kind_of(path: Path) -> FileKind | None:
    """What a file is by its name; None where it is nothing that a view shows."""
    return KINDS.get(Path(unpacked_name(path)).suffix.lower())


def _named_file(path: Path, name: str, genome: Path, lengths: Mapping[str, int]) -> NamedFile:
    kind = kind_of(path)
    if kind is None:
        shown = ", ".join(KINDS)
        do = "predict into .bw or .bed to see windows" if path.suffix.lower() == ".parquet" else ""
        raise InputError(path, "a file of another kind", expected=f"a run, or a file that ends in {shown}", do=do)
    if kind.format == "bigwig":
        contigs, first, is_predicted = set(bigwig_contigs(path)), None, False
    else:
        contigs, first, is_predicted = _rows(path, kind, lengths)
    if contigs:
        absent = check_contigs(path, contigs, genome, lengths.keys(), strict=False)
        if absent:
            log.warning("%s: %d of %d contigs are not in %s", path, len(absent), len(contigs), genome)
    else:
        log.warning("%s: holds nothing", path)
    group = kind.group
    if group == "annotation" and is_predicted:
        group = "genes"
    if kind.track == "wig" and unpacked_name(path).rpartition(".")[0].endswith(_POSTERIORS):
        group = "posteriors"
    index = _index(path)
    if index is None and kind.format != "bigwig" and path.stat().st_size > BIG_TEXT_BYTES:
        told = (
            "%s: %d MB of text are read whole by the page; pack it with bgzip and index it with tabix to make it fast"
        )
        log.warning(told, path, path.stat().st_size // 1_000_000)
    return NamedFile(path, name, kind, group, index, first)


def _index(path: Path) -> Path | None:
    """The index that lies beside a file; none that is older than the file."""
    for end in (".tbi", ".csi"):
        index = path.with_name(path.name + end)
        if index.is_file():
            if index.stat().st_mtime >= path.stat().st_mtime:
                return index
            log.warning("%s: is older than %s, and is not used", index, path)
    return None


def _rows(path: Path, kind: FileKind, lengths: Mapping[str, int]) -> tuple[set[str], tuple[str, int, int] | None, bool]:
    """Contigs of a text file, its first row on the genome (contig, start, end), and whether dnaspt predicted what it holds."""
    contigs: set[str] = set()
    first, is_predicted = None, False
    with open_text(path) as file:
        for line in file:
            if line.startswith(b"##FASTA"):
                break
            if line.startswith((b"#", b"track", b"browser")) or not line.strip():
                continue
            chrom = line.split(None, 1)[0].decode("utf-8", "replace")
            if first is None and (chrom in lengths or not contigs):
                columns = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
                first = _place(columns, kind, lengths)
                is_predicted = is_predicted or _is_predicted(columns)
            contigs.add(chrom)
    return contigs, first, is_predicted


def _is_predicted(columns: Sequence[str]) -> bool:
    """Whether a row of GFF3 or GTF is a prediction of dnaspt, which has a score, or of a baseline."""
    return len(columns) > 5 and (columns[1] == "baseline" or (columns[1] == "dnaspt" and columns[5] != "."))


def _place(columns: Sequence[str], kind: FileKind, lengths: Mapping[str, int]) -> tuple[str, int, int] | None:
    """Contig, start and end of a row; None where it is not on the genome."""
    length_bp = lengths.get(columns[0], 0)
    try:
        start = int(columns[kind.start_column]) - kind.first_base
        end = start + 1 if kind.track == "variant" else int(columns[kind.start_column + 1])
    except (IndexError, ValueError):
        return None
    return (columns[0], start, min(end, length_bp)) if 0 <= start < length_bp else None
