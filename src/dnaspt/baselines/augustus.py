"""AUGUSTUS as a baseline: with a species model of its authors, or one trained on the train split's own genes.

Training is etraining's, on a copy of the parameters of its `generic` species. The hours of optimize_augustus.pl, which
searches the meta-parameters by eightfold cross-validation on the same genes, are spent where minutes are given for them.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import Segment, segments
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import ConfigError, DatasetError, DnasptError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.gff3 import AnnotatedTranscript, read_annotation
from dnaspt.genome.transcripts import Transcript

log = logging.getLogger(__name__)

TRAINED = "trained"
"""Name of the species model that is made here."""
_FLANK_BP = 1000
"""Bases on either side of a gene that etraining sees."""
_STOPS = {"tag": "amber", "taa": "ochre", "tga": "opal"}
"""AUGUSTUS's names of the stop codons."""


def predict(test: Sequence[Segment], species: str, config: Path | None = None) -> list[list[AnnotatedTranscript]]:
    """Genes that AUGUSTUS predicts on each segment alone, on the segment's own coordinates.

    Args:
        test: segments to predict on.
        species: name of a species model.
        config: folder of species models; None for AUGUSTUS's own.

    Raises:
        ConfigError: AUGUSTUS is not installed. DnasptError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        fasta, gff3 = Path(folder) / "test.fa", Path(folder) / "augustus.gff3"
        records = (
            f">{number}\n{alphabet.decode(alphabet.tokens(segment.codes))}\n" for number, segment in enumerate(test)
        )
        fasta.write_text("".join(records), encoding="utf-8", newline="\n")
        predicted = _run(["augustus", f"--species={species}", "--gff3=on", str(fasta)], config)
        gff3.write_text(predicted, encoding="utf-8", newline="\n")
        annotated = read_annotation(gff3).transcripts
    by_segment: list[list[AnnotatedTranscript]] = [[] for _ in test]
    for transcript in annotated:
        by_segment[int(transcript.transcript.chrom)].append(transcript)
    return by_segment


def train(data: Path, folder: Path, fold: int = 0, optimize_minutes: float = 0) -> Path:
    """Train the species model `TRAINED` on the longest transcripts of the train split.

    Args:
        data: dataset folder of genes.
        folder: where to make the folder of species models.
        fold: fold whose train split it is, from 1; 0 for that of the whole dataset.
        optimize_minutes: minutes for optimize_augustus.pl; what it has found by then is kept.

    Returns:
        the folder of species models, for `predict`.

    Raises:
        ConfigError: AUGUSTUS, its folder of species models, or optimize_augustus.pl is not installed. DatasetError: no gene
            to learn from. DnasptError: etraining or optimize_augustus.pl failed.
    """
    check_installed()
    installed = _installed_config()
    config = folder / "config"
    species = config / "species" / TRAINED
    species.mkdir(parents=True)
    for entry in installed.iterdir():
        if entry.name != "species":
            (config / entry.name).symlink_to(entry)
    generic = installed / "species" / "generic"
    shutil.copy(generic / "generic_weightmatrix.txt", species)
    parameters = (generic / "generic_parameters.cfg").read_text(encoding="utf-8")
    if read_manifest(data).stop_in_cds is False:
        parameters = set_parameter(parameters, "stopCodonExcludedFromCDS", "true")
    file = species / f"{TRAINED}_parameters.cfg"
    file.write_text(parameters, encoding="utf-8", newline="\n")
    records = list(_records(data, fold))
    if not records:
        raise DatasetError(f"{data}: the train split has no gene whose bases are all labeled")
    (folder / "train.gb").write_text("".join(records), encoding="utf-8", newline="\n")
    etraining = ["etraining", f"--species={TRAINED}", str(folder / "train.gb")]
    output = _run(etraining, config)
    file.write_text(with_stop_probabilities(parameters, output), encoding="utf-8", newline="\n")
    log.info("AUGUSTUS was trained on %d genes", len(records))
    if optimize_minutes:
        _optimize(folder, config, optimize_minutes)
        _run(etraining, config)
    return config


def _optimize(folder: Path, config: Path, minutes: float) -> None:
    """Let optimize_augustus.pl search meta-parameters; each better value is in the parameter file as soon as it is found.

    Raises:
        ConfigError: the script is not installed. DnasptError: it failed.
    """
    script = _optimize_script()
    ranges = _installed_config() / "species" / "generic" / "generic_metapars.cfg"
    options = [f"--AUGUSTUS_CONFIG_PATH={config}", f"--metapars={ranges}"]
    command = [str(script), f"--species={TRAINED}", *options, "train.gb"]
    with (
        (folder / "optimize.log").open("w+", encoding="utf-8", newline="\n") as output,
        subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, start_new_session=True) as running,
    ):
        try:
            running.wait(minutes * 60)
            in_time = True
        except subprocess.TimeoutExpired:
            in_time = False
        finally:
            if running.poll() is None:
                _kill(running)
        output.seek(0)
        text = output.read()
    if in_time and running.returncode:
        raise DnasptError(f"{script.name} ended with {running.returncode}: {' '.join(text.strip().splitlines()[-1:])}")
    targets = re.findall(r"starting target: ([0-9.]+)|optimal target: ([0-9.]+)", text)
    values = [start or found for start, found in targets]
    n_values = sum(len(line.split()) - 1 for line in text.splitlines() if line.startswith("targets "))
    log.info(
        "optimize_augustus.pl %s: %d values tried, its measure went from %s to %s",
        "finished" if in_time else f"was stopped after {minutes:g} minutes",
        n_values,
        values[0] if values else "?",
        values[-1] if values else "?",
    )


def _kill(running: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session, and the processes that it has started."""
    if sys.platform == "win32":
        running.kill()
    else:
        os.killpg(running.pid, signal.SIGKILL)


def _optimize_script() -> Path:
    """Where optimize_augustus.pl is: on the path (conda), or beside the folder of species models (Debian).

    Raises:
        ConfigError: in neither place.
    """
    found = shutil.which("optimize_augustus.pl")
    beside = _installed_config().resolve().parent / "scripts" / "optimize_augustus.pl"
    if found or os.access(beside, os.X_OK):
        return Path(found or beside)
    raise ConfigError("optimize_augustus.pl is not found; it comes with AUGUSTUS; put it on the PATH")


def check_installed() -> None:
    """Refuse to begin where AUGUSTUS cannot be trained.

    Raises:
        ConfigError: it, or its folder of species models, is not here.
    """
    _check_program("augustus")
    _installed_config()


def _check_program(name: str) -> None:
    if shutil.which(name) is None:
        raise ConfigError(
            f"AUGUSTUS is not installed here (no command {name!r}); give its GFF3 to 'dnaspt baseline --annotation'"
        )


def _run(command: list[str], config: Path | None) -> str:
    """What a program of AUGUSTUS prints.

    Raises:
        ConfigError: it is not installed. DnasptError: it failed.
    """
    _check_program(command[0])
    environment = os.environ | ({"AUGUSTUS_CONFIG_PATH": str(config)} if config else {})
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, env=environment
    )
    if done.returncode:
        last_line = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise DnasptError(f"{' '.join(command[:2])} ended with {done.returncode}: {' '.join(last_line)}")
    return done.stdout


def _installed_config() -> Path:
    """AUGUSTUS's own folder of species models: where it says, beside its program (conda), or where Debian has it.

    Raises:
        ConfigError: in none of these places.
    """
    program = Path(shutil.which("augustus") or "augustus").resolve()
    folders = [
        Path(os.environ.get("AUGUSTUS_CONFIG_PATH", "/nonexistent")),
        program.parent.parent / "config",
        Path("/usr/share/augustus/config"),
    ]
    for folder in folders:
        if (folder / "species" / "generic" / "generic_parameters.cfg").is_file():
            return folder
    raise ConfigError("AUGUSTUS's species models are not found; set AUGUSTUS_CONFIG_PATH")


def with_stop_probabilities(parameters: str, output: str) -> str:
    """AUGUSTUS's parameters with the shares of the three stop codons that etraining prints."""
    for stop, name in _STOPS.items():
        if share := re.search(rf"^\s*{stop}:\s*\d+ \(([0-9.e-]+)\)", output, re.MULTILINE):
            parameters = set_parameter(parameters, f"/Constant/{name}prob", share[1])
    return parameters


def set_parameter(parameters: str, name: str, value: str) -> str:
    """The text of a parameter file with another value of one parameter.

    Raises:
        DnasptError: the parameter is not there, or more than once.
    """
    changed, n = re.subn(rf"^({re.escape(name)}\s+)\S+", rf"\g<1>{value}", parameters, flags=re.MULTILINE)
    if n != 1:
        raise DnasptError(f"AUGUSTUS's generic parameters have no single {name!r}; is its version known to work (3.5)?")
    return changed


def _records(data: Path, fold: int = 0) -> Iterator[str]:
    """GenBank records of the genes to learn from, each with up to 1 kb on either side, half way to its neighbors."""
    genes = [transcript for transcript, is_longest in read_transcripts(data, "train", fold) if is_longest]
    for segment in segments(read_split(data, "train", fold)):
        inside = [gene for gene in genes if gene.chrom == segment.chrom and segment.start <= gene.start < segment.end]
        inside.sort(key=lambda gene: gene.start)
        for index, gene in enumerate(inside):
            before = inside[index - 1].end if index else segment.start - _FLANK_BP
            after = inside[index + 1].start if index + 1 < len(inside) else segment.end + _FLANK_BP
            start = max(segment.start, gene.start - _FLANK_BP, (before + gene.start) // 2)
            end = min(segment.end, gene.end + _FLANK_BP, (gene.end + after + 1) // 2)
            known = segment.labels[gene.start - segment.start : gene.end - segment.start]
            if before < gene.start and gene.end < after and gene.end <= segment.end and (known != MISSING).all():
                codes = segment.codes[start - segment.start : end - segment.start]
                yield genbank_record(gene, start, alphabet.decode(alphabet.tokens(codes)))


def genbank_record(gene: Transcript, start: int, letters: str) -> str:
    """A GenBank record of a gene.

    Args:
        gene: the gene, on its contig.
        start: contig position of the first letter.
        letters: the sequence, in upper case.
    """
    intervals = ",".join(f"{left - start + 1}..{right - start}" for left, right in gene.cds)
    location = f"join({intervals})" if len(gene.cds) > 1 else intervals
    location = f"complement({location})" if gene.strand == "-" else location
    rows = []
    for first in range(0, len(letters), 60):
        row = letters[first : first + 60].lower()
        rows.append(f"{first + 1:>9} " + " ".join(row[column : column + 10] for column in range(0, len(row), 10)))
    name = re.sub(r"[^A-Za-z0-9]", "_", f"{gene.chrom}_{gene.start}")
    counts = " ".join(f"{letters.count(letter.upper())} {letter}" for letter in "acgt")
    return "\n".join(
        [
            f"LOCUS       {name}   {len(letters)} bp  DNA",
            "FEATURES             Location/Qualifiers",
            f"     source          1..{len(letters)}",
            f"     CDS             {location}",
            f'                     /gene="{name}"',
            f"BASE COUNT     {counts}",
            "ORIGIN",
            *rows,
            "//\n",
        ]
    )
