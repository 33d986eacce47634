"""Two ways to the weights of a gene model, side by side: the search that `finetune` makes, and maximum conditional likelihood.

`python benchmarks/gene_weights.py athaliana_genes` (a dataset of `benchmarks/studies.py`; site scores of letters) writes
benchmarks/results/gene_weights-NAME.json: scores of the train split out of fold and of the valid split. Test is not read.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

import studies
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.models.gene_model import (
    GENE,
    N_SENSORS,
    PRIOR_WEIGHTS,
    SITES,
    WEIGHT_NAMES,
    GeneModel,
    clamp,
    length_weight_gradient,
)
from dnaspt.models.kernels.semi_markov import sum_paths
from dnaspt.models.sensors import sensor_weight_gradient
from dnaspt.models.site_scores import site_weight_gradient
from dnaspt.training import finetune, fit_gene_model
from record import write_result

STEPS = 25
"""Most steps of L-BFGS."""
PENALTY = 1.0
"""Nats that all weights cost together that are half a natural logarithm away from where the search begins."""
Search = fit_gene_model._Search


class Likelihood(Search):
    """Weights under which the labels of the train split are most probable, out of fold."""

    def run(self, report: Callable[[str], None]) -> np.ndarray:
        """The best weights found."""
        moved = np.delete(np.arange(len(PRIOR_WEIGHTS)), GENE)

        def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = self.likelihood(weights)
            away = (weights - PRIOR_WEIGHTS) / np.maximum(PRIOR_WEIGHTS / 2, 0.1)
            cost = PENALTY * (away[moved] ** 2).sum()
            slope = np.zeros(len(weights))
            slope[moved] = 2 * PENALTY * away[moved] / np.maximum(PRIOR_WEIGHTS / 2, 0.1)[moved]
            report(f"likelihood {value:.1f} nats")
            return cost - value, slope - gradient

        bounds = [(None, None) if index == GENE else (1e-3, 10.0) for index in range(len(PRIOR_WEIGHTS))]
        options = {"maxiter": STEPS}
        best = minimize(loss, PRIOR_WEIGHTS, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        report(f"{best.message}, {best.nfev} evaluations")
        self.best_scores = self._scores(best.x)
        return np.asarray(best.x)

    def likelihood(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Nats by which the labels are less probable than all paths together, and their gradient by the weights."""
        model = replace(self._model, weights=weights)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            found = list(pool.map(partial(self._of_sequence, model), range(len(self._tokens))))
        return sum(value for value, _ in found), np.sum([gradient for _, gradient in found], axis=0)

    def _of_sequence(self, model: GeneModel, number: int) -> tuple[float, np.ndarray]:
        features, sites, labels = self._features[number], self._sites[number], self._part.segments[number].labels
        segments, total, gradient = model.segments(), 0.0, np.zeros(len(WEIGHT_NAMES))

        def potentials(start: int, stop: int, *, is_bound: bool) -> np.ndarray:
            rows = clamp(labels[start:stop]) if is_bound else np.zeros((stop - start, 29), np.float32)
            fit_gene_model.add_sensors(rows, features[start:stop], model.weights[:N_SENSORS])
            fit_gene_model.add_site_scores(rows, sites[start:stop], model.weights[SITES])
            return rows

        for is_bound, sign in ((True, 1), (False, -1)):

            def add(first: int, rows: np.ndarray, sign: int = sign) -> None:
                bases = slice(first, first + len(rows))
                gradient[:N_SENSORS] += sign * sensor_weight_gradient(features[bases], np.float32(rows))
                gradient[SITES] += sign * site_weight_gradient(sites[bases], rows)

            own = partial(potentials, is_bound=is_bound)
            sums = sum_paths(self._tokens[number], own, segments, marginals=add)
            total += sign * sums.log_sum
            gradient[SITES.stop :] += sign * length_weight_gradient(model.tables, sums.expected)
        return total, gradient


def main() -> None:
    """Fit both, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(studies.PREPARE))
    chosen = parser.parse_args()
    studies.prepare(chosen.name)
    data = Path("data") / chosen.name
    found: dict[str, Any] = {}
    for name, kind in (("search", Search), ("likelihood", Likelihood)):
        began = time.perf_counter()
        fit_gene_model._Search = kind
        config = FinetuneConfig(data=data, out=Path("unused"), head="gene-model")
        manifest = read_manifest(data)
        checkpoint = finetune._describe(config, manifest, "gene-model", None)
        fit = fit_gene_model.fit_gene_model(
            config, manifest, checkpoint, read_split(data, "train"), read_split(data, "valid"), print
        )
        weights = fit.model.head.model().weights
        found[name] = {
            "scores": {score: round(value, 4) for score, value in fit.scores.items()},
            "weights": {weight: round(float(value), 3) for weight, value in zip(WEIGHT_NAMES, weights, strict=True)},
            "seconds": round(time.perf_counter() - began),
        }
        print(name, found[name])
    write_result(f"gene_weights-{chosen.name}", f"python benchmarks/gene_weights.py {chosen.name}", found)


if __name__ == "__main__":
    main()
