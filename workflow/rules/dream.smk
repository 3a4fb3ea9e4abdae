"""From sequence files to encoded stores: trimmed, checked, padded, split by seed."""


rule prepare:
    """Encode the training file or files: flanks checked and cut, at most `length` nucleotides, padded; counts of the rest."""
    input:
        sequences=lambda wildcards: results.raws(wildcards.dataset, "train"),
        code=library("datasets", "sequences"),
    output:
        store=f"{R}/data/{{dataset}}/all.safetensors",
        counts=f"{R}/tables/{{dataset}}/filtered.tsv",
    log:
        f"{R}/logs/prepare/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/prepare/{{dataset}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        lambda wildcards: config["datasets"][wildcards.dataset],
        lambda wildcards: option("--medium", config["datasets"][wildcards.dataset]["medium"]),
        lambda wildcards: shlex.join(config["datasets"][wildcards.dataset]["flanks"]),  # :q loses empty words
    shell:
        "python -m proformer prepare --sequences {input.sequences:q} --out {output.store:q} --counts {output.counts:q}"
        " --length {params[0][length]} --flanks {params[2]} --too-long {params[0][too_long]}"
        " --wrong-flank {params[0][wrong_flank]} {params[1]} > {log:q} 2>&1"


rule split:
    """Draw the training and the validation part by seed; copies of a sequence never straddle them."""
    input:
        store=lambda wildcards: results.store(wildcards.dataset),
        code=library("datasets/parts", "datasets/store", "sequences"),
    output:
        train=f"{R}/data/{{dataset}}/seed~{{seed}}/train.safetensors",
        validation=f"{R}/data/{{dataset}}/seed~{{seed}}/validation.safetensors",
        counts=f"{R}/tables/{{dataset}}/split/seed~{{seed}}.tsv",
    log:
        f"{R}/logs/split/{{dataset}}_seed~{{seed}}.log",
    benchmark:
        f"{R}/benchmarks/split/{{dataset}}_seed~{{seed}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2500 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        fractions=lambda wildcards: config["datasets"][wildcards.dataset]["fractions"],
        by=lambda wildcards: commands.split_options(config["datasets"][wildcards.dataset]),
    shell:
        "python -m proformer split --store {input.store:q} --out {output.train:q} {output.validation:q}"
        " --fractions {params.fractions[train]} {params.fractions[validation]} --seed {wildcards.seed} {params.by}"
        " --counts {output.counts:q} > {log:q} 2>&1"
