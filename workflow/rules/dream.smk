"""From sequence files to encoded stores: trimmed, checked, padded, split by seed."""


rule column:
    """One column of a table, in the challenge's own format: sequence<TAB>value."""
    input:
        table=lambda wildcards: results.raw(results.tables_of_columns[wildcards.table]),
        code=library("datasets/rows", "datasets/text"),
    output:
        f"{R}/data/columns/{{table}}/{{column}}.txt",
    wildcard_constraints:
        table=any_of(results.tables_of_columns),
        column="[^/]+",
    shell:
        "python -m proformer extract --table {input.table:q} --column {wildcards.column:q} --out {output:q} > {log:q} 2>&1"


rule prepare:
    """Encode the training file or files: flanks checked and cut, at most `length` nucleotides, padded; counts of the rest."""
    input:
        sequences=lambda wildcards: results.raws(wildcards.dataset, "train"),
        values=lambda wildcards: results.datasets[wildcards.dataset]["values"] or [],
        code=library("datasets", "sequences"),
    output:
        store=f"{R}/data/{{dataset}}/all.safetensors",
        counts=f"{R}/tables/{{dataset}}/filtered.tsv",
    wildcard_constraints:
        dataset=any_of(results.datasets.keys() - set(results.coverage)),
    resources:
        **asks(1500, 30),
    params:
        lambda wildcards: commands.prepare_options(results.datasets[wildcards.dataset]),
    shell:
        "python -m proformer prepare --sequences {input.sequences:q} --out {output.store:q} --counts {output.counts:q}"
        " {params} > {log:q} 2>&1"


rule split:
    """Draw the training and the validation part by seed; copies of a sequence never straddle them."""
    input:
        store=lambda wildcards: results.store(wildcards.dataset),
        code=library("datasets/parts", "datasets/draws", "datasets/store", "sequences"),
    output:
        train=f"{R}/data/{{dataset}}/seed~{{seed}}/train.safetensors",
        validation=f"{R}/data/{{dataset}}/seed~{{seed}}/validation.safetensors",
        counts=f"{R}/tables/{{dataset}}/split/seed~{{seed}}.tsv",
    wildcard_constraints:
        dataset=any_of(results.datasets.keys() - {*results.with_test_part, *results.coverage_tests}),
    resources:
        **asks(2500, 20),
    params:
        # Of wildcards alone: Snakemake does not compare parameters that follow from input or output.
        lambda wildcards: commands.split_for(results, wildcards.dataset, wildcards.seed),
    shell:
        "({params}) > {log:q} 2>&1"


use rule split as split_with_test with:
    output:
        train=f"{R}/data/{{dataset}}/seed~{{seed}}/train.safetensors",
        validation=f"{R}/data/{{dataset}}/seed~{{seed}}/validation.safetensors",
        test=f"{R}/data/{{dataset}}/seed~{{seed}}/test.safetensors",
        table=f"{R}/data/{{dataset}}/seed~{{seed}}/test.tsv",
        sequences=f"{R}/data/{{dataset}}/seed~{{seed}}/test.txt",
        counts=f"{R}/tables/{{dataset}}/split/seed~{{seed}}.tsv",
        found=f"{R}/tables/{{dataset}}/split/test_seed~{{seed}}.tsv",
    wildcard_constraints:
        dataset=any_of(results.with_test_part),
    params:
        lambda wildcards: commands.split_for(results, wildcards.dataset, wildcards.seed),
