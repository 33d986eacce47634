"""Every format of labeled sequences goes through prepare, pretrain, finetune, evaluate and predict; scores are scikit-learn's."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics

import dnaspt
from dnaspt.errors import ConfigError
from dnaspt.genome.alphabet import decode
from dnaspt.genome.gene_states import MISSING
from dnaspt.genome.sequence_tables import read_sequence_table, sequences_of

N = 60
Written = tuple[dict[str, object], Path]
"""Settings of `prepare_sequences`, and a file to predict on."""


def rows(n_values: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    letters = ["".join(rng.choice(list("ACGT"), 60 + k % 9)) for k in range(N)]
    return pd.DataFrame(
        {"id": [f"s{k}" for k in range(N)], "sequence": letters, "label": [k % n_values for k in range(N)]}
    )


def one_file(name: str) -> Callable[[Path], Written]:
    def write(folder: Path) -> Written:
        file, frame = folder / name, rows()
        if ".csv" in name or ".tsv" in name:
            frame.to_csv(file, index=False, sep="\t" if ".tsv" in name else ",")
        elif name.endswith(".parquet"):
            frame.to_parquet(file, index=False)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
        return {"sequences": file}, file

    return write


def fasta(file: Path, frame: pd.DataFrame, header: str) -> Path:
    file.write_text("".join(f">{header.format(**row)}\n{row['sequence']}\n" for row in frame.to_dict("records")))
    return file


def fasta_pair(folder: Path) -> Written:
    frame = rows()
    files = [fasta(folder / f"{name}.fa", frame[frame["label"] == y], "{id}") for name, y in (("pos", 1), ("neg", 0))]
    return {"sequences": files}, files[0]


def header_labels(folder: Path) -> Written:
    file = fasta(folder / "a.fa", rows(), "{id}|{label}")
    return {"sequences": file}, file


def three_files(folder: Path) -> Written:
    frame = rows()
    for name, part in (("train", frame[:40]), ("dev", frame[40:50]), ("test", frame[50:])):
        part.drop(columns="id").to_csv(folder / f"{name}.csv", index=False)
    files = {
        name: folder / f"{file}.csv" for name, file in (("sequences", "train"), ("valid", "dev"), ("test", "test"))
    }
    return dict(files), folder / "test.csv"


def split_column(folder: Path) -> Written:
    rows().assign(split=["train"] * 40 + ["dev"] * 10 + ["test"] * 10).to_csv(folder / "a.csv", index=False)
    return {"sequences": folder / "a.csv"}, folder / "a.csv"


def several_classes(folder: Path) -> Written:
    rows(n_values=3).to_csv(folder / "a.csv", index=False)
    return {"sequences": folder / "a.csv"}, folder / "a.csv"


def several_labels(folder: Path) -> Written:
    frame = rows().rename(columns={"label": "a"}).assign(b=[k // 3 % 2 for k in range(N)])
    frame.to_csv(folder / "a.csv", index=False)
    return {"sequences": folder / "a.csv", "label_columns": ("a", "b")}, folder / "a.csv"


def numbers(folder: Path) -> Written:
    shares = rows()["sequence"].map(lambda letters: (letters.count("G") + letters.count("C")) / len(letters))
    frame = rows().rename(columns={"label": "count"}).assign(activity=shares * 3 - 1)
    frame.loc[5, "activity"] = np.nan
    frame.to_csv(folder / "a.csv", index=False)
    return {"sequences": folder / "a.csv", "label_columns": ("activity", "count")}, folder / "a.csv"


FORMATS: dict[str, Callable[[Path], Written]] = {
    "CSV": one_file("a.csv"),
    "TSV": one_file("a.tsv"),
    "JSON lines": one_file("a.jsonl"),
    "Parquet": one_file("a.parquet"),
    "gzip": one_file("a.csv.gz"),
    "a FASTA for each class": fasta_pair,
    "labels in headers": header_labels,
    "three files": three_files,
    "a column of splits": split_column,
    "several classes": several_classes,
    "several labels": several_labels,
    "numbers": numbers,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_goes_all_the_way(name: str, tmp_path: Path) -> None:
    settings, to_predict = FORMATS[name](tmp_path)
    data = dnaspt.prepare_sequences(**settings, out=tmp_path / "data")  # type: ignore[arg-type]
    short = {"steps": 2, "batch_bp": 2048, "tensorboard": False, "accelerator": "cpu"}
    encoder = dnaspt.pretrain(data, out=tmp_path / "pre", preset="tiny", **short)
    run = dnaspt.finetune(data, out=tmp_path / "run", encoder=encoder, **short)
    scores = dnaspt.evaluate(run, data).scores
    model = dnaspt.load(run)
    test = data.read("test")
    truth = test.labels.reshape(len(test), -1)
    letters = data.to_frame("test")["sequence"].tolist()
    if data.task == "values":
        table = model.predict(letters)
        assert isinstance(table, pd.DataFrame)
        probabilities = table.to_numpy()
    else:
        probabilities = np.asarray(model.predict_proba(letters))
    found_scores = {kind: score.value for kind, score in scores.items()}
    if data.task == "values":
        check_number_scores(truth, probabilities, found_scores)
    else:
        check_scores(truth, probabilities, found_scores, one_of=data.task == "classes")
    summary = model.predict_sequences_file(to_predict, tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv")
    assert len(found) == summary.n_sequences and tuple(found.columns[1:]) == data.labels
    codes = sequences_of(read_sequence_table(to_predict), None, None)[1]
    predicted = [decode(own) for own in codes]
    alone = model.predict(predicted) if data.task == "values" else model.predict_proba(predicted)
    np.testing.assert_allclose(found[list(data.labels)], np.asarray(alone), rtol=1e-4, atol=1e-6)
    if data.task == "classes":
        np.testing.assert_allclose(found[list(data.labels)].sum(axis=1), 1, atol=1e-4)
    opener = gzip.open if to_predict.suffix == ".gz" else open
    with opener(to_predict, "rb") as file:
        assert file.read(1)


def check_scores(truth: np.ndarray, probabilities: np.ndarray, scores: dict[str, float], *, one_of: bool) -> None:
    """Scores are those of scikit-learn on the same arrays."""
    known = truth != MISSING
    areas = [
        metrics.roc_auc_score(truth[known[:, k], k], probabilities[known[:, k], k])
        for k in range(truth.shape[1])
        if len(np.unique(truth[known[:, k], k])) == 2
    ]
    assert scores["mean_auroc"] == pytest.approx(np.mean(areas), abs=1e-6)
    precisions = [
        metrics.average_precision_score(truth[known[:, k], k], probabilities[known[:, k], k])
        for k in range(truth.shape[1])
        if truth[known[:, k], k].any()
    ]
    assert scores["mean_auprc"] == pytest.approx(np.mean(precisions), abs=1e-6)
    if one_of:
        pairs = [(truth.argmax(axis=1), probabilities.argmax(axis=1))]
    else:
        pairs = [(truth[known[:, k], k], probabilities[known[:, k], k] >= 0.5) for k in range(truth.shape[1])]
    for name, score in (("accuracy", metrics.accuracy_score), ("mcc", metrics.matthews_corrcoef)):
        assert scores[name] == pytest.approx(np.mean([score(*pair) for pair in pairs]), abs=1e-6)


@pytest.mark.slow
def test_lengths_from_one_base_to_the_longest(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lengths = [1, 41, 5_000] * 12 + [100_000] * 3
    letters = ["".join(rng.choice(list("ACGT"), length)) for length in lengths]
    splits = [("train", "valid", "test")[n // 3 % 3] for n in range(36)] + ["train", "valid", "test"]
    frame = pd.DataFrame({"sequence": letters, "label": [n % 2 for n in range(39)], "split": splits})
    frame.to_csv(tmp_path / "a.csv", index=False)
    data = dnaspt.prepare_sequences(tmp_path / "a.csv", out=tmp_path / "data")
    assert data.manifest.window_bp == 100_000
    short = {"steps": 2, "batch_bp": 2048, "tensorboard": False, "accelerator": "cpu"}
    encoder = dnaspt.pretrain(data, out=tmp_path / "pre", preset="tiny", **short)
    run = dnaspt.finetune(data, out=tmp_path / "run", encoder=encoder, **short)
    assert dnaspt.evaluate(run, data).scores["mean_auroc"].value >= 0
    model = dnaspt.load(run)
    assert model.predict_sequences_file(tmp_path / "a.csv", tmp_path / "out.csv").n_sequences == 39
    found = pd.read_csv(tmp_path / "out.csv")["label"]
    np.testing.assert_allclose(found, np.concatenate([model.predict_proba(own) for own in letters])[:, 0], rtol=1e-4)


def check_number_scores(truth: np.ndarray, predicted: np.ndarray, scores: dict[str, float]) -> None:
    """Scores are those of scipy and scikit-learn on the same arrays."""
    known = [(truth[own, k], predicted[own, k]) for k, own in enumerate((~np.isnan(truth)).T)]
    for name, score in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        assert scores[f"mean_{name}"] == pytest.approx(np.mean([score(*pair)[0] for pair in known]), abs=1e-5)
    assert scores["mean_r2"] == pytest.approx(np.mean([metrics.r2_score(*pair) for pair in known]), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["mse", "poisson"])
def test_numbers_are_learned_scored_beside_ridge_regression_and_joined(head: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shares = rng.uniform(0.2, 0.8, 400)
    letters = ["".join(rng.choice(list("ACGT"), 60, p=[(1 - s) / 2, s / 2, s / 2, (1 - s) / 2])) for s in shares]
    frame = pd.DataFrame({"sequence": letters, "label": rng.poisson(40 * shares)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    data = dnaspt.prepare_sequences(sequences=tmp_path / "a.csv", out=tmp_path / "data", kind="numbers")
    options = {
        "preset": "tiny",
        "head": head,
        "epochs": 8,
        "batch_bp": 2048,
        "tensorboard": False,
        "accelerator": "cpu",
    }
    runs = [dnaspt.finetune(data, out=tmp_path / f"{seed}", seed=seed, **options) for seed in (0, 1)]
    both = dnaspt.ensemble(data, runs, out=tmp_path / "both")
    scores = [dnaspt.evaluate(run, data) for run in (*runs, both)]
    ridge = dnaspt.baseline(data, out=tmp_path / "ridge")
    assert all(score.metric == "mean_pearson" and score.primary.value > 0.7 for score in (*scores, ridge))
    assert scores[-1].scores["mean_r2"].value > 0.4
    assert dnaspt.Evaluation.from_dict(scores[0].to_dict()) == scores[0]
    model = dnaspt.load(both)
    with pytest.raises(ConfigError, match="predicts numbers, which have no probability; call predict"):
        model.predict_proba(letters[:2])
    with pytest.raises(ConfigError, match="for numbers say kmer"):
        dnaspt.baseline(data, out=tmp_path / "cpg", model="cpg")
    with pytest.raises(ConfigError, match="has numbers"):
        dnaspt.finetune(data, out=tmp_path / "other", preset="tiny", composition=True)


@pytest.mark.slow
def test_models_of_classes_are_joined_by_their_mean_alone(tmp_path: Path) -> None:
    settings, _ = several_classes(tmp_path)
    data = dnaspt.prepare_sequences(**settings, out=tmp_path / "data")  # type: ignore[arg-type]
    runs = [
        dnaspt.finetune(
            data, out=tmp_path / f"{seed}", preset="tiny", seed=seed, steps=2, batch_bp=2048, tensorboard=False
        )
        for seed in (0, 1)
    ]
    both = dnaspt.ensemble(data, runs, out=tmp_path / "both")
    letters = data.to_frame("test")["sequence"].tolist()
    probabilities = dnaspt.load(both).predict_proba(letters)
    assert isinstance(probabilities, np.ndarray)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    truth = data.read("test").labels.reshape(len(letters), -1)
    scores = {kind: score.value for kind, score in dnaspt.evaluate(both, data).scores.items()}
    check_scores(truth, probabilities, scores, one_of=True)
    for wrong in ({"composition": True}, {"weights": "valid"}):
        with pytest.raises(ConfigError, match="is for labels that are true or false"):
            dnaspt.ensemble(data, runs, out=tmp_path / "other", **wrong)
