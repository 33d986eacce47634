"""Ways to train on windows, compared on valid: what helps from scratch, what helps after self-pretraining.

`python benchmarks/recipes.py arabidopsis_chr3` (or human_wgbs, human_brain) trains each recipe from scratch and from a
self-pretrained encoder, and writes mean AUROC and AUPRC on valid into benchmarks/results/recipes-NAME.json.
Test is not read. Finished runs in --out are taken as they are, broken ones are resumed; `--only RECIPE` makes some, `--seed 1`
others. What is not in a recipe is as in the study of the same data.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import studies
from dnaspt.config import FinetuneConfig
from dnaspt.training.recipe import RECIPE_SETTINGS
from dnaspt.training.runs import Run
from record import RESULTS, write_result

FAST_HEAD = {"learning_rate": 1e-2, "encoder_rate": 0.1}
"""A head that learns ten times as fast as the encoder."""
NORMALIZED = FAST_HEAD | {"pool": "normalized"}
COMMON: dict[str, Any] = {name: FinetuneConfig.model_fields[name].default for name in RECIPE_SETTINGS} | {
    "precision": "bf16"
}
"""What a recipe does not say: the plain settings, and not those that `dnaspt finetune` takes by default; bfloat16 as on a GPU."""
VALIDATE_EVERY = {"human_brain": 190}
"""Steps between validations where those of the study take as long as training."""
RECIPES: dict[str, dict[str, Any]] = {
    "mean pooling": {"learning_rate": 1e-3},
    "mean pooling, slower": {"learning_rate": 3e-4},
    "fast head": FAST_HEAD,
    "normalized": NORMALIZED,
    "normalized, averaged": NORMALIZED | {"average_fraction": 0.1},
    "normalized, slower, averaged": NORMALIZED | {"learning_rate": 3e-3, "average_fraction": 0.1},
    "composition": {"learning_rate": 1e-3, "composition": True},
    "composition, slower": {"learning_rate": 3e-4, "composition": True},
    "composition, fast head": FAST_HEAD | {"composition": True},
    "composition, normalized": NORMALIZED | {"composition": True},
    "composition, normalized, slower": NORMALIZED | {"composition": True, "learning_rate": 3e-3},
    "composition, normalized, averaged": NORMALIZED | {"composition": True, "average_fraction": 0.1},
}
"""Settings of fine-tuning."""
PRETRAININGS: dict[str, dict[str, Any] | None] = {
    "scratch": None,
    "SPT": {},
    "SPT, 40 % masked": {"precision": "bf16", "mask_fraction": 0.4},
    "SPT, three times as long": {"precision": "bf16", "epochs": 9},
}
"""Settings of pretraining; None from scratch."""


def main() -> None:
    """Make the missing runs, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["arabidopsis_chr3", "human_wgbs", "human_brain"])
    parser.add_argument("--out", type=Path, default=Path("runs/recipes"))
    parser.add_argument("--only", action="append", choices=sorted(RECIPES))
    parser.add_argument("--init", action="append", choices=sorted(PRETRAININGS))
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    studies.prepare(chosen.name)
    data, out = Path("data") / chosen.name, chosen.out / chosen.name
    study = tomllib.loads((studies.STUDIES / f"{chosen.name}.toml").read_text())
    every = {"validate_every": VALIDATE_EVERY[chosen.name]} if chosen.name in VALIDATE_EVERY else {}
    for init, pretraining in PRETRAININGS.items():
        for recipe, settings in RECIPES.items():
            if recipe not in (chosen.only or RECIPES) or init not in (chosen.init or PRETRAININGS):
                continue
            begin = []
            if pretraining is not None:
                encoder = out / f"{init} seed{chosen.seed}"
                make(encoder, "pretrain", data, study["pretrain"] | pretraining, chosen.seed)
                begin = ["--encoder", str(encoder)]
            run = out / f"{recipe}, {init} seed{chosen.seed}"
            make(run, "finetune", data, study["finetune"] | every | COMMON | settings, chosen.seed, begin)
            write(chosen.name, recipe, init, chosen.seed, run)


def make(
    run: Path, command: str, data: Path, settings: dict[str, Any], seed: int, options: list[str] | None = None
) -> None:
    """A run, unless it is finished."""
    if (run / "result.json").is_file():
        return
    run.parent.mkdir(parents=True, exist_ok=True)
    config = run.with_name(f"{run.name}.toml")
    config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    resumed = ["--resume"] if run.exists() else []
    studies.run(
        command, str(data), *(options or []), "--config", str(config), "--seed", str(seed), "--out", str(run), *resumed
    )


def write(name: str, recipe: str, init: str, seed: int, run: Path) -> None:
    """Add the scores of a run to what is on record."""
    file = RESULTS / f"recipes-{name}.json"
    found = json.loads(file.read_text())["valid"] if file.is_file() else {}
    result = Run.open(run).result
    scores = {score.removeprefix("valid_"): round(value, 4) for score, value in result.scores.items()}
    found.setdefault(recipe, {}).setdefault(init, {})[f"seed {seed}"] = scores | {
        "best step": result.best_step,
        "steps": result.steps,
        "minutes": round(result.minutes, 1),
    }
    write_result(f"recipes-{name}", f"python benchmarks/recipes.py {name}", {"valid": found})


if __name__ == "__main__":
    main()
