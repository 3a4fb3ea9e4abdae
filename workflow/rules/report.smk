"""Sortable tables, and what made the results."""


rule pages:
    """All tables as pages of the report, sortable, each with its caption beside it; and what made the results."""
    input:
        tables=[f"{R}/tables/{name}.tsv" for name in PAGES if name != "versions"],
        code=library("tables", "provenance"),
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
        versions=f"{R}/tables/versions.tsv",
    params:
        config=as_yaml(config),
        captions=as_yaml(PAGES),
        folder=lambda wildcards: R,
    shell:
        "(python -m proformer versions --config {params.config:q} --out {output.versions:q} &&"
        " python -m proformer pages --captions {params.captions:q} --tables {params.folder:q}/tables"
        " --out {params.folder:q}/pages) > {log:q} 2>&1"
