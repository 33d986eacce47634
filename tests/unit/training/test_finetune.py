"""What fine-tuning does with its settings, and what it refuses before anything is trained."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.unit.training.quick import ENCODER, QUICK, settings, weights_of

from dnaspt.checkpoint import build_model, build_task_model, find_checkpoint, read_config, save_checkpoint
from dnaspt.checkpoint_config import CheckpointConfig
from dnaspt.config import OF_GRADIENTS, BassetConfig, FinetuneConfig, PretrainConfig
from dnaspt.data.dataset import Split, read_split
from dnaspt.data.manifest import Fold, Manifest, read_manifest
from dnaspt.data.transcript_table import shortest_intron_bp
from dnaspt.errors import CheckpointError, ConfigError, DatasetError, DnasptError
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.training.finetune import _check_valid, _read_network, check_settings, finetune, spread_evenly
from dnaspt.training.pretrain import pretrain
from dnaspt.training.runs import Run


def test_a_frozen_encoder_keeps_its_weights_and_the_head_learns(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    finetune(settings(gene_data, tmp_path / "run", pretrained, freeze_encoder=True))
    before, after = load_file(find_checkpoint(pretrained) / "model.safetensors"), weights_of(tmp_path / "run")
    shared = [name for name in before if name.startswith("encoder.")]
    assert shared
    assert all(torch.equal(before[name], after[name]) for name in shared)
    assert after["head.crf.transitions"].any()


@pytest.mark.parametrize(
    "other", [{"class_weights": "balanced", "head": "softmax"}, {"label_fraction": 0.25}, {"encoder_rate": 0.1}]
)
def test_every_setting_trains(other: dict[str, object], gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    run = finetune(settings(gene_data, tmp_path / "run", pretrained, **other))
    assert run.finished and run == Run.open(tmp_path / "run")
    assert read_config(run.path).min_intron_bp == shortest_intron_bp(gene_data) >= 40
    assert np.isfinite(run.scores["valid_mcc"])
    description = read_config(run)
    assert description.provenance["encoder"]["sha256"]


@pytest.mark.parametrize("preset", ["tiny", "onehot", "basset"])
def test_windows_train_from_scratch(preset: str, windows: Path, tmp_path: Path) -> None:
    run = finetune(FinetuneConfig(data=windows, out=tmp_path / "run", preset=preset, **QUICK))
    assert run.finished and set(run.scores) == {"valid_auroc", "valid_auprc"}


def test_an_encoder_that_has_read_the_test_split_is_a_warning(
    gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    everything = tmp_path / "pre"
    pretrain(PretrainConfig(data=gene_data, out=everything, encoder=ENCODER, splits=("train", "test"), **QUICK))
    finetune(settings(gene_data, tmp_path / "run", everything))
    assert "was pretrained on the test split of this dataset too" in caplog.text


def test_an_encoder_of_other_data_is_a_warning(
    windows: Path, tmp_path: Path, pretrained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    finetune(settings(windows, tmp_path / "run", pretrained))
    assert "was pretrained on other data, which may hold sequences of this test split" in caplog.text


def test_a_large_valid_split_is_scored_on_stretches_spread_over_it(gene_data: Path) -> None:
    split = read_split(gene_data, "train")
    assert spread_evenly(split, len(split.codes)) is split
    part = spread_evenly(split, len(split.codes) // 4)
    assert 0.1 * len(split) < len(part) < 0.5 * len(split)
    assert set(part.chrom) == set(split.chrom)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (
            "genes",
            {"head": "sigmoid"},
            "head 'sigmoid' does not fit task 'genes'; expected gene-model or crf or softmax or crf-unc",
        ),
        ("genes", {"preset": "basset"}, "preset 'basset' is for windows"),
        ("genes", {"positive_weight": 2}, "positive_weight is for labels of windows and bins"),
        ("genes", {"pool": "normalized"}, 'pool = "normalized" is for windows'),
        ("windows", {"pool": "normalized", "preset": "basset"}, 'pool = "normalized" is for windows'),
        ("windows", {"pool": "normalized", "devices": 2}, 'pool = "normalized" learns in one process'),
        ("windows", {"pool": "normalized", "batch_bp": 3000}, "a batch has 15 windows; expected batch_bp of 3,200"),
        ("windows", {"embeddings": "x", "preset": "tiny"}, "--embeddings takes the place of --encoder and --preset"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    data: str, options: dict[str, object], message: str, gene_data: Path, windows: Path, tmp_path: Path
) -> None:
    folder = {"genes": gene_data, "windows": windows}[data]
    with pytest.raises(ConfigError, match=message):
        finetune(FinetuneConfig(data=folder, out=tmp_path / "run", **options))
    assert not (tmp_path / "run").exists()


def test_genes_without_a_coding_base_to_learn_from_are_refused(
    gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, manifest = FinetuneConfig(data=gene_data, out=tmp_path), read_manifest(gene_data)
    empty = dict.fromkeys(manifest.labels, 0) | {"non-coding": 500}

    def without_genes(name: str) -> Manifest:
        split = manifest.splits[name].model_copy(update={"label_counts": empty})
        return manifest.model_copy(update={"splits": manifest.splits | {name: split}})

    with pytest.raises(ConfigError, match="the train split has no coding base; prepare it with genes in every split"):
        check_settings(config, without_genes("train"))
    check_settings(config, without_genes("valid"))
    assert "the valid split has no coding base" in caplog.text


def test_genes_without_their_stop_codons_have_a_crf_unless_a_gene_model_is_asked_for(
    gene_data: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(gene_data).model_copy(update={"stop_in_cds": False})
    config = FinetuneConfig(data=gene_data, out=tmp_path / "run")
    assert check_settings(config, manifest) == "crf"
    assert check_settings(config.model_copy(update={"head": "gene-model"}), manifest) == "gene-model"


def test_a_dataset_without_valid_or_without_training_is_refused(gene_data: Path, tmp_path: Path) -> None:
    config, manifest = FinetuneConfig(data=gene_data, out=tmp_path), read_manifest(gene_data)
    splits = {"train": manifest.splits["train"]}
    with pytest.raises(ConfigError, match="has no valid split; fine-tuning learns on train and chooses on valid"):
        check_settings(config, manifest.model_copy(update={"splits": splits}))
    with pytest.raises(ConfigError, match="variants are scored without training; see 'dnaspt evaluate'"):
        check_settings(config, manifest.model_copy(update={"task": "variants"}))


def test_a_gene_model_takes_seed_fold_accelerator_and_precision(gene_data: Path, tmp_path: Path) -> None:
    assert not OF_GRADIENTS & {"seed", "fold", "accelerator", "precision"}
    given = {"head": "gene-model", "seed": 1, "accelerator": "cpu", "precision": "32"}
    config = FinetuneConfig.model_validate({"data": gene_data, "out": tmp_path / "run"} | given)
    assert check_settings(config, read_manifest(gene_data)) == "gene-model"


def test_settings_of_gradients_are_refused_where_nothing_is_trained_by_them(gene_data: Path) -> None:
    manifest = read_manifest(gene_data)
    message = "crf_rate, epochs, learning_rate: no effect on a gene model, .*; leave that out, or say head 'crf'"
    with pytest.raises(ConfigError, match=message):
        check_settings(FinetuneConfig(data=gene_data, out="run", epochs=3, learning_rate=0.1, crf_rate=2), manifest)
    idle = {"tensorboard": False, "max_minutes": 30, "epochs": 16}
    assert check_settings(FinetuneConfig(data=gene_data, out="run", **idle), manifest) == "gene-model"


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"head": "crf", "class_weights": "balanced"}, "class weights have no effect on a CRF head"),
        ({"head": "softmax", "crf_rate": 2}, "crf_rate has no effect on a softmax head"),
        (
            {"head": "crf", "freeze_encoder": True, "encoder_rate": 0.5},
            "encoder_rate has no effect on a frozen encoder",
        ),
        ({"head": "crf", "freeze_encoder": True}, "the encoder is frozen and not pretrained"),
        ({"encoder": "pre", "preset": "tiny"}, "--preset has no effect"),
        ({"preset": "small"}, "--preset small without --encoder: an encoder of random weights scores the sites"),
    ],
)
def test_a_setting_without_effect_is_a_warning(
    options: dict[str, object], warning: str, gene_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_settings(FinetuneConfig(data=gene_data, out="run", **options), read_manifest(gene_data))
    assert warning in caplog.text


def test_valid_windows_of_one_kind_are_refused(windows: Path) -> None:
    manifest, valid = read_manifest(windows), read_split(windows, "valid")
    config = FinetuneConfig(data=windows, out="run")
    _check_valid(config, manifest, valid)
    negatives = Split(
        **{name: getattr(valid, name) for name in valid.__slots__} | {"labels": np.zeros_like(valid.labels)}
    )
    with pytest.raises(DatasetError, match="no label has both positive and negative windows in the valid split"):
        _check_valid(config, manifest, negatives)


def run_without_torch(code: str) -> str:
    """What a piece of code says in a process that cannot import torch."""
    blocked = "import sys; sys.modules['torch'] = sys.modules['lightning_fabric'] = None\n"
    ran = subprocess.run([sys.executable, "-c", blocked + code], capture_output=True, text=True)
    return ran.stderr.strip().splitlines()[-1]


def test_a_mistake_is_told_without_torch(gene_data: Path, tmp_path: Path, pretrained: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "run.json").write_text("{}")
    begin = "from dnaspt.config import FinetuneConfig\nfrom dnaspt.training.finetune import finetune\n"
    call = "finetune(FinetuneConfig(data={data!r}, out={out!r}, **{options!r}))"
    for given, message in (
        ({"data": gene_data / "no"}, "DatasetError"),
        ({"out": tmp_path / "there"}, "already there; go on with --resume"),
        ({"options": {"head": "sigmoid"}}, "head 'sigmoid' does not fit"),
        ({"options": {"encoder": str(tmp_path / "no")}}, "no such folder; expected a run"),
        ({"options": {"encoder": str(pretrained)}, "out": tmp_path / "there"}, "already there"),
    ):
        whole = {"data": gene_data, "out": tmp_path / "new", "options": {}} | given
        said = run_without_torch(begin + call.format(**{name: _plain(value) for name, value in whole.items()}))
        assert message in said, said


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def test_basset_takes_the_windows_of_the_dataset_also_where_its_encoder_had_shorter_ones(
    windows: Path, gene_data: Path, tmp_path: Path
) -> None:
    window_bp = read_manifest(windows).window_bp
    short = CheckpointConfig(
        kind="task",
        encoder=BassetConfig(window_bp=window_bp // 2),
        task="regions",
        head="sigmoid",
        labels=("x",),
        window_bp=window_bp // 2,
    )
    save_checkpoint(tmp_path / "short", build_task_model(short), short)
    run = finetune(FinetuneConfig(data=windows, out=tmp_path / "run", encoder=tmp_path / "short", **QUICK))
    encoder = read_config(run).encoder
    assert isinstance(encoder, BassetConfig) and encoder.window_bp == window_bp
    with pytest.raises(ConfigError, match=r"short: Basset is for windows; .* has labels per base"):
        finetune(
            FinetuneConfig(data=gene_data, out=tmp_path / "genes", encoder=tmp_path / "short", head="crf", **QUICK)
        )


def network_run(folder: Path, data_digest: str, **changes: object) -> Path:
    """A checkpoint of a small network of nine classes."""
    config = CheckpointConfig(
        kind="task", encoder=ENCODER, task="genes", head="softmax", labels=GENE_STATES.names, stop_in_cds=True
    ).model_copy(update={"data_digest": data_digest} | changes)
    save_checkpoint(folder, build_model(config), config)
    return folder


def test_networks_that_have_no_class_scores_of_these_genes_are_refused(
    gene_data: Path, tmp_path: Path, pretrained: Path
) -> None:
    digest = read_manifest(gene_data).digest

    def fails(network: Path, message: str, head: str = "gene-model", error: type[DnasptError] = ConfigError) -> None:
        with pytest.raises(error, match=message):
            finetune(FinetuneConfig(data=gene_data, out=tmp_path / "run", head=head, network=network))
        assert not (tmp_path / "run").exists()

    crf = network_run(tmp_path / "crf", digest, head="crf")
    fails(crf, "--network has no effect on a crf head: it is for --head gene-model", head="crf")
    fails(tmp_path / "none", "none: no such folder; expected a run", error=CheckpointError)
    expected = "expected a run of 'dnaspt finetune --head crf' or 'softmax' on genes"
    fails(pretrained, f"holds a language model; {expected}")
    fails(network_run(tmp_path / "own", digest, head="gene-model"), f"holds a gene-model head for genes; {expected}")
    windows = {"task": "regions", "head": "sigmoid", "labels": ("A",)}
    fails(network_run(tmp_path / "windows", digest, **windows), f"holds a sigmoid head for regions; {expected}")
    outside = network_run(tmp_path / "outside", digest, stop_in_cds=False)
    fails(outside, "was trained on stop codons outside the CDS")


def test_a_network_of_other_data_is_a_warning_and_one_of_another_fold_an_error(
    gene_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = read_manifest(gene_data)
    fold = Fold(contigs=("c",), valid_blocks=(1,), splits=whole.splits)
    folds = whole.model_copy(update={"folds": (fold, fold)})

    def read(fold: int, digest: str) -> CheckpointConfig:
        config = FinetuneConfig(data=gene_data, out=tmp_path / "run", head="gene-model", fold=fold)
        return _read_network(config, network_run(tmp_path / "net", digest), whole)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnaspt.training.finetune.read_manifest", lambda _: folds)
        digests = [folds.of_fold(fold).digest for fold in (1, 2)]
        assert read(0, whole.digest).data_digest == whole.digest
        assert read(2, digests[1]).data_digest == digests[1]
        with pytest.raises(ConfigError, match=r"net: was trained on fold 1, .*; train it with --fold 2"):
            read(2, digests[0])
        with pytest.raises(ConfigError, match=r"net: was trained on fold 1, .*; train it without --fold"):
            read(0, digests[0])
        with pytest.raises(ConfigError, match=r"was trained on the splits of the whole dataset, .*with --fold 1"):
            read(1, whole.digest)
        assert not caplog.text
        read(1, "another")
        assert "net: was trained on other data, which may hold genes of the valid or test split here" in caplog.text
