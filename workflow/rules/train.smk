"""From a genome and its labels to a model with scores on test.

Snakemake removes the output of a rule before a job, and after one that failed. Here that is the one file that a training writes at
its end. Everything else of a run stays, so that the job goes on (--resume) where a time limit or a broken machine stopped it.
"""


rule settings:
    localrule: True
    output:
        f"{OUT}/settings/{{command}}.toml",
    log:
        f"{OUT}/logs/settings/{{command}}.log",
    params:
        settings=lambda wildcards: config[wildcards.command],
    script:
        "../scripts/settings.py"


rule prepare:
    input:
        genome=config["genome"],
        labels=config["labels"],
        settings=f"{OUT}/settings/prepare.toml",
    output:
        f"{DATA}/manifest.json",
    log:
        f"{OUT}/logs/prepare.log",
    params:
        genome=f"--genome {quoted(config['genome'])}",
        labels=" ".join(f"{LABELS_OPTION} {quoted(file)}" for file in config["labels"]),
        task=config["task"],
        out=lambda wildcards, output: folder_of(output[0]),
    shell:
        # Snakemake has made the folder, so that it is there
        "dnaspt prepare {params.task} {params.genome} {params.labels} --config {input.settings:q} --out {params.out} "
        "--overwrite >>{log:q} 2>&1"


rule pretrain:
    input:
        data=f"{DATA}/manifest.json",
        settings=f"{OUT}/settings/pretrain.toml",
    output:
        f"{PRETRAINED}/result.json",
    log:
        f"{OUT}/logs/pretrain.log",
    params:
        data=lambda wildcards, input: folder_of(input.data),
        out=lambda wildcards, output: folder_of(output[0]),
    threads: 8
    shell:
        "if [ -e {params.out}/run.json ]; then resume=--resume; else resume=; fi; "
        "dnaspt pretrain {params.data} --config {input.settings:q} --out {params.out} $resume >>{log:q} 2>&1; "
        "[ -e {output:q} ]"  # it is not where max_minutes has stopped it


rule finetune:
    input:
        encoder=encoder,
        data=f"{DATA}/manifest.json",
        settings=f"{OUT}/settings/finetune.toml",
    output:
        f"{MODEL}/result.json",
    log:
        f"{OUT}/logs/finetune.log",
    params:
        data=lambda wildcards, input: folder_of(input.data),
        encoder=lambda wildcards, input: f"--encoder {folder_of(input.encoder)}" if PRETRAINS else "",
        out=lambda wildcards, output: folder_of(output[0]),
    threads: 8
    shell:
        "if [ -e {params.out}/run.json ]; then resume=--resume; else resume=; fi; "
        "dnaspt finetune {params.data} {params.encoder} --config {input.settings:q} --out {params.out} $resume >>{log:q} 2>&1; "
        "[ -e {output:q} ]"  # it is not where max_minutes has stopped it


rule evaluate:
    input:
        model=f"{MODEL}/result.json",
        data=f"{DATA}/manifest.json",
    output:
        f"{MODEL}/evaluation-test.json",
    log:
        f"{OUT}/logs/evaluate.log",
    params:
        data=lambda wildcards, input: folder_of(input.data),
        model=lambda wildcards, input: folder_of(input.model),
    threads: 4
    shell:
        "dnaspt evaluate {params.model} --data {params.data} --split test >>{log:q} 2>&1"


rule report:
    input:
        encoder=encoder,
        data=f"{DATA}/manifest.json",
        model=f"{MODEL}/evaluation-test.json",
    output:
        f"{OUT}/report.html",
    log:
        f"{OUT}/logs/report.log",
    params:
        data=lambda wildcards, input: folder_of(input.data),
        model=lambda wildcards, input: folder_of(input.model),
        pretrain=lambda wildcards, input: f"--pretrain {folder_of(input.encoder)}" if PRETRAINS else "",
    shell:
        "dnaspt report {params.model} {params.pretrain} --data {params.data} --out {output:q} >>{log:q} 2>&1"
