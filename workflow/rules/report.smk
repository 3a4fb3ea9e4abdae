"""Sortable tables, what made the results, and the page that holds everything."""


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
