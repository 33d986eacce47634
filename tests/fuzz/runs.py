"""Damaged files of runs and studies: each command ends well or with one line that names the file.

`python tests/fuzz/runs.py --inputs 1000` makes so many damaged files from whole ones by seeded mutations (cut, emptied, binary,
bytes changed; of JSON: values of other types, NaN, huge numbers, names that are missing) and runs the commands that read them:
`inspect`, `report`, `evaluate`, `predict`, `--resume` and `study`. Anything but a result or one line of an error is printed with
its seed. The last line says how many commands ended well, how many refused and how many are faulty; exit code 1 if one was.
"""

import argparse
import bz2
import contextlib
import copy
import io
import json
import logging
import random
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dnaspt
from dnaspt.errors import DnasptError

QUICK = {
    "steps": 4,
    "batch_bp": 2048,
    "tensorboard": False,
    "precision": "32",
    "accelerator": "cpu",
    "validate_every": 1,
}
ENCODER = {"hidden_size": 8, "n_layers": 1}
ARMS = [{"name": "CpG count", "init": "cpg"}, {"name": "scratch"}]
STUDY = {"seeds": [0], "learning_rates": [1e-3], "arms": ARMS}
ODD = (
    *(None, True, -1, 0, 0.5, 10**40, -(10**400), 1e308, float("nan"), float("inf"), -float("inf")),
    *("", "x", "\x00", "é" * 300, [], {}, [1], [[["x"]]], {"x": {}}, [None] * 3, "nan", "1e400", "../../etc"),
)
"""Values that no run writes where they are put."""


@dataclass(frozen=True)
class Target:
    """A kind of file: where it lies, and what reads it; both get the folder of a copy."""

    file: str
    read: Callable[[Path], object]


def make(folder: Path) -> None:
    """Whole runs and a study, very small."""
    dnaspt.simulate(folder / "genome", n_contigs=3, contig_bp=30_000, seed=1)
    genome = folder / "genome" / "genome.fa"
    genes = dnaspt.prepare_genes(genome, folder / "genome" / "annotation.gff3", out=folder / "genes", window_bp=1024)
    peaks = dnaspt.prepare_regions(
        genome, folder / "genome" / "peaks_A.bed", out=folder / "peaks", window_bp=128, core_bp=64, stride_bp=64
    )
    pre = dnaspt.pretrain(genes, out=folder / "pre", config=_toml(folder), **QUICK)
    dnaspt.pretrain(genes, out=folder / "stopped", config=_toml(folder), max_minutes=1e-9, **QUICK)
    for name, data, head in (("crf", genes, "crf"), ("windows", peaks, "sigmoid")):
        run = dnaspt.finetune(data, out=folder / name, encoder=pre, head=head, **QUICK)
        dnaspt.evaluate(run, data)
    dnaspt.study(_study(folder), out=folder / "study")


def _toml(folder: Path) -> Path:
    file = folder / "pretrain.toml"
    file.write_text("".join(["[encoder]\n", *(f"{name} = {value}\n" for name, value in ENCODER.items())]))
    return file


def _study(folder: Path) -> dict[str, Any]:
    finetune = {name: value for name, value in QUICK.items() if name not in ("steps", "validate_every")}
    return STUDY | {"data": folder / "peaks", "finetune": finetune | {"epochs": 0.01, "preset": "tiny"}}


def _inspect(name: str) -> Callable[[Path], object]:
    return lambda folder: (str(dnaspt.inspect(folder / name)), _shown("inspect", str(folder / name)))


def _shown(*words: str) -> None:
    """What a command prints."""
    from dnaspt.cli.main import app

    app(list(words), prog_name="dnaspt", standalone_mode=False)


def _resume(name: str, **settings: Any) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        config, given = folder / "pretrain.toml", QUICK | settings
        return dnaspt.pretrain(folder / "genes", out=folder / name, config=config, resume=True, **given)

    return read


def _report(folder: Path) -> object:
    return dnaspt.report(
        folder / "crf", data=folder / "genes", out=folder / "r.html", pretrain=folder / "pre", overwrite=True
    )


def _report_windows(folder: Path) -> object:
    return dnaspt.report(folder / "windows", data=folder / "peaks", out=folder / "r.html", overwrite=True)


def _opened(folder: Path) -> object:
    run = dnaspt.Run.open(folder / "pre")
    return (repr(run), run.history, run.result.summary(), dnaspt.Run.open(folder / "stopped"))


def _predict(folder: Path) -> object:
    run = folder / "crf"
    return (
        dnaspt.evaluate(run, folder / "genes", split="valid"),
        dnaspt.load(run).predict_file(folder / "genome" / "genome.fa", folder / "out.gff3", overwrite=True),
    )


def _read_study(folder: Path) -> object:
    return dnaspt.study(_study(folder), out=folder / "study")


LAST = "stopped/last/step-00000001"
TARGETS = (
    *(Target(f"{LAST}/{name}", _resume("stopped")) for name in ("state.json", "optimizer.safetensors", "config.json")),
    Target(f"{LAST}/model.safetensors", _resume("stopped")),
    Target("stopped/metrics.jsonl", _resume("stopped")),
    Target("stopped/run.json", _resume("stopped")),
    Target("stopped/run.json", _inspect("stopped")),
    Target(f"{LAST}/state.json", _opened),
    *(Target(f"pre/{name}", _resume("pre", steps=6)) for name in ("run.json", "result.json", "metrics.jsonl")),
    *(Target(f"pre/{name}", _opened) for name in ("result.json", "metrics.jsonl")),
    *(Target(f"pre/{name}", _inspect("pre")) for name in ("result.json", "best/STEP/config.json")),
    *(Target(f"crf/{name}", _inspect("crf")) for name in ("evaluation-test.json", "result.json", "run.json")),
    Target("windows/evaluation-test.json", _inspect("windows")),
    *(
        Target(f"crf/{name}", _report)
        for name in ("evaluation-test.json", "evaluation-test.npz", "run.json", "result.json", "metrics.jsonl")
    ),
    *(Target(f"pre/{name}", _report) for name in ("run.json", "result.json", "metrics.jsonl")),
    *(Target(f"windows/{name}", _report_windows) for name in ("evaluation-test.json", "evaluation-test.npz")),
    *(Target(f"crf/best/STEP/{name}", _predict) for name in ("config.json", "model.safetensors")),
    Target("study/records/FINAL", _read_study),
)


def damage(content: bytes, rng: random.Random, name: str) -> bytes:
    """A damaged copy of a file."""
    if name.endswith(".bz2"):
        if rng.random() < 0.7:
            return bz2.compress(damage(bz2.decompress(content), rng, ".json"))
    elif name.endswith((".json", ".jsonl")) and rng.random() < 0.75:
        lines = content.decode().splitlines() if name.endswith(".jsonl") else [content.decode()]
        number = rng.randrange(len(lines)) if lines else 0
        lines[number] = json.dumps(_damaged_json(json.loads(lines[number]), rng))
        return "\n".join([*lines, ""]).encode()
    kind = rng.randrange(7)
    if kind == 0:
        return b""
    if kind == 1:
        return content[: rng.randrange(len(content) + 1)]
    if kind == 2:
        return rng.randbytes(rng.randrange(1, 2000))
    if kind == 3:
        return b"\xef\xbb\xbf" + content
    if kind == 4:
        return rng.choice((b"[" * 100_000, b"null", b"[]", b'"x"', b"{}", b"NaN", b"9" * 5000, b"{}\n{}", b"\x00" * 64))
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 30))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _damaged_json(value: Any, rng: random.Random) -> Any:
    """The same JSON with one or two values changed, removed or added, anywhere in it."""
    for _ in range(rng.choice((1, 1, 2))):
        places = list(_places(value))
        if not places:
            return _odd(rng)
        parent, key = rng.choice(places)
        how = rng.randrange(8)
        if how == 0 and isinstance(parent, dict):
            del parent[key]
        elif how == 1 and isinstance(parent, dict):
            parent[rng.choice(("", "step", "x" * 300, "task"))] = _odd(rng)
        elif how == 2 and isinstance(parent, list):
            parent.append(_odd(rng))
        elif isinstance(parent[key], int | float) and how == 3:
            parent[key] = rng.choice((-parent[key], parent[key] * 10**9, parent[key] + 1, str(parent[key])))
        else:
            parent[key] = _odd(rng)
    return value


def _odd(rng: random.Random) -> Any:
    """A value that nobody expects: a copy, since what holds it may be damaged, too."""
    return copy.deepcopy(rng.choice(ODD))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in a value: what holds it, and its name or number there; those high up several times."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def try_one(target: Target, seed: int, whole: Path, folder: Path) -> tuple[str, str]:
    """Damage a file of a copy and read it: "well", "refused" or "faulty", and what was said."""
    rng = random.Random(seed)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    name = target.file
    if "STEP" in name:
        name = name.replace("STEP", next((whole / name.split("/")[0] / "best").iterdir()).name)
    if "FINAL" in name:
        name = (
            f"study/records/{rng.choice(sorted(path.name for path in (whole / 'study' / 'records').glob('final-*')))}"
        )
    file = folder / name
    file.write_bytes(damage(file.read_bytes(), rng, name))
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("error")
            target.read(folder)
    except DnasptError as error:
        told = str(error)
        if "\n" in told or len(told) > 1500:
            return "faulty", f"{name}: not one line: {told[:300]!r}"
        is_named = str(file) in told or any(str(parent) in told for parent in file.parents if parent != folder.parent)
        return ("refused", told) if is_named or error.exit_code == 76 else ("faulty", f"{name}: not named: {told}")
    except Exception:
        return "faulty", f"{name}: {traceback.format_exc(limit=-4)}"
    return "well", ""


def fuzz(
    n: int, first_seed: int, folder: Path, tell: Callable[[str], object] = lambda _: None
) -> tuple[Counter[str], list[str]]:
    """Try so many damaged files; how each ended, and what was faulty, which `tell` is told at once."""
    logging.disable(logging.CRITICAL)
    whole = folder / "whole"
    if not whole.exists():
        whole.mkdir(parents=True)
        make(whole)
    counts: Counter[str] = Counter()
    faults = []
    for seed in range(first_seed, first_seed + n):
        how, told = try_one(TARGETS[seed % len(TARGETS)], seed, whole, folder / "copy")
        counts[how] += 1
        if how == "faulty":
            faults.append(f"seed {seed}: {told}")
            tell(faults[-1])
    logging.disable(logging.NOTSET)
    return counts, faults


def main() -> None:
    """Read so many damaged files, and print what is faulty."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = given.folder or Path(folder)
        counts, faults = fuzz(given.inputs, given.seed, where, lambda fault: print(fault, flush=True))
    ended = ", ".join(f"{n} {how}" for how, n in counts.items())
    print(f"{sum(counts.values())} damaged files: {ended}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
