"""What trained models have learnt: attribution, motifs, patterns, designs, and how sure they are."""

X = f"{R}/tables/explain"

for dataset, jobs in explained.asked(results).items():

    rule:
        name:
            f"explain_{dataset}"
        input:
            models=results.trained(jobs),
            sequences=results.part(jobs[0], "validation"),
            known=results.raw(config["explain"]["known"]) if config["explain"]["known"] else [],
            code=library(*EXPLAIN) + model_code(jobs),
        output:
            [f"{X}/{dataset}/{name}.tsv" for name in explained.tables(results, dataset)],
        threads: config["threads"]
        resources:
            **asks(3000, 30),
            gpu=GPU,
        params:
            folders=[results.model(job.path) for job in jobs],
            names=[f"{job.label}:{job.seed}" for job in jobs],
            settings=commands.study_settings(results),
            known=lambda wildcards, input: option("--known", input.known),
            simulated="--simulated" if explained.knows_truth(results, dataset) else "",
            folder=lambda wildcards, output: str(Path(output[0]).parent),
            device=config["device"],
        shell:
            "python -m proformer explain-models --models {params.folders:q} --names {params.names:q}"
            " --sequences {input.sequences:q} --settings {params.settings:q} {params.known} {params.simulated}"
            " --out {params.folder:q} --device {params.device} --threads {threads} > {log:q} 2>&1"


rule certainty:
    """Seeds together on the DREAM test set: intervals, what they promise and what they hold; effects of variants."""
    input:
        predictions=lambda wildcards: [
            results.predictions(job)["test"] for job in explained.certain(results)[wildcards.dataset]
        ],
        subsets=lambda wildcards: results.raws(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: results.raws(wildcards.dataset, "leaderboard"),
        truth=lambda wildcards: results.test_file(wildcards.dataset),
        code=library("explain/certainty", "explain/study", "evaluation"),
    output:
        coverage=f"{X}/{{dataset}}/coverage.tsv",
        effects=f"{X}/{{dataset}}/effects.tsv",
    wildcard_constraints:
        dataset=any_of(explained.certain(results)),
    resources:
        **asks(2000, 20),
    params:
        names=lambda wildcards: [f"{job.label}:{job.seed}" for job in explained.certain(results)[wildcards.dataset]],
        folder=lambda wildcards, output: str(Path(output.coverage).parent),
    shell:
        "python -m proformer explain-scored --predictions {input.predictions:q} --names {params.names:q}"
        " --truth {input.truth:q} --subsets {input.subsets:q} --leaderboard {input.leaderboard:q}"
        " --out {params.folder:q} > {log:q} 2>&1"
