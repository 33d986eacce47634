"""`prepare sequences`: which columns, values and splits are understood, what is counted, and what is refused."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dnaspt
from dnaspt.data.dataset import Dataset
from dnaspt.errors import ConfigError, DatasetError, InputError
from dnaspt.genome.gene_states import MISSING

N = 40


def random_sequences(n: int, seed: int = 0, n_bp: int = 50) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), n_bp + k % 7)) for k in range(n)]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"sequence": random_sequences(N), "label": [k % 2 for k in range(N)]})


def save(frame: pd.DataFrame, file: Path) -> Path:
    frame.to_csv(file, index=False, sep="\t" if ".tsv" in file.name else ",")
    return file


def fasta(file: Path, records: Mapping[str, str]) -> Path:
    text = "".join(f">{name}\n{letters}\n" for name, letters in records.items())
    file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())
    return file


def labels_of(data: Dataset, split: str) -> np.ndarray:
    rows = data.read(split)
    return rows.labels.reshape(len(rows), -1)


def all_labels(data: Dataset) -> np.ndarray:
    return np.concatenate([labels_of(data, split) for split in data.splits])


def test_a_table_is_divided(frame: pd.DataFrame, tmp_path: Path) -> None:
    data = dnaspt.prepare_sequences(save(frame, tmp_path / "all.csv"), out=tmp_path / "data")
    assert data.task == "sequences" and data.labels == ("label",)
    assert [data.manifest.splits[name].n_windows for name in data.splits] == [32, 4, 4]
    rows = data.to_frame("test")
    assert rows["chrom"].str.startswith("all:").all() and (rows["start"] == 0).all()
    by_sequence = dict(zip(frame["sequence"], frame["label"], strict=True))
    for split in data.splits:
        for window in data.to_frame(split).itertuples():
            assert by_sequence[window.sequence] == window.labels[0]
    assert data.manifest.window_bp == 56 and data.manifest.counts == {"sequences": N, "sequences_with_a_label": N // 2}


def test_three_files_as_gue_has_them(frame: pd.DataFrame, tmp_path: Path) -> None:
    train, dev, test = (save(frame[k::3], tmp_path / f"{name}.csv") for k, name in enumerate(("train", "dev", "test")))
    data = dnaspt.prepare_sequences(train, out=tmp_path / "data", valid=dev, test=[test])
    assert [data.manifest.splits[name].n_windows for name in data.splits] == [14, 13, 13]
    assert sorted(data.to_frame("valid")["sequence"]) == sorted(frame["sequence"][1::3])


def test_without_a_valid_file_a_part_of_train_is_valid(frame: pd.DataFrame, tmp_path: Path) -> None:
    train, test = save(frame[:30], tmp_path / "train.csv"), save(frame[30:], tmp_path / "test.csv")
    data = dnaspt.prepare_sequences(train, out=tmp_path / "data", test=test)
    sizes = {name: split.n_windows for name, split in data.manifest.splits.items()}
    assert sizes["test"] == 10 and sizes["train"] + sizes["valid"] == 30 and 2 <= sizes["valid"] <= 5


def test_a_column_of_splits(frame: pd.DataFrame, tmp_path: Path) -> None:
    words = ["train"] * 20 + ["Training", "dev", "validation", "val"] + ["test"] * 16
    data = dnaspt.prepare_sequences(save(frame.assign(Set=words), tmp_path / "a.csv"), out=tmp_path / "data")
    assert [data.manifest.splits[name].n_windows for name in data.splits] == [21, 3, 16]
    wrong = save(frame.assign(split=["train"] * 39 + ["holdout"]), tmp_path / "b.csv")
    with pytest.raises(InputError, match=r"b\.csv:41: split 'holdout'; expected train, valid \(or dev\) or test"):
        dnaspt.prepare_sequences(wrong, out=tmp_path / "other")
    with pytest.raises(ConfigError, match="has a split for each sequence"):
        dnaspt.prepare_sequences(tmp_path / "a.csv", out=tmp_path / "other", test=tmp_path / "a.csv")


def test_several_labels_some_missing(frame: pd.DataFrame, tmp_path: Path) -> None:
    more = frame.drop(columns="label").assign(H3K4me3=[1, 0] * 20, ATAC=["", "1.0", "0", "NA"] * 10)
    file = save(more, tmp_path / "a.tsv")
    data = dnaspt.prepare_sequences(file, out=tmp_path / "data", label_columns=("H3K4me3", "ATAC"))
    assert data.labels == ("H3K4me3", "ATAC")
    labels = all_labels(data)
    assert (labels[:, 1] == MISSING).sum() == 20 and (labels[:, 0] == 1).sum() == 20
    with pytest.raises(InputError, match=r"no column of labels among 'sequence', 'H3K4me3', 'ATAC'.*say label_columns"):
        dnaspt.prepare_sequences(file, out=tmp_path / "other")


@pytest.mark.parametrize(
    "header", ["{n}|{y}", "{n}|{y}|training", "{n} label={y}", "{n} {y}", "{n} some words class={y}"]
)
def test_labels_in_headers_of_fasta(header: str, tmp_path: Path) -> None:
    records = {header.format(n=f"s{k}", y=k % 2): letters for k, letters in enumerate(random_sequences(N))}
    if "training" in header:
        records |= {f"t{k}|{k % 2}|testing": letters for k, letters in enumerate(random_sequences(N, seed=1))}
    data = dnaspt.prepare_sequences(fasta(tmp_path / "a.fa.gz", records), out=tmp_path / "data")
    assert (all_labels(data) == 1).mean() == 0.5
    assert {name[0] for name in data.to_frame("train")["chrom"]} == {"s"}
    assert data.manifest.splits["test"].n_windows == (N if "training" in header else 4)


def test_a_fasta_for_each_class(tmp_path: Path) -> None:
    letters = random_sequences(2 * N)
    files = []
    for name, own in (("enhancers_train", letters[:N]), ("non-enhancers_train", letters[N:])):
        files.append(fasta(tmp_path / f"{name}.fa", {f"s{k}": text for k, text in enumerate(own)}))
    data = dnaspt.prepare_sequences(files, out=tmp_path / "data")
    assert data.labels == ("enhancers",)
    positive = {
        window.sequence for split in data.splits for window in data.to_frame(split).itertuples() if window.labels[0]
    }
    assert positive == set(letters[:N])
    names = [name for split in data.splits for name in data.to_frame(split)["chrom"]]
    assert len(set(names)) == 2 * N  # both files have s0


@pytest.mark.parametrize(
    ("values", "positive", "label", "true"),
    [
        (["1", "0"], None, "label", "1"),
        (["1.0", "0.0"], None, "label", "1.0"),
        (["-1", "1"], None, "label", "1"),
        (["True", "False"], None, "label", "True"),
        (["neg", "pos"], None, "label", "pos"),
        (["promoter", "non-promoter"], None, "promoter", "promoter"),
        (["promoter", "neg"], None, "promoter", "promoter"),
        (["coding", "intergenic"], "coding", "coding", "coding"),
        (["coding", "intergenic"], "intergenic", "intergenic", "intergenic"),
    ],
)
def test_which_value_is_true(
    values: list[str], positive: str | None, label: str, true: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    file = save(frame.assign(label=values * (N // 2)), tmp_path / "a.csv")
    data = dnaspt.prepare_sequences(file, out=tmp_path / "data", positive=positive)
    assert data.labels == (label,)
    is_true = dict(zip(frame["sequence"], [value == true for value in values * (N // 2)], strict=True))
    for split in data.splits:
        assert all(is_true[row.sequence] == row.labels[0] for row in data.to_frame(split).itertuples())


@pytest.mark.parametrize("names", [("a", "b", "c"), ("0", "1", "2"), ("1", "2", "3"), ("neg", "x1", "x2")])
def test_classes(names: tuple[str, ...], frame: pd.DataFrame, tmp_path: Path) -> None:
    values = [*(names * 14)[: N - 1], ""]
    data = dnaspt.prepare_sequences(save(frame.assign(label=values), tmp_path / "a.csv"), out=tmp_path / "data")
    assert data.task == "classes" and data.labels == names
    of = dict(zip(frame["sequence"], values, strict=True))
    for split in data.splits:
        for row in data.to_frame(split).itertuples():
            expected = [int(name == of[row.sequence]) for name in names] if of[row.sequence] else [MISSING] * 3
            assert row.labels.tolist() == expected


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (["0", "1", "7"], "3 numbers .* which are no classes 0, 1, 2"),
        ([str(k) for k in range(-3, 7)], "10 numbers"),
    ],
)
def test_numbers_that_are_no_classes(values: list[str], match: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    file = save(frame.assign(label=[values[k % len(values)] for k in range(N)]), tmp_path / "a.csv")
    with pytest.raises(InputError, match=match):
        dnaspt.prepare_sequences(file, out=tmp_path / "data")


def test_numbers_are_kept_missing_ones_counted_and_all_parts_have_high_and_low_ones(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    values = [k / 7 for k in range(N - 1)] + [None]
    data = dnaspt.prepare_sequences(save(frame.assign(label=values), tmp_path / "a.csv"), out=tmp_path / "data")
    assert data.task == "values" and data.manifest.splits["train"].numbers["label"].sd > 0
    assert sum(own.n_missing for own in data.manifest.splits.values()) == 1
    kept = np.concatenate([data.read(split).labels for split in data.splits])
    np.testing.assert_allclose(np.sort(kept[~np.isnan(kept)]), np.array(values[:-1], dtype=np.float32))
    again = dnaspt.Dataset.open(tmp_path / "data")
    assert again.manifest == data.manifest and again.to_frame("train")["labels"].iloc[0].dtype == np.float32


def test_one_class_against_all_others(frame: pd.DataFrame, tmp_path: Path) -> None:
    file = save(frame.assign(label=["a", "b", "c", "a"] * 10), tmp_path / "a.csv")
    assert (all_labels(dnaspt.prepare_sequences(file, out=tmp_path / "data", positive="a")) == 1).sum() == 20


@pytest.mark.parametrize(
    ("change", "settings", "error", "match"),
    [
        ({"label": ["coding", "intergenic"] * 20}, {}, ConfigError, "'coding', 'intergenic'; say positive"),
        ({"label": ["pos", "neg"] * 20}, {"positive": "yes"}, ConfigError, "positive 'yes' is no value of 'label'"),
        ({"label": [2] * N}, {}, InputError, "only the value '2'"),
        ({"label": [""] * N}, {}, InputError, "has no value"),
        ({"sequence": ["MKVL"] * N}, {}, InputError, r"a\.csv:2: 'L' in a sequence; expected IUPAC.*is it protein"),
        (
            {"sequence": ["ACGT" * 25_001] + ["ACGT"] * (N - 1)},
            {},
            InputError,
            r":2: a sequence of 100,004 bases.*regions",
        ),
        ({"sequence": [""] * N}, {}, InputError, "no window left .*rows without a sequence: 40"),
        ({}, {"sequence_column": "dna"}, InputError, "no column 'dna'; expected one of 'sequence', 'label'"),
        ({}, {"fractions": (0.5, 0.5, 0.5)}, ConfigError, "three shares that sum to 1"),
        ({"target": [1] * N}, {}, InputError, "'label', 'target' could each be the label"),
    ],
)
def test_what_is_refused(
    change: dict[str, Any],
    settings: dict[str, Any],
    error: type[Exception],
    match: str,
    frame: pd.DataFrame,
    tmp_path: Path,
) -> None:
    file = save(frame.assign(**change), tmp_path / "a.csv")
    with pytest.raises(error, match=match):
        dnaspt.prepare_sequences(file, out=tmp_path / "data", **settings)
    assert not (tmp_path / "data").exists()


def test_a_table_without_a_header(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("".join(f"{letters},1\n" for letters in random_sequences(5)))
    with pytest.raises(
        InputError, match=r"no column of sequences among '[ACGT]{27}\.\.\.', '1'.*give the table a header"
    ):
        dnaspt.prepare_sequences(file, out=tmp_path / "data")


def test_a_header_of_fasta_without_a_label(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.fa:1: no label in the header 's0'; write '>name\|LABEL'"):
        dnaspt.prepare_sequences(fasta(tmp_path / "a.fa", {"s0": "ACGT"}), out=tmp_path / "data")


def test_what_is_left_out_and_counted(frame: pd.DataFrame, tmp_path: Path) -> None:
    letters = frame["sequence"].tolist()
    letters[0], letters[1], letters[2] = "", "N" * 30, "RYK" + letters[2]
    letters[4], letters[6], letters[9] = letters[3], letters[5], letters[7]
    file = save(frame.assign(sequence=letters), tmp_path / "a.csv")
    data = dnaspt.prepare_sequences(file, out=tmp_path / "data")
    assert data.manifest.dropped == {"empty_sequence": 1, "unknown_bases": 1}
    counts = data.manifest.counts
    assert counts["ambiguous_letters"] == 3 and counts["repeated"] == 3 and counts["contradicting"] == 2
    assert not data.manifest.leakage.shares_sequence
    with pytest.raises(InputError, match="2 sequences stand twice with different labels"):
        dnaspt.prepare_sequences(file, out=tmp_path / "other", strict=True)


def test_missing_sequences_are_left_out_and_counted_however_they_are_written(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    letters = ["NA", "NaN", "null", *frame["sequence"][3:]]
    data = dnaspt.prepare_sequences(save(frame.assign(sequence=letters), tmp_path / "a.csv"), out=tmp_path / "data")
    assert data.manifest.dropped == {"empty_sequence": 3} and data.manifest.counts["sequences"] == N - 3


def test_copies_in_given_splits_are_counted_or_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    files = {name: save(frame, tmp_path / f"{name}.csv") for name in ("train", "valid", "test")}
    given = {"valid": files["valid"], "test": files["test"]}
    data = dnaspt.prepare_sequences(files["train"], out=tmp_path / "data", **given)
    assert data.manifest.leakage.pairs["train-test"].exact == N
    with pytest.raises(DatasetError, match="40 of 40 test windows share sequence with train"):
        dnaspt.prepare_sequences(files["train"], out=tmp_path / "other", strict=True, **given)


def test_some_files_with_splits_and_others_without(frame: pd.DataFrame, tmp_path: Path) -> None:
    one = save(frame[:20].assign(split=["train", "test"] * 10), tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="some files have a split for each sequence, others have none"):
        dnaspt.prepare_sequences([one, save(frame[20:], tmp_path / "b.csv")], out=tmp_path / "data")


def test_files_of_classes_with_labels_in_their_headers_are_refused(tmp_path: Path) -> None:
    letters = random_sequences(N)
    parts = (("a", letters[: N // 2]), ("b", letters[N // 2 :]))
    files = [
        fasta(tmp_path / f"{name}.fa", {f"{name}{k}|{k % 2}|training": text for k, text in enumerate(own)})
        for name, own in parts
    ]
    with pytest.raises(
        InputError, match=r"a\.fa: has labels in its headers \(.*\), but several FASTA files are read as classes"
    ):
        dnaspt.prepare_sequences(files, out=tmp_path / "data")


def test_one_file_beside_files_of_classes_is_of_a_class_too(tmp_path: Path) -> None:
    letters = random_sequences(60)
    parts = {"train_a": letters[:20], "train_b": letters[20:40], "dev_a": letters[40:50], "dev_b": letters[50:]}
    files = {
        name: fasta(tmp_path / f"{name}.fa", dict(zip("abcdefghijklmnopqrst", own, strict=False)))
        for name, own in parts.items()
    }
    train = [files["train_a"], files["train_b"]]
    data = dnaspt.prepare_sequences(
        train, out=tmp_path / "data", positive="a", valid=files["dev_a"], test=[files["dev_b"]]
    )
    assert data.labels == ("a",) and (labels_of(data, "valid") == 1).all() and (labels_of(data, "test") == 0).all()
    (tmp_path / "x").mkdir()
    twice = [files["train_a"], fasta(tmp_path / "x" / "a.fa", {"s": "ACGT"})]
    with pytest.raises(ConfigError, match="is of class 'a', as another file is"):
        dnaspt.prepare_sequences(twice, out=tmp_path / "other")


@pytest.mark.parametrize("values", [["True", "true", "FALSE", "0"], ["1", "1.0", "false", "0.0"]])
def test_spellings_of_true_and_false_are_one_label(values: list[str], frame: pd.DataFrame, tmp_path: Path) -> None:
    file = save(frame.assign(label=values * (N // 4)), tmp_path / "a.csv")
    data = dnaspt.prepare_sequences(file, out=tmp_path / "data")
    assert data.task == "sequences" and (all_labels(data) == 1).mean() == 0.5


def test_names_of_classes_stay_as_they_are(frame: pd.DataFrame, tmp_path: Path) -> None:
    names = ("01", "1", "1_1", "4E1")
    data = dnaspt.prepare_sequences(
        save(frame.assign(label=names * (N // 4)), tmp_path / "a.csv"), out=tmp_path / "data"
    )
    assert data.labels == names


def test_one_and_two_ask_which_is_true(frame: pd.DataFrame, tmp_path: Path) -> None:
    file = save(frame.assign(label=["1", "2"] * (N // 2)), tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="has the values '1', '2'; say positive"):
        dnaspt.prepare_sequences(file, out=tmp_path / "data")


def test_a_class_that_train_does_not_have(frame: pd.DataFrame, tmp_path: Path) -> None:
    files = {name: save(frame, tmp_path / f"{name}.csv") for name in ("train", "test")}
    valid = save(frame.assign(label=["0", "1", "2", "1"] * (N // 4)), tmp_path / "valid.csv")
    with pytest.raises(InputError, match=r"class '2' has no sequence in train; is it misspelt"):
        dnaspt.prepare_sequences(files["train"], out=tmp_path / "data", valid=valid, test=files["test"])


@pytest.mark.parametrize("name", ["a/b", "chrom", "name", "a\tb"])
def test_labels_that_nothing_can_be_named_after(name: str, frame: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    frame.assign(label=[name, "x", "y", "z"] * (N // 4)).to_parquet(file)
    with pytest.raises(InputError, match="a label is called"):
        dnaspt.prepare_sequences(file, out=tmp_path / "data")


def test_names_are_unique_whatever_others_are_called(frame: pd.DataFrame, tmp_path: Path) -> None:
    names = ["a", "a_2", "a", "b", "b", "b_2"] + [f"s{k}" for k in range(N - 6)]
    data = dnaspt.prepare_sequences(save(frame.assign(name=names), tmp_path / "a.csv"), out=tmp_path / "data")
    found = [name for split in data.splits for name in data.to_frame(split)["chrom"]]
    assert len(set(found)) == N and {"a", "a_2", "b", "b_2"} <= set(found)


def test_many_small_strata_are_divided_as_the_fractions_say(frame: pd.DataFrame, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = {f"l{k}": rng.integers(0, 2, 300) for k in range(8)}
    more = pd.DataFrame({"sequence": random_sequences(300)} | labels)
    data = dnaspt.prepare_sequences(save(more, tmp_path / "a.csv"), out=tmp_path / "data", label_columns=tuple(labels))
    sizes = [data.manifest.splits[name].n_windows for name in ("train", "valid", "test")]
    assert abs(sizes[0] - 240) < 10 and min(sizes[1:]) > 20


def test_settings_that_would_be_ignored_are_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    file = save(frame.assign(b=frame["label"]), tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="positive '1' is for one label"):
        dnaspt.prepare_sequences(file, out=tmp_path / "data", label_columns=("label", "b"), positive="1")
    with pytest.raises(ConfigError, match="one stands there twice"):
        dnaspt.prepare_sequences(file, out=tmp_path / "data", label_columns=("label", "label"))
    with pytest.raises(ConfigError, match="leave out valid and test"):
        dnaspt.prepare_sequences(file, out=tmp_path / "data", split_column="b", test=file)


def test_folds_test_every_sequence_once_and_keep_near_copies_together(frame: pd.DataFrame, tmp_path: Path) -> None:
    copies = frame.assign(sequence=[letters[1:] + "A" for letters in frame["sequence"]])
    file = save(pd.concat([frame, copies], ignore_index=True), tmp_path / "a.csv")
    data = dnaspt.prepare_sequences(file, out=tmp_path / "data", folds=4, seed=1)
    tested = [data.read("test", fold) for fold in range(1, 5)]
    names = [name for split in tested for name in split.chrom]
    assert sorted(names) == sorted(data.read("train").chrom) and len(set(names)) == 2 * N
    fold_of = {name: fold for fold, split in enumerate(tested) for name in split.chrom}
    first, second = list(data.read("train").chrom)[:N], list(data.read("train").chrom)[N:]
    assert all(fold_of[one] == fold_of[other] for one, other in zip(first, second, strict=True))
    shares = [(split.labels == 1).mean() for split in tested]
    assert min(shares) > 0.3 and max(shares) < 0.7
    for fold in range(1, 5):
        parts = [set(data.read(split, fold).chrom) for split in ("train", "valid", "test")]
        assert all(parts) and sum(map(len, parts)) == 2 * N == len(set().union(*parts))


def test_a_folder_by_split_and_class_is_a_dataset(frame: pd.DataFrame, tmp_path: Path) -> None:
    for k, letters in enumerate(frame["sequence"]):
        folder = tmp_path / "gb" / ("test" if k % 5 == 0 else "train") / ("positive" if k % 2 else "negative")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{k}.txt").write_text(letters)
    data = dnaspt.prepare_sequences(tmp_path / "gb", out=tmp_path / "data")
    assert data.labels == ("label",) and data.manifest.splits["test"].n_windows == N / 5
    assert len(data.manifest.sources[0].sha256) == 64
    (tmp_path / "gb" / "test" / "positive" / "5.txt").write_text("ACGT" * 10)
    again = dnaspt.prepare_sequences(tmp_path / "gb", out=tmp_path / "other")
    assert again.manifest.sources != data.manifest.sources
