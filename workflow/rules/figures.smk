"""Figures 1 and 2, from tables alone: once from the published numbers, once from this run; the pattern of all others."""

FIGURE = f"{R}/figures/{{figure}}_{{source}}"
DRAWING = library("figures", "evaluation/statistics", "files")
SUFFIXES = (".png", ".pdf", ".svg", ".tsv")


rule describe:
    """What the models are made of: the final model of the paper, and the pair that this run compares."""
    input:
        code=library("models"),
        program=script("describe.py"),
    output:
        expand(
            f"{R}/tables/models/{{model}}.json",
            model=["published_ap", "published_meh", "run_ap", "run_meh"],
        ),
    log:
        f"{R}/logs/describe.log",
    benchmark:
        f"{R}/benchmarks/describe.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        configs=described_models(),
    shell:
        "python {input.program:q} --config {params.configs:q} --out {output:q} > {log:q} 2>&1"


rule figure_1:
    """The architecture, drawn from the model itself: shapes and parameter counts as built."""
    input:
        table=[f"{R}/tables/models/{{source}}_meh.json"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig1_{{source}}.png",
            caption="../report/fig1.rst",
            category="Figure 1",
            labels={"figure": "1 architecture, {source}"},
        ),
        multiext(f"{R}/figures/fig1_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig1_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig1_{{source}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="architecture",
    shell:
        "python {input.program:q} {params.options} --table {input.table:q} --out {params.prefix:q} > {log:q} 2>&1"


use rule figure_1 as figure_2a with:
    input:
        table=[
            f"{R}/tables/models/{{source}}_ap.json",
            f"{R}/tables/models/{{source}}_meh.json",
        ],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig2a_{{source}}.png",
            caption="../report/fig2a.rst",
            category="Figure 2",
            labels={"figure": "2a heads, {source}"},
        ),
        multiext(f"{R}/figures/fig2a_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig2a_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig2a_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="heads",


use rule figure_1 as figure_2b with:
    input:
        table=[f"{R}/tables/dream/{{source}}/epochs.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig2b_{{source}}.png",
            caption="../report/fig2b.rst",
            category="Figure 2",
            labels={"figure": "2b convergence, {source}"},
        ),
        multiext(f"{R}/figures/fig2b_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig2b_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig2b_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options=convergence_options("dream"),


use rule figure_1 as figure_2c with:
    input:
        table=[f"{R}/tables/dream/{{source}}/grid.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig2c_{{source}}.png",
            caption="../report/fig2c.rst",
            category="Figure 2",
            labels={"figure": "2c grid, {source}"},
        ),
        multiext(f"{R}/figures/fig2c_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig2c_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig2c_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="grid --letter c",


use rule figure_2c as figure_2d with:
    output:
        report(
            f"{R}/figures/fig2d_{{source}}.png",
            caption="../report/fig2d.rst",
            category="Figure 2",
            labels={"figure": "2d bars, {source}"},
        ),
        multiext(f"{R}/figures/fig2d_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig2d_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig2d_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="bars --letter d",


VIOLINS = {"e": "blocks", "f": "dim", "g": "head"}


use rule figure_1 as figure_2efg with:
    input:
        table=[f"{R}/tables/dream/{{source}}/grid.tsv"],
        tests=f"{R}/tables/dream/{{source}}/tests.tsv",
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig2{{letter}}_{{source}}.png",
            caption="../report/fig2efg.rst",
            category="Figure 2",
            labels={"figure": "2{letter} violins, {source}"},
        ),
        multiext(f"{R}/figures/fig2{{letter}}_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig2{{letter}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig2{{letter}}_{{source}}.tsv"
    wildcard_constraints:
        letter="[efg]",
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options=lambda wildcards, input: f"violins --letter {wildcards.letter} --tests {shlex.quote(input.tests)}"
        f" --factor {VIOLINS[wildcards.letter]}",
