"""A prediction cut into contigs: each finished one is kept beside the output until all are there.

The folder `.NAME.parts` bears the mark of what was asked: a broken-off prediction goes on, another one begins anew.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnaspt import __version__
from dnaspt.atomic import write_text_atomically
from dnaspt.checkpoint import DESCRIPTION, TENSORS, find_checkpoint
from dnaspt.data.manifest import Source
from dnaspt.errors import DnasptError, NoSpaceError, refuse_full_disk
from dnaspt.genome.fasta import Contig, read_fasta

Stretches = Mapping[str, list[tuple[int, int]]]
"""Stretches to predict by contig, 0-based half-open."""

_MARK = "mark.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be predicted.

    Attributes:
        run: run or checkpoint the model is from.
        genome: FASTA, plain, gzip or bgzip.
        out: the file to write; it appears whole or not at all.
        stretches: what to predict; None for everything.
    """

    run: Path
    genome: Path
    out: Path
    stretches: Stretches | None = None

    @property
    def folder(self) -> Path:
        """Where finished contigs are kept."""
        return self.out.with_name(f".{self.out.name}.parts")

    def contigs(self, lengths: list[tuple[str, int]]) -> Iterator[tuple[int, Contig, list[tuple[int, int]]]]:
        """Contigs on which something is to be predicted: number, codes, stretches; `lengths` collects all contigs'."""
        for number, contig in enumerate(read_fasta(self.genome)):
            lengths.append((contig.name, len(contig)))
            wanted = [(0, len(contig))] if self.stretches is None else self.stretches.get(contig.name, [])
            if wanted:
                yield number, contig, wanted

    def mark(self, settings: Mapping[str, Any]) -> str:
        """Digest of all that decides what the finished contigs hold."""
        checkpoint = find_checkpoint(self.run)
        files = (checkpoint / TENSORS, checkpoint / DESCRIPTION, self.genome)
        digests = [Source.of(file).sha256 for file in files]
        asked = [__version__, digests, self.stretches and dict(self.stretches), dict(settings)]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


@contextmanager
def contig_parts(request: Request, settings: Mapping[str, Any]) -> Iterator[Path]:
    """The folder for finished contigs, with those of an earlier, equal prediction in it.

    It stays, also when the block is left by an interrupt or for want of space; the caller removes it when the output is
    whole. Where the input turns out to be unusable, or no contig is finished, it is removed.

    Raises:
        NoSpaceError: a part could not be written.
    """
    folder, mark = request.folder, json.dumps({"sha256": request.mark(settings)})
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
