"""From trained models and the paper's own numbers to tidy tables: everything that a figure shows."""


rule collect:
    """Gather all points of a run on a data set: validation r, best epoch, distinct expression tokens; and every epoch."""
    input:
        models=lambda wildcards: results.trained(results.jobs_of(wildcards)),
        sequences=lambda wildcards: results.part(results.jobs_of(wildcards)[0], "validation"),
        code=library("evaluation/collect", "evaluation/ceiling", "models", "simulate"),
    output:
        grid=f"{R}/tables/{{dataset}}/{{run}}/grid.tsv",
        epochs=f"{R}/tables/{{dataset}}/{{run}}/epochs.tsv",
    resources:
        **asks(4000, 30),
    params:
        folders=lambda wildcards: [results.model(job.path) for job in results.jobs_of(wildcards)],
        simulated=lambda wildcards: results.ceiling_option(wildcards.dataset),
    shell:
        "python -m proformer collect --dataset {wildcards.dataset} --models {params.folders:q}"
        " --sequences {input.sequences:q} --grid {output.grid:q} --epochs {output.epochs:q} {params.simulated}"
        " > {log:q} 2>&1"


rule published:
    """The paper's own grid table (Figures 2c and 3b), as it comes with the library."""
    input:
        grid=relative(ROOT / "src/proformer/evaluation/published/grid.tsv"),
    output:
        grid=f"{R}/tables/published/{{paper}}/grid.tsv",
    shell:
        "python -m proformer join --tables {input.grid:q} --where {wildcards.paper} --out {output.grid:q} > {log:q} 2>&1"


rule test_grid:
    """Means by level, spread over seeds, Mann-Whitney and rank-sum tests; the same code for the paper and the run."""
    input:
        grid=f"{R}/tables/{{grid}}/grid.tsv",
        code=library("evaluation/statistics"),
    output:
        tests=f"{R}/tables/{{grid}}/tests.tsv",
        means=f"{R}/tables/{{grid}}/means.tsv",
        spread=f"{R}/tables/{{grid}}/spread.tsv",
    shell:
        "python -m proformer test-grid --grid {input.grid:q} --tests {output.tests:q} --means {output.means:q}"
        " --spread {output.spread:q} > {log:q} 2>&1"


rule compare:
    """One table of everything: model, evaluation set, metric and seed, with what each model is and what it cost."""
    input:
        models=results.trained(results.jobs.values()),
        predictions=[
            table
            for name in results.datasets
            for job in results.predicting_jobs(name)
            for table in results.predictions(job).values()
        ],
        truth=list(dict.fromkeys(truth for name in results.datasets for truth in results.measured_for(name).values())),
        dream=[f"{results.score_tables(dataset)}/scores.tsv" for dataset in results.scored],
        peers=results.evaluation_parts("scores"),
        code=library("evaluation", "models", "simulate"),
    output:
        table=f"{R}/tables/comparison.tsv",
        epochs=f"{R}/tables/epochs.tsv",
    resources:
        **asks(4000, 20),
    params:
        points=list(results.jobs),
        truth=[
            f"{name}/{part}={file}" for name in results.datasets for part, file in results.measured_for(name).items()
        ],
        called=[
            f"{job.path}={name}"
            for dataset in results.scored
            for name, job in finals.scored_jobs(results, dataset).items()
        ],
        results=lambda wildcards: R,
        simulated=[
            results.ceiling_option(name).replace("--simulated", name).replace(" ", "=")
            for name in results.datasets
            if results.ceiling_option(name)
        ],
    shell:
        "python -m proformer compare --results {params.results:q} --points {params.points:q} --truth {params.truth:q}"
        " --dream {input.dream:q} --peers {input.peers:q} --called {params.called:q} --simulated {params.simulated:q}"
        " --out {output.table:q} --epochs {output.epochs:q} > {log:q} 2>&1"


rule report_card:
    """Each claim of the paper on Figure 2 or 3: published number, this run's number, and what this run can say of it."""
    input:
        published=lambda wildcards: f"{R}/tables/published/{results.published_as(wildcards)}/grid.tsv",
        run=f"{R}/tables/{{dataset}}/{{run}}/grid.tsv",
        code=library(
            *(f"evaluation/{name}" for name in ("claims", "grid_claims", "grid_evidence", "statistics")), "tables"
        ),
    output:
        table=f"{R}/tables/{{dataset}}/{{run}}/report_card.tsv",
        page=report(
            f"{R}/tables/{{dataset}}/{{run}}/report_card.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{run}, {dataset}"},
        ),
    params:
        figure=lambda wildcards: 3 if results.published_as(wildcards) == "atac" else 2,
        note=lambda wildcards: results.run_note(wildcards.dataset),
        simulated=lambda wildcards: "--simulated" if results.is_simulated(wildcards.dataset) else "",
    shell:
        "python -m proformer report-card --published {input.published:q} --run {input.run:q} --dataset {wildcards.dataset}"
        " --figure {params.figure} {params.simulated} --note {params.note:q} --out {output.table:q} --html {output.page:q} > {log:q} 2>&1"
