"""The DREAM score: subset by subset, with intervals and ranks; and the report card on Figure 4."""


rule public_test:
    """The test sequences that the public files name, with their measured values."""
    input:
        subsets=lambda wildcards: results.raws(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: results.raws(wildcards.dataset, "leaderboard"),
        code=library("evaluation/dream", "evaluation/dream_files"),
    output:
        f"{R}/data/{{dataset}}/public_test.txt",
    shell:
        "python -m proformer public-test --subsets {input.subsets:q} --leaderboard {input.leaderboard:q} --out {output:q}"
        " > {log:q} 2>&1"


FURTHER = ["ranks", "rank_shares", "differences", "density", "correlations", "ensembles", "changes"]


rule score:
    """Score models and submissions on the same samples: subsets, weighted scores, intervals, ranks, densities."""
    input:
        predictions=lambda wildcards: list(finals.scored_files(results, wildcards.dataset).values()),
        near=lambda wildcards: results.near_tables(wildcards.dataset),
        subsets=lambda wildcards: results.raws(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: results.raws(wildcards.dataset, "leaderboard"),
        truth=lambda wildcards: results.test_file(wildcards.dataset),
        code=library(
            "evaluation/dream",
            "evaluation/dream_files",
            "evaluation/evaluate",
            "evaluation/submissions",
            "evaluation/bootstrap",
            "evaluation/challenge",
            "evaluation/density",
            "evaluation/metrics",
            "simulate",
        ),
    output:
        scores=f"{R}/tables/{{dataset}}/{{part}}/scores.tsv",
        tables=[f"{R}/tables/{{dataset}}/{{part}}/{name}.tsv" for name in FURTHER],
    wildcard_constraints:
        part="private|public|all",
    threads: 2
    resources:
        **asks(2000, 30),
    params:
        folder=lambda wildcards, output: str(Path(output.scores).parent),
        names=lambda wildcards: list(finals.scored_files(results, wildcards.dataset)),
        options=lambda wildcards: commands.score_options(results, wildcards.dataset, wildcards.part),
        samples=config["score_samples"],
        simulated=lambda wildcards: results.ceiling_option(wildcards.dataset),
    shell:
        "python -m proformer score {params.simulated} --predictions {input.predictions:q} --names {params.names:q} {params.options}"
        " --samples {params.samples} --threads {threads} --out {output.scores:q} --tables {params.folder:q} > {log:q} 2>&1"


rule report_card_challenge:
    """Each claim of the DREAM papers on their entries: the published scores, and what this run's say of it."""
    input:
        tables=lambda wildcards: [
            f"{results.score_tables(wildcards.dataset)}/{name}.tsv" for name in ("scores", *FURTHER)
        ],
        code=library("evaluation/claims", "evaluation/claims_challenge", "evaluation/challenge", "tables"),
    output:
        table=f"{R}/tables/{{dataset}}/report_card_challenge.tsv",
        page=report(
            f"{R}/tables/{{dataset}}/report_card_challenge.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{dataset}, DREAM challenge"},
        ),
    params:
        note=lambda wildcards: results.run_note(wildcards.dataset),
        simulated=lambda wildcards: "--simulated" if results.is_simulated(wildcards.dataset) else "",
    shell:
        "python -m proformer report-card --figure challenge --run {input.tables[0]:q} {params.simulated}"
        " --note {params.note:q} --out {output.table:q} --html {output.page:q} > {log:q} 2>&1"


rule report_card_scores:
    """Each claim of the paper on Figure 4: printed numbers, this run's, and what they can say of it."""
    input:
        epochs=lambda wildcards: finals.epochs_tables(results, wildcards.dataset),
        differences=lambda wildcards: f"{results.score_tables(wildcards.dataset)}/differences.tsv",
        code=library(
            "evaluation/claims", "evaluation/claims_curves", "evaluation/claims_scores", "evaluation/heads", "tables"
        ),
    output:
        table=f"{R}/tables/{{dataset}}/report_card_scores.tsv",
        page=report(
            f"{R}/tables/{{dataset}}/report_card_scores.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{dataset}, Figure 4"},
        ),
    params:
        note=lambda wildcards: results.run_note(wildcards.dataset),
        simulated=lambda wildcards: "--simulated" if results.is_simulated(wildcards.dataset) else "",
        epochs=lambda wildcards, input: commands.option("--epochs", input.epochs),
    shell:
        "python -m proformer report-card --figure 4 --run {input.differences:q} {params.simulated} {params.epochs} --note {params.note:q}"
        " --out {output.table:q} --html {output.page:q} > {log:q} 2>&1"
