"""Prediction of a genome contig by contig: each finished contig is kept beside the output until all are there.

The folder `.NAME.parts` holds a digest of what was asked. The same prediction goes on where it was broken off; another one
begins anew.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnaspt import __version__
from dnaspt.atomic import sha256_of_file, write_text_atomically
from dnaspt.errors import DnasptError, NoSpaceError, refuse_full_disk
from dnaspt.genome.fasta import Contig, read_fasta

Intervals = list[tuple[int, int]]
"""Intervals (start, end) of a contig, 0-based half-open, ascending."""

_MARK = "mark.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be predicted.

    Attributes:
        model_digests: sha256 of the checkpoint's files: tensors, description.
        genome: FASTA, plain, gzip or bgzip.
        out: the file to write; it appears whole or not at all.
        intervals: what to predict of each contig; None for everything.
        model_name: name of the run, without its folder, for the comments of a file.
        progress: whether to show how far it is.
    """

    model_digests: tuple[str, str]
    genome: Path
    out: Path
    intervals: Mapping[str, Intervals] | None = None
    model_name: str = ""
    progress: bool = False

    @property
    def folder(self) -> Path:
        """Where finished contigs are kept."""
        return self.out.with_name(f".{self.out.name}.parts")

    def contigs(self, lengths: list[tuple[str, int]]) -> Iterator[tuple[int, Contig, Intervals]]:
        """Contigs of which something is to be predicted.

        Args:
            lengths: gets name and length of every contig of the genome.

        Yields:
            number of the contig in the FASTA, the contig, its intervals.
        """
        for number, contig in enumerate(read_fasta(self.genome)):
            lengths.append((contig.name, len(contig)))
            wanted = [(0, len(contig))] if self.intervals is None else self.intervals.get(contig.name, [])
            if wanted:
                yield number, contig, wanted

    def left_bp(self, is_done: Callable[[int], bool]) -> int:
        """Bases of the contigs that are not done yet, by their number; the genome is read for it."""
        left = (wanted for number, _, wanted in self.contigs([]) if not is_done(number))
        return sum(end - start for wanted in left for start, end in wanted)

    def digest(self, settings: Mapping[str, Any]) -> str:
        """Digest of all that decides what the finished contigs hold."""
        digests = [*self.model_digests, sha256_of_file(self.genome)]
        asked = [__version__, digests, self.intervals and dict(self.intervals), dict(settings)]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


@contextmanager
def finished_contigs(request: Request, settings: Mapping[str, Any]) -> Iterator[Path]:
    """The folder for finished contigs, with those of an earlier, equal prediction in it.

    The folder stays where the `with` block ends by an interrupt or a full disk, and also where it ends well: the caller removes
    it when the output is whole. It is removed where the input turns out to be unusable, or no contig is finished.

    Raises:
        NoSpaceError: a contig could not be written.
    """
    folder, mark = request.folder, json.dumps({"sha256": request.digest(settings)})
    file = folder / _MARK
    try:
        if not file.is_file() or file.read_text(encoding="utf-8") != mark:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_text_atomically(file, mark)
        yield folder
    except (NoSpaceError, OSError) as error:
        if not any(part.name != _MARK for part in folder.glob("*")):
            shutil.rmtree(folder, ignore_errors=True)
        refuse_full_disk(request.out, error.__cause__ if isinstance(error, NoSpaceError) else error)
        raise
    except DnasptError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
