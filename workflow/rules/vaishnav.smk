"""Evaluation sets: read, compared with what was trained on, predicted, scored beside published models, drawn."""


rule simulate_vaishnav:
    """Write simulated evaluation sets in the published file formats."""
    input:
        code=library("simulate", "cli/simulate"),
    output:
        results.simulated("simulated_vaishnav"),
    params:
        **config["simulate_vaishnav"] or {},
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m proformer simulate-vaishnav --out {params.folder:q} --native {params.native}"
        " --random {params.random} --drift {params.drift} --seed {params.seed} > {log:q} 2>&1"


rule measured:
    """Read an evaluation set: padding off, flanks found and set whole, duplicates and references marked, all counted."""
    input:
        file=lambda wildcards: results.raw(results.evaluations[wildcards.evaluation]["file"]),
        code=library("datasets/measured", "datasets/rows", "datasets/text", "sequences"),
    output:
        table=f"{R}/data/evaluations/{{evaluation}}.tsv",
        sequences=f"{R}/data/evaluations/{{evaluation}}.txt",
        counts=f"{E}/{{evaluation}}/found.tsv",
    wildcard_constraints:
        evaluation=any_of(results.evaluations.keys() - results.held_out),
    params:
        options=lambda wildcards: commands.measured_options(results.evaluations[wildcards.evaluation]),
    shell:
        "python -m proformer measured --file {input.file:q} --name {wildcards.evaluation} {params.options}"
        " --out {output.table:q} --sequences {output.sequences:q} --counts {output.counts:q} > {log:q} 2>&1"


rule nearest:
    """Count the test or evaluation sequences that are nearly a training sequence; warn where they are many."""
    input:
        store=lambda wildcards: results.store(wildcards.dataset),
        sequences=lambda wildcards: results.evaluated_on(wildcards.dataset)[wildcards.evaluation],
        code=library("datasets", "sequences"),
    output:
        table=f"{E}/{{evaluation}}/near_{{dataset}}.tsv",
        distances=f"{R}/data/evaluations/{{evaluation}}_near_{{dataset}}.tsv",
    wildcard_constraints:
        evaluation=any_of({name: None for name, _ in results.near}),
    resources:
        **asks(2000, 10, per_gb=20),
    params:
        config["near"] or {},
    shell:
        "python -m proformer nearest --store {input.store:q} --sequences {input.sequences:q}"
        " --name {wildcards.evaluation} --against {wildcards.dataset} --within {params[0][within]}"
        " --warn-distance {params[0][warn_distance]} --warn-share {params[0][warn_share]} --out {output.table:q}"
        " --distances {output.distances:q} > {log:q} 2>&1"


rule peers:
    """Score this run's models and published predictions on one evaluation set, with intervals and paired tests."""
    input:
        table=lambda wildcards: results.evaluation_file(wildcards.evaluation, "tsv"),
        published=lambda wildcards: map(results.raw, results.evaluations[wildcards.evaluation]["published"].values()),
        predictions=lambda wildcards: results.evaluation_models(wildcards.evaluation).values(),
        printed=relative(ROOT / "src/proformer/evaluation/published/peers.tsv"),
        code=library("evaluation/peers", "evaluation/paired", "evaluation/evaluate", "evaluation/metrics", "simulate"),
    output:
        scores=f"{E}/{{evaluation}}/scores.tsv",
        pairs=f"{E}/{{evaluation}}/pairs.tsv",
    resources:
        **asks(2000, 30),
    params:
        options=lambda wildcards: commands.peer_options(results, wildcards.evaluation),
        simulated=lambda wildcards: (
            "--simulated" if results.evaluations[wildcards.evaluation]["file"].startswith("simulated") else ""
        ),
        samples=config["score_samples"],
    shell:
        "python -m proformer peers --table {input.table:q} {params.options} {params.simulated} --samples {params.samples}"
        " --out {output.scores:q} --tests {output.pairs:q} > {log:q} 2>&1"


rule report_card_peers:
    """Each claim of the paper on Figure 5 and one of its evaluation sets: printed numbers, and this run's differences."""
    input:
        pairs=f"{E}/{{evaluation}}/pairs.tsv",
        code=library("evaluation/claims", "evaluation/claims_scores", "evaluation/peers", "tables"),
    output:
        table=f"{E}/{{evaluation}}/report_card.tsv",
        page=report(
            f"{E}/{{evaluation}}/report_card.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{evaluation}, Figure 5"},
        ),
    params:
        printed=lambda wildcards: results.evaluations[wildcards.evaluation]["printed"],
        note=lambda wildcards: results.peers_note(results.evaluations[wildcards.evaluation]["medium"]),
        simulated=lambda wildcards: (
            "--simulated" if results.evaluations[wildcards.evaluation]["file"].startswith("simulated") else ""
        ),
    shell:
        "python -m proformer report-card --figure 5 --run {input.pairs:q} --dataset {params.printed} {params.simulated}"
        " --note {params.note:q} --out {output.table:q} --html {output.page:q} > {log:q} 2>&1"


rule join_evaluations:
    """One table of all evaluation sets: scores, paired tests, what was found, or what was near."""
    input:
        lambda wildcards: results.evaluation_parts(wildcards.table),
    output:
        f"{E}/{{table}}.tsv",
    wildcard_constraints:
        table="scores|pairs|near|found",
    shell:
        "python -m proformer join --tables {input:q} --out {output:q} > {log:q} 2>&1"
