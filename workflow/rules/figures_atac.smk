"""Figures of the ATAC-seq experiment (Fig. 3) and of its quality, on the pattern of figures.smk."""


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
