"""Training on windows of 41 bases: bases of real sequence a second, padded as before and now, in one run.

`python benchmarks/short_windows.py` pretrains the encoder `small` on 20,000 random windows of 41 bases, a few
steps at a time, with batches padded to an eighth of the cut of pretraining (512 of 4,096 bases), as for windows of a genome, and
to a sixteenth of their own length, as for sequences without a genome. Both take turns. `--bf16` trains in bfloat16. It writes
benchmarks/results/short_windows.json, or short_windows-bf16.json.
"""

import argparse
import time
from statistics import median

import numpy as np
import torch

from dnaspt.config import PRESETS
from dnaspt.data.batches import BatchOptions, TrainingBatches
from dnaspt.data.dataset import Split
from dnaspt.models.language_model import LanguageModel
from dnaspt.training.loop import to_tensors
from dnaspt.training.pretrain import WINDOW_BP
from record import write_result

N_WINDOWS, BP = 20_000, 41


def main() -> None:
    """Time both, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch-bp", type=int, default=16_384)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    split = windows()
    ways = {}
    for name, any_length in (("as windows of a genome", False), ("as sequences", True)):
        options = BatchOptions(chosen.batch_bp, mask_fraction=0.15, any_length=any_length)
        ways[name] = next(iter(TrainingBatches([split], WINDOW_BP, options).batches(0)))
    model = LanguageModel(PRESETS["small"])
    optimizer = torch.optim.AdamW(model.parameters())
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(chosen.repeats + 1):
        for name, batch in ways.items():
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=chosen.bf16):
                loss = model.loss(to_tensors(batch, torch.device("cpu")))
            loss.total.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if repeat:  # the first one compiles
                seconds[name].append(time.perf_counter() - began)
    rows = {
        name: {
            "padded length": int(batch.tokens.shape[1]),
            "windows in a batch": len(batch.tokens),
            "bases": batch.n_bp,
            "median_s": median(seconds[name]),
            "bases_per_s": batch.n_bp / median(seconds[name]),
        }
        for name, batch in ways.items()
    }
    before, now = (rows[name]["bases_per_s"] for name in ways)
    print(rows, f"{now / before:.1f} times")
    content = {
        "threads": chosen.threads,
        "batch_bp": chosen.batch_bp,
        "window_bp": BP,
        "rows": rows,
        "ratio": now / before,
    }
    option = "bf16" if chosen.bf16 else ""
    name, command = ("-".join(filter(None, ("short_windows", option))), "python benchmarks/short_windows.py")
    write_result(name, " --".join(filter(None, (command, option))), content)


def windows() -> Split:
    """Random windows, each a contig of its own."""
    rng = np.random.default_rng(0)
    offsets = np.arange(N_WINDOWS + 1) * BP
    return Split(
        chrom=np.array([f"s{k}" for k in range(N_WINDOWS)], dtype=object),
        start=np.zeros(N_WINDOWS, np.int64),
        end=np.full(N_WINDOWS, BP),
        strand=np.full(N_WINDOWS, ".", dtype=object),
        codes=rng.integers(0, 4, N_WINDOWS * BP).astype(np.uint8),
        offsets=offsets,
        labels=np.zeros(0, np.int8),
        label_offsets=np.zeros(N_WINDOWS + 1, np.int64),
        per_base=False,
    )


if __name__ == "__main__":
    main()
