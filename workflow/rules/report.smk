"""Sortable tables, what made the results, and the page that holds everything."""


rule pages:
    """All tables as pages of the report, sortable by their columns, each with its caption beside it."""
    input:
        tables=[f"{R}/tables/{name}.tsv" for name in PAGES],
        code=library("tables"),
    output:
        [
            report(
                f"{R}/pages/{name}.html",
                caption=Path(f"{R}/pages/{name}.rst").absolute(),
                category="Tables",
                labels={"table": name},
            )
            for name in PAGES
        ],
        [f"{R}/pages/{name}.rst" for name in PAGES],
    log:
        f"{R}/logs/pages.log",
    benchmark:
        f"{R}/benchmarks/pages.tsv"
    conda:
        "../../envs/python.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 500 * attempt,
        runtime=lambda wildcards, attempt: 5 * attempt,
    params:
        captions=as_yaml(PAGES),
        folder=lambda wildcards: R,
    shell:
        "python -m proformer pages --captions {params.captions:q} --tables {params.folder:q}/tables"
        " --out {params.folder:q}/pages > {log:q} 2>&1"


rule versions:
    """What made the results: versions, hardware, git revision and the resolved configuration."""
    input:
        code=library("provenance"),
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
        config=as_yaml(config),
    shell:
        "python -m proformer versions --config {params.config:q} --out {output:q} > {log:q} 2>&1"


rule report:
    """Gather all figures and tables in one self-contained page."""
    input:
        final_targets(),
        captions=sorted(relative(path) for path in (ROOT / "workflow/report").glob("*.rst")),
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
