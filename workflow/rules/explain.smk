"""What trained models have learnt: attribution, motifs, patterns, designs, and how sure they are."""

X = f"{R}/tables/explain"

for dataset, jobs in explained.asked(results).items():

    rule:
        name:
            f"explain_{dataset}"
        input:
            models=results.trained(jobs + explained.attributed(results, dataset)),
            sequences=results.part(jobs[0], "validation"),
            known=explained.known_motifs(results, dataset),
            code=library(*EXPLAIN) + model_code(jobs + explained.attributed(results, dataset)),
        output:
            [f"{X}/{dataset}/{name}.tsv" for name in explained.tables(results, dataset)],
        threads: config["threads"]
        resources:
            **asks(3000, 30),
            gpu=GPU,
        params:
            options=commands.study_options(results, dataset, jobs + explained.attributed(results, dataset)),
            settings=commands.study_settings(results, dataset),
            folder=lambda wildcards, output: str(Path(output[0]).parent),
            device=config["device"],
        shell:
            "python -m proformer explain-models {params.options} --sequences {input.sequences:q}"
            " --settings {params.settings:q} --out {params.folder:q} --device {params.device} --threads {threads}"
            " > {log:q} 2>&1"

    rule:
        name:
            f"explain_patterns_{dataset}"
        input:
            models=results.trained(jobs),
            sequences=results.part(jobs[0], "validation"),
            known=explained.known_motifs(results, dataset),
            code=library(*EXPLAIN) + model_code(jobs),
        output:
            report(
                f"{X}/{dataset}/patterns.html",
                caption="../report/patterns.rst",
                category="What models have learnt",
                labels={"figure": f"patterns (TF-MoDISco), {dataset}"},
            ),
        conda:
            "../../envs/explain.yaml"
        threads: config["threads"]
        resources:
            **asks(4000, 60),
            gpu=GPU,
        params:
            options=commands.study_options(results, dataset, jobs),
            missing=ROOT / "workflow/report/no_patterns.html",
            # Once it is installed, the page is made again.
            installed=find_spec("modiscolite") is not None,
            device=config["device"],
        shell:
            "(if python -c 'import modiscolite' 2> /dev/null; then"
            " python -m proformer explain-patterns {params.options} --sequences {input.sequences:q} --out {output:q}"
            " --device {params.device} --threads {threads};"
            " else python -m proformer.provenance modisco && echo 'TF-MoDISco is not installed (make explain)' &&"
            " cp {params.missing:q} {output:q}; fi) > {log:q} 2>&1"


rule certainty:
    """Seeds together on the DREAM test set: intervals, what they promise and what they hold; effects of variants."""
    input:
        predictions=lambda wildcards: [
            results.predictions(job)["test"] for job in explained.certain(results)[wildcards.dataset]
        ],
        subsets=lambda wildcards: results.raws(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: results.raws(wildcards.dataset, "leaderboard"),
        truth=lambda wildcards: results.test_file(wildcards.dataset),
        drift=explained.mutants(results),
        models=lambda wildcards: (
            results.trained(explained.certain(results)[wildcards.dataset]) if explained.mutants(results) else []
        ),
        code=library("explain/certainty", "explain/study", "evaluation", "datasets/measured"),
    output:
        coverage=f"{X}/{{dataset}}/coverage.tsv",
        effects=f"{X}/{{dataset}}/effects.tsv",
    wildcard_constraints:
        dataset=any_of(explained.certain(results)),
    resources:
        **asks(2000, 20),
    params:
        names=lambda wildcards: [f"{job.label}:{job.seed}" for job in explained.certain(results)[wildcards.dataset]],
        drift=lambda wildcards: commands.drift_options(results, wildcards.dataset),
        folder=lambda wildcards, output: str(Path(output.coverage).parent),
    shell:
        "python -m proformer explain-scored --predictions {input.predictions:q} --names {params.names:q}"
        " --truth {input.truth:q} --subsets {input.subsets:q} --leaderboard {input.leaderboard:q}"
        " {params.drift} --out {params.folder:q} > {log:q} 2>&1"
