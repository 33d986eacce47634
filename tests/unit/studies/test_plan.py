from pathlib import Path

import pytest

from dnaspt.config import build_config
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import Manifest, SplitSummary, joint_digest, read_manifest
from dnaspt.errors import ConfigError
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.genome.intervals import merge
from dnaspt.prepare.genes import PrepareGenesConfig, prepare_genes
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.reports.compare import question_of
from dnaspt.studies.plan import Job, bases_read, distinct, finals, pretraining_paths, pretrainings, tuning
from dnaspt.studies.records import read_records
from dnaspt.studies.settings import StudyConfig, check_settings, read_study

STUDIES = Path(__file__).parent.parent.parent.parent / "examples" / "studies"


def test_a_study_plans_the_runs_that_are_on_record() -> None:
    """Or a study that was begun with an older version would train everything again."""
    study = read_study(STUDIES / "athaliana.toml")
    records = {record.job.name: record.job for record in read_records(STUDIES / "athaliana" / "records")}
    (digest,) = {job.data_digest for job in records.values()}
    split = SplitSummary(n_windows=1, n_bp=861_607, n_labeled=1, n_missing=0, label_counts={})
    dataset = Manifest(
        task="genes",
        labels=GENE_STATES.names,
        resolution_bp=1,
        window_bp=4096,
        sources=(),
        settings={},
        splits={"train": split, "unlabeled": split},
        digest=digest,
    )
    planned = pretrainings(study, dataset)
    for arm in study.arms:
        rates = {job.learning_rate for job in records.values() if job.kind == "final" and job.arm == arm.name}
        planned += tuning(study, dataset, arm)
        planned += [job for rate in rates for job in finals(study, dataset, arm, rate)]
    assert len(planned) == 3 + 4 * 3 + 4 * 3 + 2
    assert {job.name for job in planned} <= set(records)


def test_a_digest_is_that_of_dnaspt_0_1() -> None:
    settings = {"tensorboard": False, "seed": 0, "head": "softmax", "learning_rate": 0.001, "label_fraction": 1.0}
    job = Job("final", "any name", settings | {"epochs": 16.0}, "", "digest of the data")
    assert job.name == "final-564cb918ef8ca97f"


def test_a_digest_depends_on_everything_but_the_arm() -> None:
    job = Job("final", "a", {"seed": 0}, "", "d")
    assert Job("final", "b", {"seed": 0}, "", "d").digest == job.digest
    others = [
        Job("tune", "a", {"seed": 0}, "", "d"),
        Job("final", "a", {"seed": 1}, "", "d"),
        Job("final", "a", {"seed": 0}, "e", "d"),
        Job("final", "a", {"seed": 0}, "", "e"),
    ]
    assert len({job.digest, *(other.digest for other in others)}) == 5
    assert others[0].as_kind("final") == job


@pytest.mark.parametrize(
    ("job", "title"),
    [
        (Job("pretrain", "", {"seed": 3}, "", "d"), "pretraining, seed 3"),
        (Job("tune", "a", {"seed": 0, "learning_rate": 3e-4}, "", "d"), "a, seed 0, learning rate 0.0003"),
        (Job("final", "a", {"seed": 0, "label_fraction": 0.25}, "", "d"), "a, seed 0, 25% of the labels"),
        (Job("final", "k", {"seed": 0, "baseline": "kmer", "learning_rate": 0.0}, "", "d"), "k"),
    ],
)
def test_a_run_is_told_in_words(job: Job, title: str) -> None:
    assert job.title == title


def test_equal_runs_are_made_once() -> None:
    job = Job("final", "a", {"seed": 0}, "", "d")
    assert distinct([job, Job("final", "b", {"seed": 0}, "", "d")]) == [Job("final", "b", {"seed": 0}, "", "d")]


def test_bases_are_counted_over_epochs_and_the_share_of_the_labels(gene_data: Path) -> None:
    study = build_config(StudyConfig, {"data": gene_data, "arms": [{"name": "a"}]})
    dataset = read_manifest(gene_data)
    n_bp = dataset.splits["train"].n_bp
    job = Job("final", "a", {"seed": 0, "epochs": 4.0, "label_fraction": 0.5}, "", dataset.digest)
    assert bases_read(study, dataset, job) == 2 * n_bp
    assert bases_read(study, dataset, Job("final", "a", {"baseline": "kmer"}, "", "")) == 0
    pretraining = Job("pretrain", "", {"seed": 0, "epochs": 2.0}, "", dataset.digest)
    assert 0 < bases_read(study, dataset, pretraining) <= 2 * n_bp


@pytest.fixture(scope="module")
def study(gene_data: Path) -> StudyConfig:
    small = {"epochs": 0.2, "batch_bp": 4096}
    arms = [
        {"name": "scratch + CRF", "head": "crf", "label_fractions": [1.0, 0.5]},
        {"name": "SPT + CRF", "init": "spt", "head": "crf"},
        {"name": "longer", "head": "crf", "extended": True},
    ]
    settings = {"data": gene_data, "seeds": [0, 1], "learning_rates": [1e-3, 3e-3], "arms": arms}
    return build_config(StudyConfig, settings | {"pretrain": small, "finetune": small})


def test_a_rate_that_an_arm_has_is_not_chosen(study: StudyConfig) -> None:
    dataset = read_manifest(study.data)
    assert [job.learning_rate for job in tuning(study, dataset, study.arms[0])] == [1e-3, 3e-3]
    assert not tuning(study, dataset, study.arms[0].model_copy(update={"learning_rate": 5e-4}))
    one = study.model_copy(update={"learning_rates": (1e-3,)})
    assert not tuning(one, dataset, study.arms[0])


def test_fewer_labels_are_read_as_often_as_makes_as_many_bases(study: StudyConfig) -> None:
    runs = finals(study, read_manifest(study.data), study.arms[0], 1e-3)
    assert [(job.label_fraction, job.settings["epochs"]) for job in runs] == [
        (1, 0.2),
        (1, 0.2),
        (0.5, 0.4),
        (0.5, 0.4),
    ]


def test_more_sequence_is_pretrained_on_for_as_many_bases_and_no_claim_of_the_paper(
    study: StudyConfig, simulated: Path, tmp_path: Path
) -> None:
    inputs = {"genome": (simulated / "genome.fa",), "annotation": (simulated / "annotation.gff3",)}
    prepare_genes(PrepareGenesConfig(out=tmp_path / "more", unlabeled=(simulated / "genome.fa",), **inputs))
    with_more = study.arms[1].model_copy(update={"init": "spt+unlabeled"})
    arms = (study.arms[0], with_more, study.arms[2])
    study = study.model_copy(update={"data": tmp_path / "more", "arms": arms})
    check_settings(study)
    dataset = read_manifest(study.data)
    (first, _) = pretrainings(study, dataset)
    assert first.settings["unlabeled"] is True
    n_bp = dataset.splits["train"].n_bp + dataset.splits["unlabeled"].n_bp
    assert first.settings["epochs"] * n_bp == pytest.approx(0.2 * dataset.splits["train"].n_bp)
    questions = {question_of(study, one, other) for one in study.arms for other in study.arms}
    assert questions == {
        "",
        "training longer",
        "pretraining with more sequence",
        "pretraining with more sequence, the same bases in all",
    }
    own = study.arms[1].model_copy(update={"init": "spt"})
    assert question_of(study, own, study.arms[1]) == "more sequence for pretraining"


def test_arms_may_have_settings_of_their_own(windows: Path, tmp_path: Path) -> None:
    arms = [
        {"name": "scratch"},
        {"name": "Basset", "finetune": {"preset": "basset"}},
        {"name": "SPT", "init": "spt"},
        {"name": "SPT, half masked", "init": "spt", "pretrain": {"mask_fraction": 0.5}},
    ]
    study = build_config(StudyConfig, {"data": windows, "arms": arms, "seeds": (0, 1)})
    check_settings(study)
    manifest = read_manifest(windows)
    assert [job.settings.get("mask_fraction") for job in pretrainings(study, manifest)] == [None, None, 0.5, 0.5]
    runs = [finals(study, manifest, arm, 1e-3) for arm in study.arms]
    assert [own[0].settings.get("preset") for own in runs] == [None, "basset", None, None]
    assert runs[2][1].encoder == pretrainings(study, manifest)[1].digest != runs[3][1].encoder
    unfit = ({"preset": "basset", "seed": 1}, "seed is set by the study"), ({"preset": "base"}, "has the size")
    for settings, message in unfit:
        arms[2]["finetune"] = settings
        with pytest.raises(ConfigError, match=message):
            check_settings(build_config(StudyConfig, {"data": windows, "arms": arms}))


@pytest.fixture(scope="module")
def peaks(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows on the genome of the genes: its second contig is valid, its third is test."""
    out = tmp_path_factory.mktemp("served") / "peaks"
    split = {"split": "contig", "valid_contigs": ("chr2",), "test_contigs": ("chr3",)}
    genome, regions = simulated / "genome.fa", (simulated / "peaks_A.bed",)
    prepare_regions(PrepareRegionsConfig(out=out, genome=genome, regions=regions, window_bp=256, **split))
    return out


def shared_study(data: Path, genes: Path, served: tuple[Path, ...], *arms: dict[str, object]) -> StudyConfig:
    settings = {"data": data, "pretrain_data": genes, "pretrain_for": served, "seeds": [0, 1], "learning_rates": [1e-3]}
    return build_config(StudyConfig, settings | {"arms": [{"name": "scratch"}, {"name": "SPT", "init": "spt"}, *arms]})


def test_one_pretraining_serves_all_datasets_of_a_study(peaks: Path, windows: Path, gene_data: Path) -> None:
    studies = [shared_study(data, gene_data, (peaks, windows)) for data in (peaks, windows)]
    jobs = [pretrainings(study, read_manifest(study.data)) for study in studies]
    assert [job.seed for job in jobs[0]] == [0, 1] and jobs[0] == jobs[1]
    genes, *served = (read_manifest(folder) for folder in (gene_data, peaks, windows))
    assert {job.data_digest for job in jobs[0]} == {joint_digest([genes], [*served, genes])}
    for study in studies:
        runs = finals(study, read_manifest(study.data), study.arms[1], 1e-3)
        assert [job.encoder for job in runs] == [job.digest for job in jobs[0]]
        paths = pretraining_paths(study, jobs[0][0])
        assert paths.data == gene_data and set(paths.held_out) == {peaks, windows} and not paths.more_data
    alone = shared_study(peaks, gene_data, ())
    assert pretrainings(alone, read_manifest(peaks))[0].digest not in {job.digest for job in jobs[0]}


def test_own_windows_are_pretrained_on_as_without_other_data(peaks: Path, gene_data: Path) -> None:
    study = shared_study(peaks, gene_data, (), {"name": "own", "init": "spt", "pretrain_data": []})
    dataset = read_manifest(peaks)
    plain = study.model_copy(update={"pretrain_data": ()})
    own = [job for job in pretrainings(study, dataset) if job.data_digest == dataset.digest]
    assert own == pretrainings(plain, dataset) and len(pretrainings(study, dataset)) == 4
    assert pretraining_paths(study, own[0]).settings() == {"data": peaks}
    genes = f"gene-finding sequences of {gene_data.name}"
    assert [study.protocol_of(arm) for arm in study.arms[1:]] == [genes, "own windows"]
    scratch, spt, on_own = study.arms
    assert question_of(study, scratch, spt) == question_of(study, scratch, on_own) == "pretraining"
    assert question_of(study, on_own, spt) == "other sequence for pretraining" and not question_of(study, spt, on_own)


def test_longer_training_reads_as_many_bases_as_are_left_to_pretrain_on(peaks: Path, gene_data: Path) -> None:
    longer = {"name": "longer", "extended": True}
    own = {"name": "longer, own", "extended": True, "pretrain_data": []}
    study = shared_study(peaks, gene_data, (), longer, own)
    dataset, spt = read_manifest(peaks), study.arms[1]
    (pretraining, _) = pretrainings(study, dataset)
    n_left = chr1_bp(gene_data)
    assert bases_read(study, dataset, pretraining) == 24 * n_left
    n_bp = dataset.splits["train"].n_bp
    scratch, _, on_genes, on_own = (
        [job.settings["epochs"] for job in finals(study, dataset, arm, 1e-3)] for arm in study.arms
    )
    assert on_genes[0] - scratch[0] == pytest.approx(24 * n_left / n_bp)
    assert on_own[0] - scratch[0] == pytest.approx(24)  # the tiles do not overlap
    questions = [question_of(study, arm, spt) for arm in study.arms[2:]]
    assert questions == ["pretraining, the same bases in all", ""]


def chr1_bp(genes: Path) -> int:
    """Bases of the train part of the genes on the contig that the peaks do not hold out."""
    split = read_split(genes, "train")
    union = merge(split.intervals[split.chrom == "chr1"])
    return int((union[:, 1] - union[:, 0]).sum())
