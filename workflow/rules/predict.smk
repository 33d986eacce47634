"""From a model and a genome to its predictions: contigs in groups, each group a job, and the groups merged in their order."""


checkpoint contig_groups:
    input:
        lambda wildcards: config["genomes"][wildcards.genome],
    output:
        directory(f"{OUT}/groups/{{genome}}"),
    log:
        f"{OUT}/logs/contig_groups/{{genome}}.log",
    params:
        group_mb=config["group_mb"],
    script:
        "../scripts/contig_groups.py"


rule predict:
    input:
        model=f"{MODEL}/result.json",
        genome=lambda wildcards: config["genomes"][wildcards.genome],
        regions=f"{OUT}/groups/{{genome}}/{{group}}.bed",
    output:
        predictions=temp(f"{OUT}/parts/{{genome}}/{{group}}/{PREDICTIONS}"),
        sequences=temp([f"{OUT}/parts/{{genome}}/{{group}}/{file}" for file in FILES[1:]]),
    log:
        f"{OUT}/logs/predict/{{genome}}.{{group}}.log",
    params:
        model=lambda wildcards, input: folder_of(input.model),
        options=quoted(config["predict"]),
        sequences=lambda wildcards, output: " ".join(
            f"--{name} {quoted(file)}" for name, file in zip(config["sequences"], output[1:])
        ),
    threads: 4
    shell:
        "dnaspt predict {params.model} --genome {input.genome:q} --regions {input.regions:q} {params.options} "
        "--out {output.predictions:q} {params.sequences} >>{log:q} 2>&1"


rule merge:
    input:
        parts,
    output:
        f"{OUT}/predictions/{{genome}}/{{file}}",
    log:
        f"{OUT}/logs/merge/{{genome}}.{{file}}.log",
    script:
        "../scripts/merge_parts.py"
