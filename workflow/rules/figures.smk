"""Every figure of the paper, from tables alone: once from the published numbers, once from this run."""

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


use rule figure_1 as figure_3a with:
    input:
        table=[f"{T}/locus.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig3a_{{source}}.png",
            caption="../report/fig3a.rst",
            category="Figure 3",
            labels={"figure": "3a locus, {source}"},
        ),
        multiext(f"{R}/figures/fig3a_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig3a_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig3a_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="locus",


use rule figure_1 as figure_3b with:
    input:
        table=[f"{R}/tables/atac/{{source}}/grid.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig3b_{{source}}.png",
            caption="../report/fig3b.rst",
            category="Figure 3",
            labels={"figure": "3b grid, {source}"},
        ),
        multiext(f"{R}/figures/fig3b_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig3b_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig3b_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="grid --letter b",


use rule figure_1 as figure_3b_chromosome with:
    input:
        table=[f"{R}/tables/atacchromosome/{{source}}/grid.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fig3b_chromosome_{{source}}.png",
            caption="../report/fig3b_chromosome.rst",
            category="Figure 3",
            labels={"figure": "3b grid, split by chromosome, {source}"},
        ),
        multiext(f"{R}/figures/fig3b_chromosome_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fig3b_chromosome_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fig3b_chromosome_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="grid --letter b",


use rule figure_1 as figure_fragments with:
    input:
        table=[f"{T}/fragment_lengths.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/fragments_{{source}}.png",
            caption="../report/fragments.rst",
            category="Figure 3",
            labels={"figure": "fragment lengths, {source}"},
        ),
        multiext(f"{R}/figures/fragments_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/fragments_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/fragments_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="fragments",


use rule figure_1 as figure_profile with:
    input:
        table=[f"{T}/profile.tsv", f"{T}/heatmap.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/profile_{{source}}.png",
            caption="../report/profile.rst",
            category="Figure 3",
            labels={"figure": "signal around summits, {source}"},
        ),
        multiext(f"{R}/figures/profile_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/profile_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/profile_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="profile",


use rule figure_1 as figure_windows with:
    input:
        table=[f"{T}/window_summary.tsv"],
        code=DRAWING,
        program=script("draw.py"),
    output:
        report(
            f"{R}/figures/windows_{{source}}.png",
            caption="../report/windows.rst",
            category="Figure 3",
            labels={"figure": "windows, {source}"},
        ),
        multiext(f"{R}/figures/windows_{{source}}", *SUFFIXES[1:]),
    log:
        f"{R}/logs/draw/windows_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/draw/windows_{{source}}.tsv"
    params:
        prefix=lambda wildcards, output: str(Path(output[0]).with_suffix("")),
        options="windows",


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


rule table_page:
    """A table as a page of the report, sortable by its columns."""
    input:
        table=f"{R}/tables/{{table}}.tsv",
        code=library("tables"),
        program=script("table_page.py"),
    output:
        report(
            f"{R}/pages/{{table}}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    log:
        f"{R}/logs/pages/{{table}}.log",
    benchmark:
        f"{R}/benchmarks/pages/{{table}}.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 500 * attempt,
        runtime=lambda wildcards, attempt: 5 * attempt,
    shell:
        "python {input.program:q} --table {input.table:q} --out {output:q} > {log:q} 2>&1"


rule versions:
    """What made the results: versions, hardware, git revision and the resolved configuration."""
    input:
        code=library("provenance"),
        program=script("versions.py"),
    output:
        f"{R}/tables/versions.tsv",
    log:
        f"{R}/logs/versions.log",
    benchmark:
        f"{R}/benchmarks/versions.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 500 * attempt,
        runtime=lambda wildcards, attempt: 5 * attempt,
    params:
        config=yaml.safe_dump(config, default_flow_style=True, width=10**6).strip(),
    shell:
        "python {input.program:q} --config {params.config:q} --out {output:q} > {log:q} 2>&1"


rule report:
    """Gather all figures and tables in one self-contained page."""
    input:
        final_targets(),
        captions=sorted(checkout(f"workflow/report/{path.name}") for path in (ROOT / "workflow/report").glob("*.rst")),
    output:
        page=f"{R}/report.html",
        config=f"{R}/config.json",
    log:
        f"{R}/logs/report.log",
    localrule: True
    params:
        config=json.dumps(config, indent=2, sort_keys=True),
    run:
        Path(output.config).write_text(params.config)
        shell(
            "({sys.executable} -m proformer.provenance report &&"
            " {sys.executable} -m snakemake results --profile none --workflow-profile none --nolock"
            " --snakefile {workflow.main_snakefile:q} --configfile {output.config:q}"
            " --report {output.page:q}) > {log:q} 2>&1"
        )
