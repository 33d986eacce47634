"""A study from its settings to its report, and what it would run."""

from dnaspt.data.store import read_manifest
from dnaspt.publish import write_text_atomically
from dnaspt.study.execute import Workshop, run_study
from dnaspt.study.plan import Job, check_settings, finals, pretraining, tuning
from dnaspt.study.report import answer, markdown, table_csv
from dnaspt.study.summary import differences_of, groups_of, metric_name


def study_report(shop: Workshop) -> str:
    """Run what is missing, write OUT/study.md and OUT/study.csv; the answer in words.

    Raises:
        DnasptError: a run failed; what is finished stays.
    """
    records = run_study(shop)
    groups, metric = groups_of(records), metric_name(records)
    differences = differences_of(shop.study, groups)
    shop.out.mkdir(parents=True, exist_ok=True)
    write_text_atomically(shop.out / "study.md", markdown(shop.study, groups, differences, metric))
    write_text_atomically(shop.out / "study.csv", table_csv(groups))
    return answer(differences, metric)


def planned(shop: Workshop) -> list[tuple[str, ...]]:
    """The runs of a study, a row each; final runs stand for every rate until it is chosen."""
    study = shop.study
    check_settings(study)
    digest = read_manifest(study.data).digest
    rows = []
    if any(arm.init == "spt" for arm in study.arms):
        rows += [_row(shop, pretraining(study, digest, seed)) for seed in study.seeds]
    for arm in study.arms:
        rows += [_row(shop, job) for job in tuning(study, digest, arm)]
        known = {}
        for rate in study.learning_rates:
            for job in finals(study, digest, arm, rate):
                key = (job.settings["seed"], job.settings["label_fraction"])
                if key not in known or shop.record(job):
                    known[key] = _row(shop, job)
        rows += known.values()
    return rows


def _row(shop: Workshop, job: Job) -> tuple[str, ...]:
    is_final = job.kind == "final" and len(shop.study.learning_rates) > 1
    done = shop.record(job) is not None
    rate = job.settings.get("learning_rate", "")
    return (
        job.kind,
        job.arm,
        str(job.settings["seed"]),
        f"{job.settings.get('epochs', 0) or 'default'}",
        "the best" if is_final and not done else f"{rate}",
        f"{job.settings['label_fraction']:.0%}" if "label_fraction" in job.settings else "",
        "finished" if done else "to do",
    )
