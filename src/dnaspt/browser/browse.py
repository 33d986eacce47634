"""A genome, files and runs to a page that shows any locus of them, served on this machine."""

import re
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dnaspt.baselines.results import read_result
from dnaspt.browser.files import NamedFile, named_files, unique_names
from dnaspt.browser.igv import IGV, INK, VIEW, Track, View, content_policy, one_based, run_color, script
from dnaspt.browser.indexed_genome import IndexedGenome, indexed_genome
from dnaspt.browser.server import Answer, Content, Site, SiteServer
from dnaspt.errors import ConfigError, InputError
from dnaspt.evaluation.results import GENES_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnaspt.browser.igv import Feature
    from dnaspt.browser.predictions import Predictor

_FIRST_BP = 20_000
"""Bases that are shown at first."""
_LOCUS = re.compile(r"(?P<chrom>.+):(?P<start>[\d,]+)(?:-(?P<end>[\d,]+))?")


class GenomeBrowser:
    """A genome with its tracks in a web browser, until it is closed: what `dnaspt.browse` returns.

    Attributes:
        url: address of the page; it is for this machine alone.
        tracks: names of the tracks, top down.
        locus: what is shown first, 1-based.

    Example:
        >>> with dnaspt.browse("genome/annotation.gff3", genome="genome/genome.fa") as browser:
        ...     browser.tracks
        ('annotation.gff3',)
    """

    def __init__(self, url: str, tracks: tuple[str, ...], locus: str, server: SiteServer, folder: "_Folder") -> None:
        self.url, self.tracks, self.locus = url, tracks, locus
        self._server, self._folder = server, folder

    def __enter__(self) -> "GenomeBrowser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"GenomeBrowser({self.url}: {', '.join(self.tracks) or 'no tracks'})"

    def wait(self) -> None:
        """Return when it is closed."""
        self._server.wait()

    def close(self) -> None:
        """Stop serving, and remove what was made for it."""
        self._server.close()
        self._folder.cleanup()


_Folder = tempfile.TemporaryDirectory[str]


def serve(inputs: Sequence[Path], genome: Path, *, locus: str = "", port: int = 0) -> GenomeBrowser:
    """Serve a genome, files and runs; see `dnaspt.browse`.

    Raises:
        InputError: a file that cannot be shown. CheckpointError: a folder that is no run.
        ConfigError: a locus that is not on the genome, or a port that is taken.
    """
    folder = _Folder(prefix="dnaspt-browse-")
    try:
        indexed = indexed_genome(genome, Path(folder.name))
        files, runs = _split(inputs, genome, indexed)
        place = _place(locus, indexed) if locus else _first_place(files, indexed)
        view, site = _site(indexed, files, runs, place)
        server = SiteServer(site, port)
    except BaseException:
        folder.cleanup()
        raise
    return GenomeBrowser(server.url, tuple(track.name for track in view.tracks), one_based(*place), server, folder)


def _split(inputs: Sequence[Path], genome: Path, indexed: IndexedGenome) -> "tuple[list[NamedFile], list[Predictor]]":
    """Files, and predictors of the runs among the inputs; the folder of a baseline stands for its genes.

    Raises:
        InputError: a path that is not there, or a file that cannot be shown. CheckpointError: a folder that is no run.
    """
    paths: dict[str, Path] = {}
    folders: dict[str, Path] = {}
    for path, name in zip(inputs, unique_names(inputs), strict=True):
        if not path.exists():
            raise InputError(path, "no such file or folder")
        if not path.is_dir():
            paths[name] = path
        elif (path / GENES_FILE).is_file() and read_result(path) is not None:
            paths[name] = path / GENES_FILE
        else:
            folders[name] = path
    files = named_files(paths, genome, indexed.lengths)
    if not folders:
        return files, []
    from dnaspt.checkpoint_config import find_checkpoint

    for folder in folders.values():
        find_checkpoint(folder)
    from dnaspt.browser.predictions import Predictor  # with PyTorch: a mistake is told before

    return files, [Predictor(folder, name, indexed) for name, folder in folders.items()]


def _place(locus: str, genome: IndexedGenome) -> tuple[str, int, int]:
    """The stretch that a locus names: CONTIG, CONTIG:POSITION, or CONTIG:FIRST-LAST, 1-based as genome browsers write it.

    Raises:
        ConfigError: no such contig, or a stretch that is not on it.
    """
    if (length_bp := genome.lengths.get(locus)) is not None:
        return locus, 0, min(length_bp, _FIRST_BP)
    found = _LOCUS.fullmatch(locus.strip())
    if found is None or found["chrom"] not in genome.lengths:
        known = next(iter(genome.lengths))
        raise ConfigError(
            f"locus {locus!r}: not on {genome.path}; expected CONTIG:FIRST-LAST, such as {known}:1-20,000"
        )
    length_bp = genome.lengths[found["chrom"]]
    start = int(found["start"].replace(",", "") or 0) - 1
    end = int(found["end"].replace(",", "") or 0) if found["end"] else start + 1
    if not 0 <= start < end or start >= length_bp:
        raise ConfigError(f"locus {locus!r}: {found['chrom']} has bases 1 to {length_bp:,}")
    if not found["end"]:
        return _around((found["chrom"], start, end), length_bp)
    return found["chrom"], start, min(end, length_bp)


def _first_place(files: Sequence[NamedFile], genome: IndexedGenome) -> tuple[str, int, int]:
    """The first row of the first file that has one, and its surroundings; else the beginning of the genome."""
    first = next((file.first for file in files if file.first is not None), None)
    if first is None:
        chrom, length_bp = next(iter(genome.lengths.items()))
        return chrom, 0, min(length_bp, _FIRST_BP)
    return _around(first, genome.lengths[first[0]])


def _around(place: tuple[str, int, int], length_bp: int) -> tuple[str, int, int]:
    """A stretch with what is to the left and right of it, where it is short."""
    chrom, start, end = place
    if end - start > _FIRST_BP:
        return chrom, start, start + _FIRST_BP
    start = max(0, min((start + end - _FIRST_BP) // 2, length_bp - _FIRST_BP))
    return chrom, start, min(length_bp, start + _FIRST_BP)


def _site(
    genome: IndexedGenome, files: Sequence[NamedFile], runs: "Sequence[Predictor]", place: tuple[str, int, int]
) -> tuple[View, Site]:
    """The view of a genome with its tracks, and what is served for it."""
    served = {"genome.fa": genome.fasta, "genome.fa.fai": genome.index}
    tracks: dict[str, list[Track]] = {"annotation": [], "genes": [], "runs": []}
    for number, file in enumerate(files):
        track, own = _file_track(file, number)
        served |= own
        tracks.setdefault(file.group, []).append(track)
    answers: dict[str, Answer] = {}
    for number, run in enumerate(runs):
        address = f"runs/{number}"
        tracks["runs"] += run.tracks(address, number)
        answers |= {f"{address}/{source}": partial(_answer, run, source) for source in run.sources}
    reference = {"id": genome.path.name, "name": genome.path.name, "fastaURL": "genome.fa", "indexURL": "genome.fa.fai"}
    view = View(reference, tuple(track for group in tracks.values() for track in group), (place,))
    contents = {
        "": Content(_page(genome, view, runs).encode(), "text/html; charset=utf-8"),
        IGV: Content(script(IGV).encode(), "text/javascript; charset=utf-8"),
        VIEW: Content(script(VIEW).encode(), "text/javascript; charset=utf-8"),
    }
    return view, Site(contents, served, answers, content_policy(scripts=(), connect="'self'"))


def _file_track(file: NamedFile, number: int) -> tuple[Track, dict[str, Path]]:
    """The track of a file, and the files that are served for it by their addresses."""
    address = f"files/{number}"
    served = {address: file.path}
    index_url = ""
    if file.index is not None:
        index_url = f"{address}{file.index.suffix}"
        served[index_url] = file.index
    color = INK if file.group == "annotation" else run_color(number)
    return Track(
        file.name,
        file.kind.track,
        color,
        url=address,
        format=file.kind.format,
        index_url=index_url,
        extent=(0.0, 1.0) if file.group == "posteriors" else None,
        height_px=50 if file.kind.track == "wig" else 0,
    ), served


def _answer(run: "Predictor", source: str, query: "Mapping[str, str]") -> "Sequence[Feature]":
    """Features of a run on the stretch that a query names.

    Raises:
        KeyError, ValueError: a query without a stretch. InputError: no such stretch.
    """
    return run.features(source, query["chr"], int(query["start"]), int(query["end"]))


def _page(genome: IndexedGenome, view: View, runs: "Sequence[Predictor]") -> str:
    """The page."""
    from jinja2 import Environment, StrictUndefined

    notes = []
    if runs:
        from dnaspt.browser.predictions import MOST_LABELS, VISIBLE_BP

        notes.append(
            f"Runs predict the stretch that is shown, of at most {VISIBLE_BP:,} bp, with its surroundings: "
            "near long genes they may differ from 'dnaspt predict' on whole contigs."
        )
        more = [f"{run.name} has {len(run.config.labels):,} labels" for run in runs if _is_cut(run, MOST_LABELS)]
        if more:
            notes.append(f"{'; '.join(more)}: the first {MOST_LABELS} are shown.")
    text = resources.files("dnaspt.browser").joinpath("browse.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text).render(title=genome.path.name, view=view.json(), notes=notes)


def _is_cut(run: "Predictor", most: int) -> bool:
    """Whether a run has more labels than tracks."""
    return not run.per_base and len(run.config.labels) > most
