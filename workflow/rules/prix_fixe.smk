"""The grid of Prix Fixe: all combinations of the blocks of three teams, scored and compared block by block."""


rule score_blocks:
    """Score every combination on the DREAM test set."""
    input:
        predictions=lambda wildcards: [results.predictions(job)["test"] for job in results.jobs_of(wildcards)],
        subsets=lambda wildcards: results.raws(wildcards.dataset, "subsets"),
        leaderboard=lambda wildcards: results.raws(wildcards.dataset, "leaderboard"),
        truth=lambda wildcards: results.test_file(wildcards.dataset),
        code=library(*(f"evaluation/{name}" for name in ("dream", "dream_files", "evaluate", "submissions", "metrics"))),
    output:
        scores=f"{R}/tables/{{dataset}}/{{run}}/scores.tsv",
    wildcard_constraints:
        run=any_of(grid.run for grid in results.block_grids),
    resources:
        **asks(4000, 30),
    params:
        names=lambda wildcards: [f"{' '.join(job.axes.values())} {job.seed}" for job in results.jobs_of(wildcards)],
        options=lambda wildcards: commands.score_options(
            results, wildcards.dataset, results.parts(wildcards.dataset)[0]
        ),
    shell:
        "python -m proformer score --predictions {input.predictions:q} --names {params.names:q} {params.options}"
        " --samples 0 --out {output.scores:q} > {log:q} 2>&1"


rule prix_fixe:
    """Compare the combinations, and hold the claims of the Prix Fixe paper against them."""
    input:
        grid=f"{R}/tables/{{dataset}}/{{run}}/grid.tsv",
        epochs=f"{R}/tables/{{dataset}}/{{run}}/epochs.tsv",
        scores=lambda wildcards: (
            f"{R}/tables/{wildcards.dataset}/{wildcards.run}/scores.tsv" if results.scores_blocks(wildcards) else []
        ),
        code=library(
            *(f"evaluation/{name}" for name in ("prix_fixe", "prix_fixe_claims", "claims", "statistics")), "tables"
        ),
    output:
        table=f"{R}/tables/{{dataset}}/{{run}}/combinations.tsv",
        tests=f"{R}/tables/{{dataset}}/{{run}}/blocks.tsv",
        importance=f"{R}/tables/{{dataset}}/{{run}}/importance.tsv",
        reasons=f"{R}/tables/{{dataset}}/{{run}}/left_out.tsv",
        card=f"{R}/tables/{{dataset}}/{{run}}/claims.tsv",
        page=report(
            f"{R}/tables/{{dataset}}/{{run}}/claims.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{run}, {dataset}"},
        ),
    params:
        scores=lambda wildcards, input: option("--scores", input.scores),
        left_out=lambda wildcards: as_yaml(results.left_out(wildcards)),
        note=lambda wildcards: results.run_note(wildcards.dataset),
        simulated=lambda wildcards: "--simulated" if results.is_simulated(wildcards.dataset) else "",
    shell:
        "python -m proformer prix-fixe --grid {input.grid:q} --epochs {input.epochs:q} {params.scores} {params.simulated}"
        " --note {params.note:q} --out {output.table:q} --tests {output.tests:q} --importance {output.importance:q}"
        " --left-out {params.left_out:q} --reasons {output.reasons:q}"
        " --card {output.card:q} --html {output.page:q} > {log:q} 2>&1"
