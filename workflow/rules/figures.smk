"""Figures, from tables alone: those of src/proformer/workflow/figures.yaml, all of a job in one process."""


rule describe:
    """What the models are made of: the final model of the paper, and the pair that this run compares."""
    input:
        code=library("models"),
    output:
        [f"{R}/tables/models/{name}.json" for name in results.described_models()],
    resources:
        **asks(3000, 10),
    params:
        configs=[as_yaml(keys) for keys in results.described_models().values()],
    shell:
        "python -m proformer describe --config {params.configs:q} --out {output:q} > {log:q} 2>&1"


for job in dict.fromkeys(figure.job for figure in FIGURES):
    drawn = [figure for figure in FIGURES if figure.job == job]

    rule:
        name:
            f"figures_{job}"
        input:
            tables=list(dict.fromkeys(f"{R}/tables/{table}" for figure in drawn for table in figure.tables)),
            code=library("figures", "evaluation/statistics", "evaluation/heads", "files"),
        output:
            [
                report(
                    f"{R}/figures/{figure.name}.png",
                    caption=Path(f"{R}/figures/{figure.name}.rst").absolute(),
                    category=figure.category,
                    labels={"figure": figure.label},
                )
                for figure in drawn
            ],
            [f"{R}/figures/{figure.name}.{kind}" for figure in drawn for kind in ("pdf", "svg", "tsv", "rst")],
        resources:
            **asks(1500, 10),
        params:
            figures=as_yaml({figure.name: figure.recipe for figure in drawn}),
            folder=lambda wildcards: R,
        shell:
            "python -m proformer draw --figures {params.figures:q} --tables {params.folder:q}/tables"
            " --out {params.folder:q}/figures > {log:q} 2>&1"
