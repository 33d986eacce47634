"""Proof that a change of the code changed no result: this tree beside the commit before, command by command, on the CPU.

`DNASPT_REAL_DATA=... python benchmarks/same_results.py` simulates a small genome and runs the same commands with both
versions: losses, weights, datasets and predictions must be identical to the bit, scores and tables to the last digit (see
`same_files.py` for what is left out, and what was mended since). Then this tree opens what the commit before wrote: datasets,
checkpoints, runs, predictions and a study that were broken off, and makes the tables of all committed studies again, from
their records alone. All goes through the command line, as modules may move. It ends with 1 where anything differs, and writes
benchmarks/results/same_results.json.

--keep FOLDER keeps what the commit before wrote, so that only this tree is run the next time; --only STEP (again for more) runs
a few steps, with what that commit wrote as their input, and writes no file of results.
"""

import argparse
import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from record import write_result
from same_files import NONE, Comparison, compare_folders, compare_tables

ROOT = Path(__file__).parent.parent
BEFORE = "3b8ed772cd1e31b11e6dbfecf4f047e299fcbd3b"
"""The commit whose results have to stay."""
SECONDS = 900
"""The longest that a command may take."""

PRETRAIN = """
steps = 12
batch_bp = 4096
learning_rate = 3e-3
validate_every = 4
save_every = 2
tensorboard = false
encoder = { hidden_size = 16, n_layers = 4 }
"""
FINETUNE = """
steps = 80
batch_bp = 2048
learning_rate = 3e-3
validate_every = 16
save_every = 4
tensorboard = false
"""
STUDY = """
data = "data/genes"
seeds = [0]
learning_rates = [3e-3, 1e-2]
tuning_share = 0.5
pretrain = { preset = "tiny", epochs = 0.2, batch_bp = 4096, tensorboard = false, save_every = 1 }
finetune = { epochs = 2, batch_bp = 4096, class_weights = "balanced", tensorboard = false, save_every = 2 }
[[arms]]
name = "scratch"
head = "softmax"
[[arms]]
name = "SPT"
init = "spt"
head = "softmax"
learning_rate = 1e-2
"""
RUNS = ("metrics.jsonl", "result.json", "*/step-*/*.json", "*/step-*/*.safetensors")
"""What is compared of a run: losses, scores, weights, optimizer and where it stands."""
CONTIGS = "--split contig --valid-contigs chr2 --test-contigs chr3"
SOURCES = "--genome genome/genome.fa"


@dataclass(frozen=True)
class Step:
    """Commands that both versions run, in a folder of their own, and what is compared of what they write.

    Attributes:
        commands: words after `dnaspt`.
        results: patterns of the files to compare.
        makes: patterns of what the commands write, which must not be there before.
        together: whether one process runs all commands, so that torch is imported once.
    """

    commands: tuple[str, ...]
    results: tuple[str, ...]
    makes: tuple[str, ...]
    together: bool = True


def _runs(*names: str) -> tuple[str, ...]:
    return tuple(f"runs/{name}/{part}" for name in names for part in RUNS)


STEPS = {
    "simulate": Step(("simulate --out genome --n-contigs 4 --contig-bp 20000 --seed 5",), ("genome/*",), ("genome",)),
    "prepare": Step(
        (
            f"prepare genes {SOURCES} --annotation genome/annotation.gff3 --out data/genes --window-bp 1024",
            f"prepare regions {SOURCES} --regions genome/peaks_A.bed --regions genome/peaks_B.bed --out data/peaks "
            f"--window-bp 256 {CONTIGS}",
            f"prepare methylation {SOURCES} --calls genome/methylation.bedmethyl --out data/cpg --window-bp 128 {CONTIGS}",
            f"prepare methylation {SOURCES} --calls inputs/level.bw --coverage inputs/coverage.bw --out data/bigwig "
            f"--window-bp 128 {CONTIGS}",
        ),
        ("data/*/*.parquet", "data/*/manifest.json"),
        ("data",),
    ),
    "pretrain": Step(
        ("pretrain data/genes --out runs/pre --config inputs/pretrain.toml",), _runs("pre"), ("runs/pre",), False
    ),
    "finetune": Step(
        (
            "finetune data/genes --encoder runs/pre --head crf --out runs/crf --config inputs/finetune.toml",
            "finetune data/genes --encoder runs/pre --head softmax --class-weights balanced --out runs/softmax "
            "--config inputs/finetune.toml --steps 40 --batch-bp 4096 --lr 1e-2",
            "finetune data/peaks --encoder runs/pre --out runs/peaks --config inputs/finetune.toml",
            "finetune data/cpg --preset tiny --pool normalized --out runs/cpg --config inputs/finetune.toml --steps 20",
        ),
        _runs("crf", "softmax", "peaks", "cpg"),
        ("runs/crf", "runs/softmax", "runs/peaks", "runs/cpg"),
    ),
    "evaluate": Step(
        (
            "evaluate runs/crf --data data/genes",
            "evaluate runs/softmax --data data/genes",
            "evaluate runs/crf --data data/genes --split valid --average-strands",
            "evaluate runs/peaks --data data/peaks",
            "evaluate runs/cpg --data data/cpg",
        ),
        ("runs/*/evaluation-*",),
        ("runs/*/evaluation*",),
    ),
    "predict": Step(
        (
            "predict runs/crf --genome inputs/many.fa --out out/crf.gff3",
            "predict runs/crf --genome inputs/many.fa --out out/heads.gff3 --no-codons --average-strands",
            "predict runs/crf --genome inputs/many.fa --out out/complete.gff3 --complete-genes",
            "predict runs/softmax --genome inputs/many.fa --out out/regions.gff3 --regions inputs/regions.bed",
            "predict runs/peaks --genome inputs/many.fa --out out/peaks.bed --threshold 0.01",
            "predict runs/peaks --genome inputs/many.fa --out out/peaks.bw --stride-bp 256",
            "predict runs/cpg --genome inputs/many.fa --out out/cpg.parquet",
        ),
        ("out/*.gff3", "out/*.bed", "out/*.bw", "out/cpg.parquet"),
        ("out/*",),
    ),
    "variants": Step(
        (
            f"variants runs/pre --vcf inputs/calls.vcf {SOURCES} --out scored/llr.vcf",
            f"variants runs/peaks --vcf inputs/calls.vcf {SOURCES} --out scored/delta.vcf",
            f"variants runs/crf --vcf inputs/calls.vcf {SOURCES} --out scored/delta.parquet",
        ),
        ("scored/*",),
        ("scored/*",),
    ),
    "baseline": Step(
        (
            "baseline data/peaks --out baselines/kmer",
            "baseline data/cpg --model markov --out baselines/markov",
            "baseline data/cpg --model cpg --out baselines/cpg",
            "baseline data/genes --annotation genome/annotation.gff3 --out baselines/genes",
        ),
        ("baselines/*/*.json", "baselines/*/*.npz", "baselines/*/*.gff3"),
        ("baselines/*",),
    ),
    "report": Step(
        (
            "report runs/crf runs/softmax --pretrain runs/pre --data data/genes --out reports/genes.html",
            "report runs/peaks --data data/peaks --out reports/peaks.html",
        ),
        ("reports/*.html",),
        ("reports/*",),
    ),
    "study": Step(
        ("study inputs/study.toml --out study --stage tune", "study inputs/study.toml --out study"),
        ("study/study.md", "study/study_*.csv"),
        ("study",),
        False,
    ),
}
FOLDERS = ("data", "runs", "out", "scored", "baselines", "reports")
"""What commands write into, and do not all make."""
OPENED = ("evaluate", "predict", "variants", "baseline")
"""Steps that are run once more with the datasets and runs of the commit before as their input."""


@dataclass(frozen=True)
class Version:
    """A version of the code, and the folder in which it runs.

    Attributes:
        tree: its files; src is put on the path of modules.
        folder: where its commands run: both versions are given the same relative paths.
    """

    tree: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """One thread, no GPU, and the modules of this version."""
        own = {"PYTHONPATH": str((self.tree / "src").resolve()), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        return os.environ | own | {"CUDA_VISIBLE_DEVICES": "", "RAY_ADDRESS": "", "COLUMNS": "200"}

    def python(self, *words: str, folder: Path | None = None) -> str:
        """Run Python to its end; what it said.

        Raises:
            CommandError: it failed.
        """
        with self.started(*words, folder=folder) as process:
            said, _ = process.communicate(timeout=SECONDS)
        if process.returncode:
            raise CommandError(f"{said[-1000:].strip()} (exit code {process.returncode} of {shlex.join(words)[:300]})")
        return said

    @contextmanager
    def started(self, *words: str, folder: Path | None = None) -> Iterator[subprocess.Popen[str]]:
        """Python, started in a group of its own with all its children; none of them outlives the block."""
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def dnaspt(self, *commands: str, together: bool = False) -> str:
        """Run commands, each in its own process or all in one, which is quicker and does the same as `python -m dnaspt`.

        Returns:
            What they said.

        Raises:
            CommandError: one failed.
        """
        words = [shlex.split(command) for command in commands]
        if together:
            return self.python("-c", TOGETHER, json.dumps(words))
        return "".join(self.python("-m", "dnaspt", *command) for command in words)

    def check(self) -> None:
        """Make sure that its own modules run, and not those of an installed package."""
        own = "import dnaspt, pathlib, sys; sys.exit(not pathlib.Path(dnaspt.__file__).is_relative_to(sys.argv[1]))"
        self.python("-c", own, str((self.tree / "src").resolve()), folder=self.tree)


TOGETHER = """
import json, runpy, sys
for words in json.loads(sys.argv[1]):
    sys.argv = ["dnaspt", *words]
    try:
        runpy.run_module("dnaspt", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if stop.code:
            print("in: dnaspt", *words)
            raise
"""


class CommandError(Exception):
    """A command that failed, and what it said."""


@dataclass
class Row:
    """A line of the table: what was compared in a step, and how it came out."""

    step: str
    compared: str
    result: str
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def main() -> int:
    """Run the steps, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the commit whose results have to stay")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what that commit wrote, and use it again")
    parser.add_argument(
        "--only", action="append", choices=[*STEPS, *OPENING], metavar="STEP", help="run this step only"
    )
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    commit = git("rev-parse", chosen.before)
    with tempfile.TemporaryDirectory() as temporary, checked_out(commit, Path(temporary) / "tree") as tree:
        work = Path(temporary) if chosen.keep is None else chosen.keep.resolve()
        now = work / f"after-{ROOT.name}"  # several checkouts may use what is kept, one at a time or side by side
        shutil.rmtree(now, ignore_errors=True)
        before, after = Version(tree, work / "before"), Version(ROOT, now)
        for version in (before, after):
            version.check()
        began = time.monotonic()
        run_before(before, commit, chosen.only)
        until = time.monotonic()
        rows = run_after(before, after, chosen.only)
        seconds = {"before": round(until - began), "after": round(time.monotonic() - until)}
    show(rows)
    print(f"{commit[:7]} took {seconds['before']} s here, this tree and all comparisons {seconds['after']} s")
    if not chosen.only:
        found = {"before": commit, "seconds": seconds, "rows": [row.__dict__ for row in rows]}
        write_result("same_results", "python benchmarks/same_results.py", found)
    return int(any(row.faults for row in rows))


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def git(*words: str) -> str:
    """What a git command says."""
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def checked_out(commit: str, tree: Path) -> Iterator[Path]:
    """The files of a commit, for as long as the block runs."""
    git("worktree", "add", "--quiet", "--detach", str(tree), commit)
    try:
        yield tree
    finally:
        git("worktree", "remove", "--force", str(tree))


# What the commit before does


def run_before(before: Version, commit: str, only: Sequence[str] | None) -> None:
    """Run what is not kept from an earlier call, up to the last step that is needed."""
    key = {"commit": commit, "python": sys.version, "script": _asked()}
    file = before.folder / "key.json"
    if not file.is_file() or json.loads(file.read_text()) != key:
        shutil.rmtree(before.folder, ignore_errors=True)
        before.folder.mkdir(parents=True)
        file.write_text(json.dumps(key))
    once(before, "simulate", lambda: run_step(before, "simulate"))
    once(before, "inputs", lambda: make_inputs(before.folder))
    needed = list(STEPS) if only is None else [name for name in STEPS if name in needs_of(only)]
    for name in needed[1:]:
        once(before, name, lambda name=name: run_step(before, name))  # type: ignore[misc]
    for name, part in BROKEN_OFF.items():
        if only is None or name in only:
            once(before, name, lambda part=part: part(before))  # type: ignore[misc]
    if (only is None or "committed studies" in only) and "DNASPT_REAL_DATA" in os.environ:
        once(before, "real data", lambda: prepare_real_data(before))


def _asked() -> list[Any]:
    """Everything in this script that decides what the commit before writes."""
    return [PRETRAIN, FINETUNE, STUDY, [[*step.commands, step.together] for step in STEPS.values()]]


def needs_of(only: Sequence[str]) -> set[str]:
    """The steps whose results some steps begin from, and these steps themselves."""
    names = list(STEPS)
    last = {"resumed runs": "finetune", "predictions that go on": "predict", "old datasets and runs": "report"}
    last |= {"study that goes on": "study", "finished study": "study", "committed studies": "simulate"}
    needed: set[str] = set()
    for name in only:
        needed |= set(names[: names.index(last.get(name, name)) + 1])
    return needed


def once(before: Version, name: str, make: Callable[[], None]) -> None:
    """Do something unless an earlier call has done it in this folder."""
    done = before.folder / ".done" / name
    if not done.is_file():
        tell(f"before: {name}")
        make()
        done.parent.mkdir(exist_ok=True)
        done.touch()


def tell(text: str) -> None:
    """Say what happens."""
    print(text, flush=True)


def run_step(version: Version, name: str) -> None:
    """Run the commands of a step, from nothing."""
    step = STEPS[name]
    for folder in FOLDERS:
        (version.folder / folder).mkdir(parents=True, exist_ok=True)
    clear(version.folder, step.makes)
    if "data" in step.makes:
        (version.folder / "data").mkdir()
    version.dnaspt(*step.commands, together=step.together)


def clear(folder: Path, patterns: Sequence[str]) -> None:
    """Remove what a step writes."""
    for pattern in patterns:
        for path in list(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def make_inputs(folder: Path) -> None:
    """Settings, and files that no command simulates, made from the simulated genome: both versions read the same bytes."""
    inputs, chance = folder / "inputs", random.Random(0)
    inputs.mkdir(exist_ok=True)
    for name, text in {"pretrain": PRETRAIN, "finetune": FINETUNE, "study": STUDY}.items():
        (inputs / f"{name}.toml").write_text(text)
    records = (folder / "genome" / "genome.fa").read_text().removeprefix(">").split("\n>")
    genome = {one.split("\n", 1)[0].split()[0]: "".join(one.split("\n")[1:]) for one in records}
    pieces = {f"{name}_{at}": letters[at : at + 10_000] for name, letters in genome.items() for at in (0, 5_000, 9_000)}
    (inputs / "many.fa").write_text("".join(f">{name}\n{letters}\n" for name, letters in pieces.items()))
    regions = [f"{name}\t{at}\t{at + 3_000}\n" for name in list(pieces)[:4] for at in (500, 6_000)]
    (inputs / "regions.bed").write_text("".join(regions))
    (inputs / "calls.vcf").write_text("".join(variants_of(genome, chance)))
    write_tracks(folder / "genome" / "methylation.bedmethyl", {name: len(one) for name, one in genome.items()}, inputs)


def variants_of(genome: dict[str, str], chance: random.Random) -> Iterator[str]:
    """Lines of a VCF: substitutions, insertions, deletions, rows of two alleles, and some that cannot be scored."""
    yield "##fileformat=VCFv4.2\n"
    for name, letters in genome.items():
        yield f"##contig=<ID={name},length={len(letters)}>\n"
    yield "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    for name, letters in genome.items():
        for number, at in enumerate(sorted(chance.sample(range(len(letters) - 10), 20))):
            ref = letters[at].upper()
            others = [base for base in "ACGT" if base != ref]
            kinds = [
                (ref, others[0]),
                (ref, f"{ref}GT"),
                (letters[at : at + 4].upper(), ref),
                (ref, ",".join(others[:2])),
            ]
            ref, alt = kinds[number % 4]
            if number == 9:
                ref = others[1]  # not what the genome has there
            yield f"{name}\t{at + 1}\tv{number}\t{ref}\t{alt}\t.\tPASS\tAC={number}\n"


def write_tracks(calls: Path, lengths: dict[str, int], folder: Path) -> None:
    """Methylation calls of the plus strand as bigWigs of levels and of coverage."""
    import pyBigWig  # the commit before needs it too

    rows = [line.split("\t") for line in calls.read_text().splitlines()]
    rows = sorted((row for row in rows if row[5] == "+"), key=lambda row: (list(lengths).index(row[0]), int(row[1])))
    for name, column in {"coverage": 9, "level": 10}.items():
        file = pyBigWig.open(str(folder / f"{name}.bw"), "w")
        file.addHeader(list(lengths.items()))
        starts = [int(row[1]) for row in rows]
        values = [float(row[column]) for row in rows]
        file.addEntries([row[0] for row in rows], starts, ends=[start + 1 for start in starts], values=values)
        file.close()


def break_off_runs(before: Version) -> None:
    """Kill a pretraining without warning, and ask a fine-tuning to stop: two ways to a run that is half done."""
    shutil.rmtree(before.folder / "half", ignore_errors=True)
    commands = (
        ("runs/pre", "half/pre", STEPS["pretrain"].commands[0], signal.SIGKILL),
        ("runs/crf", "half/crf", STEPS["finetune"].commands[0], signal.SIGTERM),
    )
    for whole, half, command, number in commands:
        saved = lambda run=before.folder / half: list(run.glob("last/step-*"))  # noqa: E731
        break_off(before, command.replace(f"--out {whole}", f"--out {half}"), saved, number)


def break_off(before: Version, command: str, is_ready: Callable[[], Any], number: signal.Signals) -> None:
    """Start a command, and send it and its children a signal as soon as it is ready for that.

    Raises:
        CommandError: it came to its end before.
    """
    with before.started("-m", "dnaspt", *shlex.split(command)) as process:
        while process.poll() is None and not is_ready():
            time.sleep(0.001)
        is_running = process.poll() is None
        if is_running:
            os.killpg(process.pid, number)
        said, _ = process.communicate(timeout=SECONDS)
    if not is_running or process.returncode == 0:
        raise CommandError(f"{command} could not be broken off: {said[-500:]}")


PREDICTIONS = {"crf.gff3": 0, "peaks.bed": 4}
"""Predictions to break off, by the number of their command."""


def break_off_predictions(before: Version) -> None:
    """Kill predictions without warning, when some contigs are done."""
    for name, number in PREDICTIONS.items():
        for _ in range(5):  # contigs take milliseconds, and the machine may be busy
            folder = before.folder / "half"
            folder.mkdir(exist_ok=True)
            clear(folder, (f"*{name}*", f".{name}*"))
            command = STEPS["predict"].commands[number].replace(f"out/{name}", f"half/{name}")
            kept = folder / f".{name}.parts"
            finished = lambda kept=kept: len(list(kept.glob("[0-9]*"))) > 1  # noqa: E731
            try:
                break_off(before, command, finished, signal.SIGKILL)
            except CommandError:
                continue
            if kept.is_dir() and not (folder / name).exists():
                break
        else:
            raise CommandError(f"{command} could not be broken off in five attempts")


def break_off_study(before: Version) -> None:
    """Kill a study in the middle of a final run: the rates are tried, and some runs are finished."""
    half = before.folder / "half" / "study"
    shutil.rmtree(half, ignore_errors=True)
    first, second = (command.replace("--out study", "--out half/study") for command in STEPS["study"].commands)
    before.dnaspt(first)
    break_off(before, second, lambda: list(half.glob("runs/final-*/last/step-*")), signal.SIGKILL)


BROKEN_OFF = {
    "resumed runs": break_off_runs,
    "predictions that go on": break_off_predictions,
    "study that goes on": break_off_study,
}


def prepare_real_data(before: Version) -> None:
    """The datasets of the committed studies, as `benchmarks/studies.py` prepares them."""
    folder = before.folder / "real"
    folder.mkdir(exist_ok=True)
    script = "import sys; sys.path.insert(0, sys.argv[1]); import studies; [studies.prepare(name) for name in studies.PREPARE]"
    before.python("-c", script, str(before.tree / "benchmarks"), folder=folder)


# What this tree does


def run_after(before: Version, after: Version, only: Sequence[str] | None) -> list[Row]:
    """Run the steps with this tree, and compare what it writes with what the commit before wrote."""
    rows = []
    for name in STEPS if only is None else [name for name in STEPS if name in only]:
        tell(f"after: {name}")
        if only is not None:
            take_over(before, after, STEPS[name].makes)
        elif name == "simulate":
            after.folder.mkdir(parents=True)
            shutil.copytree(before.folder / "inputs", after.folder / "inputs")
        rows += attempt(name, lambda name=name: run_and_compare(before, after, name))  # type: ignore[misc]
    for name, part in OPENING.items():
        if only is None or name in only:
            tell(f"after: {name}")
            own = Version(after.tree, after.folder / name.replace(" ", "_"))
            rows += attempt(name, lambda part=part, own=own: part(before, own))  # type: ignore[misc]
    return rows


def attempt(name: str, part: Callable[[], list[Row]]) -> list[Row]:
    """What a step compares; a command that fails is a difference."""
    try:
        return [Row(name, row.compared, row.result, row.faults, row.notes) for row in part()]
    except (CommandError, subprocess.TimeoutExpired) as error:
        return [Row(name, "commands", "FAILED", [str(error)])]


def take_over(before: Version, after: Version, makes: Sequence[str]) -> None:
    """Begin with a copy of what the commit before wrote, but for what is to be made again."""
    shutil.rmtree(after.folder, ignore_errors=True)
    shutil.copytree(before.folder, after.folder, ignore=shutil.ignore_patterns("real", "half", ".done"))
    clear(after.folder, makes)


def run_and_compare(before: Version, after: Version, name: str) -> list[Row]:
    """One step."""
    run_step(after, name)
    return as_rows(compare_folders(before.folder, after.folder, STEPS[name].results))


def as_rows(found: dict[str, Comparison]) -> list[Row]:
    """A line for each kind of file."""
    rows = []
    for kind, one in found.items():
        result = "DIFFERENT" if one.faults else "same"
        rows.append(Row("", f"{one.n_files} {kind} ({one.n_values:,} values)", result, one.faults, one.notes))
    return rows


def open_old(before: Version, own: Version) -> list[Row]:
    """Datasets, checkpoints and runs of the commit before, opened by this tree: reported, fine-tuned, scored, predicted with."""
    take_over(before, own, ())
    own.dnaspt("inspect data/genes", "inspect data/cpg", "inspect runs/pre", "inspect runs/crf", together=True)
    run_step(own, "report")  # while the evaluations of the commit before are there
    clear(own.folder, ("runs/softmax",))
    own.dnaspt(STEPS["finetune"].commands[1])
    for name in OPENED:
        run_step(own, name)
    results = [pattern for name in ("report", *OPENED) for pattern in STEPS[name].results]
    return as_rows(compare_folders(before.folder, own.folder, (*results, *_runs("softmax"))))


def resume_runs(before: Version, own: Version) -> list[Row]:
    """Runs that the commit before began and this tree ends, beside those that were left alone."""
    take_over(before, own, ("runs/crf", "runs/softmax", "runs/peaks", "runs/cpg"))
    command = STEPS["pretrain"].commands[0].replace("--out runs/pre", "--out half/pre")
    for name in ("pre", "crf"):
        shutil.copytree(before.folder / "half" / name, own.folder / "half" / name)
    own.dnaspt(f"{command} --resume")
    command = STEPS["finetune"].commands[0].replace("--out runs/crf", "--out half/crf")
    own.dnaspt(f"{command} --resume")
    clear(own.folder, ("runs/pre",))
    for name in ("pre", "crf"):
        (own.folder / "half" / name).rename(own.folder / "runs" / name)
    return as_rows(compare_folders(before.folder, own.folder, _runs("pre", "crf")))


UNKNOWN = 7777
"""A number of windows without bases that no contig here has."""


def go_on_predicting(before: Version, own: Version) -> list[Row]:
    """Predictions that the commit before began: contigs that were done are taken over, which a wrong count shows.

    Genes are predicted again: they have a shortest intron since, which is part of what a prediction is taken over for.
    """
    take_over(before, own, ("out",))
    shutil.copytree(before.folder / "half", own.folder / "out", ignore=shutil.ignore_patterns("study", "pre", "crf"))
    counts = own.folder / "out" / ".peaks.bed.parts" / "0.json"
    counts.write_text(json.dumps(json.loads(counts.read_text()) | {"n_unknown": UNKNOWN}))
    said = own.dnaspt(*(STEPS["predict"].commands[number] for number in PREDICTIONS.values()), together=True)
    rows = as_rows(compare_folders(before.folder, own.folder, [f"out/{name}" for name in PREDICTIONS]))
    faults = [] if str(UNKNOWN) in said.replace(",", "") else ["contigs that were done were predicted again"]
    return [*rows, Row("", "contigs that were done", "DIFFERENT" if faults else "taken over", faults)]


def go_on_with_study(before: Version, own: Version) -> list[Row]:
    """A study that the commit before began and this tree ends, beside the one that was left alone."""
    take_over(before, own, ("study",))
    shutil.copytree(before.folder / "half" / "study", own.folder / "study")
    own.dnaspt(STEPS["study"].commands[1])
    return as_rows(compare_folders(before.folder, own.folder, STEPS["study"].results))


def report_finished_study(before: Version, own: Version) -> list[Row]:
    """A study that the commit before ended: this tree makes its report again, and no run."""
    take_over(before, own, ("study/study*",))
    begun = _times(own.folder / "study" / "runs")
    own.dnaspt(STEPS["study"].commands[1])
    rows = as_rows(compare_folders(before.folder, own.folder, STEPS["study"].results))
    faults = [] if _times(own.folder / "study" / "runs") == begun else ["runs were made again"]
    return [*rows, Row("", "runs", "DIFFERENT" if faults else "untouched", faults)]


def _times(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {str(file): file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file() and file.stat().st_size}


def report_committed_studies(before: Version, own: Version) -> list[Row]:
    """The tables of all studies whose reports are committed, made again from their records, beside the committed ones."""
    if not (before.folder / "real").is_dir():
        return [Row("", "all", "NOT COMPARED: DNASPT_REAL_DATA is not set")]
    copied = own.folder / "tree"
    for name in git(
        "ls-files", "-co", "--exclude-standard", "benchmarks", "docs", "examples", "README.md", "CHANGELOG.md"
    ).splitlines():
        if (ROOT / name).is_file():
            (copied / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copied / name)
    rows = []
    for study in sorted((before.tree / "examples" / "studies").glob("*/study.md")):
        name = study.parent.name
        new = copied / "examples" / "studies" / name
        clear(new, ("study*",))
        report_study(own, name, copied, before.folder / "real")
        found = compare_folders(study.parent, new, ("study.md", "study_*.csv"), NONE)
        rows += [Row("", f"{name}: {row.compared}", row.result, row.faults, row.notes) for row in as_rows(found)]
    own.python(str(copied / "benchmarks" / "make_results.py"), folder=before.folder / "real")
    for name in ("docs/results.md", "README.md"):
        text = (before.tree / name).read_text()
        if name == "README.md":
            text = text.split("<!-- results -->")[1].split("<!-- /results -->")[0]
        found = {"table": compare_tables(text, (copied / name).read_text(), NONE)}
        rows += [Row("", f"{name}: {row.compared[2:]}", row.result, row.faults, row.notes) for row in as_rows(found)]
    return rows


def report_study(own: Version, name: str, copied: Path, real: Path) -> None:
    """Make the report of a committed study in a copy of the tree.

    Raises:
        CommandError: it failed, or it began to train, which a study whose records are there does not.
    """
    folder, began = copied / "examples" / "studies" / name, time.monotonic()
    with own.started(str(copied / "benchmarks" / "studies.py"), name, folder=real) as process:
        while process.poll() is None:
            if any((folder / part).exists() for part in ("runs", "configs", "logs")):
                raise CommandError(f"{name}: begins to train: its records do not fit its dataset")
            if time.monotonic() - began > SECONDS:
                raise CommandError(f"{name}: takes more than {SECONDS} s")
            time.sleep(0.1)
        said, _ = process.communicate()
    if process.returncode:
        raise CommandError(f"{name}: ended with {process.returncode}: {said[-1000:]}")


OPENING: dict[str, Callable[[Version, Version], list[Row]]] = {
    "old datasets and runs": open_old,
    "resumed runs": resume_runs,
    "predictions that go on": go_on_predicting,
    "study that goes on": go_on_with_study,
    "finished study": report_finished_study,
    "committed studies": report_committed_studies,
}
"""Steps in which this tree opens what the commit before wrote."""


def show(rows: Sequence[Row]) -> None:
    """Print the table, and beneath it what differs."""
    widths = [max(len(getattr(row, name)) for row in rows) for name in ("step", "compared")]
    for row in rows:
        print(f"{row.step:{widths[0]}}  {row.compared:{widths[1]}}  {row.result}")
    for row in rows:
        for fault in row.faults[:10]:
            print(textwrap.indent(f"DIFFERENT {row.step}: {fault}", "  "))
        for note in row.notes[:3]:
            print(textwrap.indent(f"note on {row.step}: {note}", "  "))


if __name__ == "__main__":
    sys.exit(main())
