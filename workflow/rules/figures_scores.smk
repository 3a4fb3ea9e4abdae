"""Figures of the final models: curves, the DREAM score, its subsets (Fig. 4), on the pattern of figures.smk."""


use rule figure_1 as figure_4a with:
    input:
        table=[f"{R}/tables/{{dataset}}/{{source}}/finals_epochs.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig4a_{{dataset}}_{{source}}.png",
            caption="../report/fig4a.rst",
            category="Figure 4",
            labels={"figure": "4a learning curves, {dataset}"},
        ),
        multiext(f"{R}/figures/fig4a_{{dataset}}_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig4a_{{dataset}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig4a_{{dataset}}_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options=lambda wildcards: f"convergence --letter a --final {learning_curves(wildcards.dataset)[0]}",


use rule figure_1 as figure_4b with:
    input:
        table=[f"{R}/tables/{{dataset}}/{{source}}/scores.tsv"],
        code=[*DRAWING, *library("evaluation/finals")],
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig4b_{{dataset}}_{{source}}.png",
            caption="../report/fig4b.rst",
            category="Figure 4",
            labels={"figure": "4b scores, {dataset}"},
        ),
        multiext(f"{R}/figures/fig4b_{{dataset}}_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig4b_{{dataset}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig4b_{{dataset}}_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options=lambda wildcards: f"scores {where('model', finals(wildcards.dataset))}",


use rule figure_4b as figure_4_subsets with:
    output:
        report(
            f"{R}/figures/fig4subsets_{{dataset}}_{{source}}.png",
            caption="../report/fig4subsets.rst",
            category="Figure 4",
            labels={"figure": "4 subsets, {dataset}"},
        ),
        multiext(f"{R}/figures/fig4subsets_{{dataset}}_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig4subsets_{{dataset}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig4subsets_{{dataset}}_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="subsets",


use rule figure_1 as figure_4_density with:
    input:
        table=[f"{R}/tables/{{dataset}}/{{source}}/density.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig4density_{{dataset}}_{{label}}_{{source}}.png",
            caption="../report/fig4density.rst",
            category="Figure 4",
            labels={"figure": "4 predicted and measured, {label}, {dataset}"},
        ),
        multiext(f"{R}/figures/fig4density_{{dataset}}_{{label}}_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig4density_{{dataset}}_{{label}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig4density_{{dataset}}_{{label}}_{{source}}.tsv"
    wildcard_constraints:
        label="[A-Za-z0-9.+~_-]+",
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options=lambda wildcards: f"density {where('model', density_model(wildcards))}",
