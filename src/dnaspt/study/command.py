"""A study from its settings to its report, and what it would run."""

import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.data.manifest import read_manifest
from dnaspt.publish import publish_file, write_text_atomically
from dnaspt.study.answer import sentences
from dnaspt.study.cost import Cost, measure, minutes, n_steps
from dnaspt.study.execute import run_study
from dnaspt.study.page import write_study_page
from dnaspt.study.plan import Job, check_settings, finals, pretrainings, tuning
from dnaspt.study.report import difference_values, group_values, markdown, table_csv
from dnaspt.study.summary import differences_of, groups_of, metric_name
from dnaspt.study.tables import cost_table, score_tables
from dnaspt.study.workshop import Workshop


def study_report(shop: Workshop) -> str:
    """Run what is missing, write the report into OUT; the answer in words.

    study.html and its figures; the same tables in study.md; scores and differences as study_scores and study_gains, CSV and
    Parquet.

    Raises:
        DnasptError: a run failed; what is finished stays.
    """
    records = run_study(shop)
    groups, metric = groups_of(records), metric_name(records)
    differences = differences_of(shop.study, groups)
    shop.out.mkdir(parents=True, exist_ok=True)
    pictures = write_study_page(shop.out / "study.html", shop.study, records, groups, differences, metric)
    tables = [*score_tables(records)[0], cost_table(records)]
    text = markdown(shop.study, groups, differences, metric, tables)
    shown = [f"![{picture.caption}](study_figures/{picture.name}.svg)\n{picture.caption}\n" for picture in pictures]
    write_text_atomically(shop.out / "study.md", "\n".join([text, "## Figures", *shown]))
    for name, rows in (("scores", group_values(groups)), ("gains", difference_values(differences))):
        write_text_atomically(shop.out / f"study_{name}.csv", table_csv(rows))
        with publish_file(shop.out / f"study_{name}.parquet") as unfinished:
            pq.write_table(pa.Table.from_pylist(rows), unfinished)
    return " ".join(sentences(groups, differences, metric))


def planned(shop: Workshop) -> list[tuple[str, ...]]:
    """The runs of a study, a row each, with what those that are to do would take here; see `cost`.

    Final runs stand for the rate that is still to be chosen.
    """
    study = shop.study
    check_settings(study)
    dataset = read_manifest(study.data)
    jobs: list[Job] = pretrainings(study, dataset)
    for arm in study.arms:
        jobs += tuning(study, dataset, arm)
        known: dict[tuple[int, float], Job] = {}
        for rate in (arm.learning_rate,) if arm.learning_rate else study.learning_rates:
            for job in finals(study, dataset, arm, rate):
                key = (job.settings["seed"], job.settings["label_fraction"])
                if key not in known or shop.record(job):
                    known[key] = job
        jobs += known.values()
    costs: dict[tuple[str, str], Cost] = {}
    rows = []
    for job in jobs:
        decisive = ("head", "freeze_encoder", "preset", "embeddings", "pool", "batch_bp", "accumulate", "precision")
        head = " ".join(str(job.settings.get(name, "")) for name in decisive)
        like = ("pretrain" if job.kind == "pretrain" else "finetune", head)
        if shop.record(job) is None and like not in costs and "baseline" not in job.settings:
            shop.say(f"measuring a few steps: {job.arm or 'pretraining'}")
            costs[like] = measure(study, job)
        rows.append(_row(shop, job, Cost(0.0, 0.0, 0.0) if "baseline" in job.settings else costs.get(like)))
    return rows


def _row(shop: Workshop, job: Job, cost: Cost | None) -> tuple[str, ...]:
    done = shop.record(job) is not None
    given = {arm.name for arm in shop.study.arms if arm.learning_rate or arm.is_baseline}
    is_open = job.kind == "final" and len(shop.study.learning_rates) > 1 and not done and job.arm not in given
    told = ("finished", "", "") if done or cost is None else (
        "to do",
        f"{minutes(shop.study, job, cost):.1f}",
        f"{cost.peak_mb:,.0f}",
    )  # fmt: skip
    return (
        job.kind,
        job.arm,
        str(job.settings["seed"]),
        f"{n_steps(shop.study, job):,}",
        "the best" if is_open else f"{job.settings.get('learning_rate') or ''}",
        f"{job.settings['label_fraction']:.0%}" if "label_fraction" in job.settings else "",
        *told,
    )
