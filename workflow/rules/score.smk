"""The DREAM score: subset by subset, with intervals and ranks; and the report card on Figure 4."""


rule public_test:
    """The test sequences that the public files name, with their measured values."""
    input:
        subsets=lambda wildcards: results.raws(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: results.raws(wildcards.dataset, "leaderboard"),
        code=library("evaluation/dream"),
    output:
        f"{R}/data/{{dataset}}/public_test.txt",
    log:
        f"{R}/logs/public_test/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/public_test/{{dataset}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    shell:
        "python -m proformer public-test --subsets {input.subsets:q} --leaderboard {input.leaderboard:q} --out {output:q}"
        " > {log:q} 2>&1"


rule score:
    """Score all models on the same samples: every subset, both weighted scores, intervals, ranks, densities."""
    input:
        predictions=lambda wildcards: [
            f"{R}/predictions/{job.path}/test.tsv" for job in finals.scored_jobs(results, wildcards.dataset).values()
        ],
        subsets=lambda wildcards: results.raws(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: results.raws(wildcards.dataset, "leaderboard"),
        truth=lambda wildcards: results.test_file(wildcards.dataset),
        code=library(
            "evaluation/dream",
            "evaluation/submissions",
            "evaluation/bootstrap",
            "evaluation/density",
            "evaluation/metrics",
            "simulate",
        ),
    output:
        scores=f"{R}/tables/{{dataset}}/run/scores.tsv",
        ranks=f"{R}/tables/{{dataset}}/run/ranks.tsv",
        differences=f"{R}/tables/{{dataset}}/run/differences.tsv",
        density=f"{R}/tables/{{dataset}}/run/density.tsv",
    log:
        f"{R}/logs/score/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/score/{{dataset}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        names=lambda wildcards: list(finals.scored_jobs(results, wildcards.dataset)),
        options=lambda wildcards: commands.score_options(results, wildcards.dataset),
        samples=config["score_samples"],
        simulated=lambda wildcards: results.ceiling_option(wildcards.dataset),
    shell:
        "python -m proformer score {params.simulated} --predictions {input.predictions:q} --names {params.names:q} {params.options}"
        " --samples {params.samples} --threads {threads} --out {output.scores:q} --ranks {output.ranks:q}"
        " --differences {output.differences:q} --density {output.density:q} > {log:q} 2>&1"


rule report_card_scores:
    """Each claim of the paper on Figure 4b: printed numbers, this run's differences, and what they can say of it."""
    input:
        differences=rules.score.output.differences,
        code=library("evaluation/claims", "evaluation/claims_scores", "evaluation/finals"),
    output:
        table=f"{R}/tables/{{dataset}}/report_card_scores.tsv",
        page=report(
            f"{R}/tables/{{dataset}}/report_card_scores.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{dataset}, Figure 4"},
        ),
    log:
        f"{R}/logs/report_card_scores/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/report_card_scores/{{dataset}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        note=lambda wildcards: results.run_note(wildcards.dataset),
        simulated=lambda wildcards: "--simulated" if results.is_simulated(wildcards.dataset) else "",
    shell:
        "python -m proformer report-card --figure 4 --run {input.differences:q} {params.simulated} --note {params.note:q}"
        " --out {output.table:q} --html {output.page:q} > {log:q} 2>&1"


use rule collect as collect_finals with:
    input:
        models=lambda wildcards: expand(
            f"{R}/models/{{job.path}}/{{file}}",
            job=finals.learning_curves(results, wildcards.dataset)[1],
            file=["model.safetensors", "metrics.tsv"],
        ),
        sequences=rules.collect.input.sequences,
        code=rules.collect.input.code,
    output:
        grid=f"{R}/tables/{{dataset}}/run/finals.tsv",
        epochs=f"{R}/tables/{{dataset}}/run/finals_epochs.tsv",
    log:
        f"{R}/logs/collect_finals/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/collect_finals/{{dataset}}.tsv"
    params:
        folders=lambda wildcards: [
            results.model(job.path) for job in finals.learning_curves(results, wildcards.dataset)[1]
        ],
        simulated=lambda wildcards: results.ceiling_option(wildcards.dataset),
