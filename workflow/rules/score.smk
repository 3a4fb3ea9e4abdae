"""The DREAM score: subset by subset, with intervals and ranks; and the report card on Figure 4."""


rule public_test:
    """The test sequences that the public files name, with their measured values."""
    input:
        subsets=lambda wildcards: score_files(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: score_files(wildcards.dataset, "leaderboard"),
        code=library("evaluation/dream"),
        program=script("public_test.py"),
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
        "python {input.program:q} --subsets {input.subsets:q} --leaderboard {input.leaderboard:q} --out {output:q}"
        " > {log:q} 2>&1"


rule score:
    """Score all models on the same samples: every subset, both weighted scores, intervals, ranks, densities."""
    input:
        predictions=lambda wildcards: [
            f"{R}/predictions/{job.path}/test.tsv" for job in scored_jobs(wildcards.dataset).values()
        ],
        subsets=lambda wildcards: score_files(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: score_files(wildcards.dataset, "leaderboard"),
        truth=lambda wildcards: test_file(wildcards.dataset),
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
        names=lambda wildcards: list(scored_jobs(wildcards.dataset)),
        options=lambda wildcards: score_options(wildcards.dataset),
        samples=config["score_samples"],
        simulated=lambda wildcards: ceiling_option(wildcards.dataset),
    shell:
        "python -m proformer score {params.simulated} --predictions {input.predictions:q} --names {params.names:q} {params.options}"
        " --samples {params.samples} --threads {threads} --out {output.scores:q} --ranks {output.ranks:q}"
        " --differences {output.differences:q} --density {output.density:q} > {log:q} 2>&1"


rule report_card_scores:
    """Each claim of the paper on Figure 4b: printed numbers, this run's differences, and what they can say of it."""
    input:
        differences=rules.score.output.differences,
        code=library("evaluation/claims", "evaluation/claims_scores", "evaluation/finals"),
        program=script("report_card_scores.py"),
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
        note=lambda wildcards: run_note(wildcards.dataset),
        simulated=lambda wildcards: ceiling_option(wildcards.dataset),
    shell:
        "python {input.program:q} --differences {input.differences:q} {params.simulated} --note {params.note:q} --out {output.table:q}"
        " --html {output.page:q} > {log:q} 2>&1"


use rule collect as collect_finals with:
    input:
        models=lambda wildcards: [
            f"{R}/models/{job.path}/model.safetensors" for job in learning_curves(wildcards.dataset)[1]
        ],
        metrics=lambda wildcards: [
            f"{R}/models/{job.path}/metrics.tsv" for job in learning_curves(wildcards.dataset)[1]
        ],
        sequences=f"{R}/data/{{dataset}}/seed~{config['seeds'][0]}/validation.safetensors",
        code=library("evaluation/collect", "evaluation/ceiling", "models", "simulate"),
        program=script("collect.py"),
    output:
        grid=f"{R}/tables/{{dataset}}/run/finals.tsv",
        epochs=f"{R}/tables/{{dataset}}/run/finals_epochs.tsv",
    log:
        f"{R}/logs/collect_finals/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/collect_finals/{{dataset}}.tsv"
    params:
        folders=lambda wildcards: [f"{R}/models/{job.path}" for job in learning_curves(wildcards.dataset)[1]],
        simulated=lambda wildcards: ceiling_option(wildcards.dataset),
