"""From trained models and the paper's own numbers to tidy tables: everything that a figure shows."""

TABLES = f"{R}/tables/{{dataset}}/{{source}}"


rule collect:
    """Gather all points of a grid: validation r, best epoch, distinct expression tokens; and every epoch's numbers."""
    input:
        models=lambda wildcards: [f"{R}/models/{path}/model.safetensors" for path in grid_paths(wildcards.dataset)],
        metrics=lambda wildcards: [f"{R}/models/{path}/metrics.tsv" for path in grid_paths(wildcards.dataset)],
        sequences=f"{R}/data/{{dataset}}/seed~{config['seeds'][0]}/validation.safetensors",
        code=library("evaluation/collect", "evaluation/ceiling", "models", "simulate"),
        program=script("collect.py"),
    output:
        grid=f"{R}/tables/{{dataset}}/run/grid.tsv",
        epochs=f"{R}/tables/{{dataset}}/run/epochs.tsv",
    log:
        f"{R}/logs/collect/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/collect/{{dataset}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        folders=lambda wildcards: [f"{R}/models/{path}" for path in grid_paths(wildcards.dataset)],
        simulated=lambda wildcards: ceiling_option(wildcards.dataset),
    shell:
        "python {input.program:q} --dataset {wildcards.dataset} --models {params.folders:q}"
        " --sequences {input.sequences:q} --grid {output.grid:q} --epochs {output.epochs:q} {params.simulated} > {log:q} 2>&1"


rule published:
    """The paper's own grid table (Figures 2c and 3b), as it comes with the library."""
    input:
        grid=checkout("src/proformer/evaluation/published/grid.tsv"),
    output:
        grid=f"{R}/tables/{{dataset}}/published/grid.tsv",
    log:
        f"{R}/logs/published/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/published/{{dataset}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 500 * attempt,
        runtime=lambda wildcards, attempt: 5 * attempt,
    params:
        lambda wildcards: published_as(wildcards.dataset),
    shell:
        "(python -m proformer.provenance published {wildcards.dataset} &&"
        " awk -F '\\t' 'NR == 1 || $1 == \"{params}\"' {input.grid:q} > {output.grid:q}) 2> {log:q}"


rule test_grid:
    """Means by level, spread over seeds, Mann-Whitney and rank-sum tests; the same code for the paper and the run."""
    input:
        grid=f"{TABLES}/grid.tsv",
        code=library("evaluation/statistics"),
        program=script("test_grid.py"),
    output:
        tests=f"{TABLES}/tests.tsv",
        means=f"{TABLES}/means.tsv",
        spread=f"{TABLES}/spread.tsv",
    log:
        f"{R}/logs/test_grid/{{dataset}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/test_grid/{{dataset}}_{{source}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    shell:
        "python {input.program:q} --grid {input.grid:q} --tests {output.tests:q} --means {output.means:q}"
        " --spread {output.spread:q} > {log:q} 2>&1"


rule compare:
    """One table of everything: model, evaluation set, metric and seed, with what each model is and what it cost."""
    input:
        models=[f"{R}/models/{path}/{name}" for path in JOBS for name in MODEL_FILES],
        predictions=[table for _, _, table in predictions()],
        truth=list(dict.fromkeys(truth for dataset in DATASETS for truth in measured_for(dataset).values())),
        dream=[f"{R}/tables/{dataset}/run/scores.tsv" for dataset in SCORED],
        code=library("evaluation", "models", "simulate"),
    output:
        f"{R}/tables/comparison.tsv",
    log:
        f"{R}/logs/compare.log",
    benchmark:
        f"{R}/benchmarks/compare.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        points=list(JOBS),
        truth=[f"{dataset}/{name}={file}" for dataset in DATASETS for name, file in measured_for(dataset).items()],
        called=[f"{job.path}={name}" for dataset in SCORED for name, job in scored_jobs(dataset).items()],
        results=lambda wildcards, output: str(Path(output[0]).parents[1]),
        simulated=[
            ceiling_option(name).replace("--simulated", name).replace(" ", "=") for name in DATASETS if is_simulated(name)
        ],
    shell:
        "python -m proformer compare --results {params.results:q} --points {params.points:q} --truth {params.truth:q}"
        " --dream {input.dream:q} --called {params.called:q} --simulated {params.simulated:q} --out {output:q} > {log:q} 2>&1"


rule report_card:
    """Each claim of the paper on Figure 2 or 3: published number, this run's number, and what this run can say of it."""
    input:
        published=f"{R}/tables/{{dataset}}/published/grid.tsv",
        run=f"{R}/tables/{{dataset}}/run/grid.tsv",
        code=library("evaluation/claims", "evaluation/claims_atac", "evaluation/statistics"),
        program=script("report_card.py"),
    output:
        table=f"{R}/tables/{{dataset}}/report_card.tsv",
        page=report(
            f"{R}/tables/{{dataset}}/report_card.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{dataset}"},
        ),
    log:
        f"{R}/logs/report_card/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/report_card/{{dataset}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        figure=lambda wildcards: 3 if published_as(wildcards.dataset) == "atac" else 2,
        note=lambda wildcards: run_note(wildcards.dataset),
        simulated=lambda wildcards: "--simulated" if is_simulated(wildcards.dataset) else "",
    shell:
        "python {input.program:q} --published {input.published:q} --run {input.run:q} --dataset {wildcards.dataset}"
        " --figure {params.figure} {params.simulated} --note {params.note:q} --out {output.table:q} --html {output.page:q} > {log:q} 2>&1"
