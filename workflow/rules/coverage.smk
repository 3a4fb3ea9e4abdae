"""Profiles: windows of a genome with the coverage of its tracks, from bigWigs and peaks to an encoded store."""


rule genome:
    """Lay a genome out for reading by position, and count the known bases of its contigs."""
    input:
        genome=lambda wildcards: results.raw(results.genomes[wildcards.genome]),
        code=library("atac/contigs", "sequences"),
    output:
        fasta=f"{R}/data/genomes/{{genome}}/genome.fa",
        index=f"{R}/data/genomes/{{genome}}/genome.fa.fai",
        table=f"{R}/data/genomes/{{genome}}/contigs.tsv",
    wildcard_constraints:
        genome=any_of(results.genomes),
    resources:
        **asks(2000, 30),
    shell:
        "python -m proformer atac genome --genome {input.genome:q} --out {output.fasta:q} --table {output.table:q}"
        " > {log:q} 2>&1"


for name, files in results.tfrecords.items():

    rule:
        name:
            f"tfrecords_{name}"
        input:
            records=[results.raw(file) for file in config["tfrecords"][name]["records"]],
            statistics=results.raw(config["tfrecords"][name]["statistics"]),
            targets=results.raw(config["tfrecords"][name]["targets"]),
            code=library("datasets/tfrecords"),
        output:
            files,
        resources:
            **asks(2000, 30, per_gb=60),
        params:
            kind=config["tfrecords"][name]["kind"],
            folder=lambda wildcards, output: str(Path(output[0]).parent),
        shell:
            "python -m proformer tfrecords --records {input.records:q} --statistics {input.statistics:q}"
            " --targets {input.targets:q} --kind {params.kind:q} --out {params.folder:q} > {log:q} 2>&1"


rule coverage:
    """Encode windows of a genome with the coverage of each track; count what was left out."""
    input:
        genome=lambda wildcards: multiext(results.laid_out(results.datasets[wildcards.dataset]["genome"]), "", ".fai"),
        files=lambda wildcards: map(results.raw, coverage_files(results.datasets[wildcards.dataset])),
        code=library(
            "datasets/coverage", "datasets/places", "datasets/store", "atac/signal", "atac/contigs", "sequences"
        ),
    output:
        store=f"{R}/data/{{dataset}}/all.safetensors",
        counts=f"{R}/tables/{{dataset}}/filtered.tsv",
    wildcard_constraints:
        dataset=any_of(results.coverage),
    resources:
        **asks(3000, 30, per_gb=10),
    params:
        lambda wildcards: commands.coverage_options(results, wildcards.dataset),
    shell:
        "python -m proformer coverage --genome {input.genome[0]:q} {params} --out {output.store:q}"
        " --counts {output.counts:q} > {log:q} 2>&1"


use rule split as split_coverage with:
    output:
        train=f"{R}/data/{{dataset}}/seed~{{seed}}/train.safetensors",
        validation=f"{R}/data/{{dataset}}/seed~{{seed}}/validation.safetensors",
        test=f"{R}/data/{{dataset}}/seed~{{seed}}/test.safetensors",
        counts=f"{R}/tables/{{dataset}}/split/seed~{{seed}}.tsv",
    wildcard_constraints:
        dataset=any_of(results.coverage_tests),
