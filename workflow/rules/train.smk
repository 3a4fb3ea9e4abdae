"""One training job per grid point and seed."""

GPU = int(config["device"] == "cuda")


rule train:
    """Train one point with one seed: one job, one GPU. An interrupted job goes on from its checkpoint."""
    input:
        train=rules.split.output.train,
        validation=rules.split.output.validation,
        code=library(
            "training",
            "models",
            "datasets/batches",
            "datasets/store",
            "sequences",
            "evaluation/metrics",
        ),
    output:
        model=f"{POINT}/model.safetensors",
        description=f"{POINT}/model.json",
        metrics=f"{POINT}/metrics.tsv",
    log:
        f"{R}/logs/train/{GRID.wildcard_pattern}.log",
    benchmark:
        f"{R}/benchmarks/train/{GRID.wildcard_pattern}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: config["threads"]
    resources:
        gpu=GPU,
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        config=lambda wildcards: yaml.safe_dump(point_config(wildcards), default_flow_style=True, width=10**6).strip(),
        folder=lambda wildcards, output: str(Path(output.model).parent),
        # No declared output: Snakemake would remove it when a job fails.
        checkpoint=f"{R}/checkpoints/{GRID.wildcard_pattern}.pt",
        minutes=config["checkpoint_minutes"],
        device=config["device"],
    shell:
        "exec python -m proformer train --config {params.config:q} --train {input.train:q}"
        " --validation {input.validation:q} --out {params.folder:q} --checkpoint {params.checkpoint:q}"
        " --checkpoint-minutes {params.minutes} --device {params.device} --threads {threads} > {log:q} 2>&1"


rule predict_test:
    """Predict the measured test sequences with one trained model, and score them."""
    input:
        description=rules.train.output.description,
        model=rules.train.output.model,
        truth=lambda wildcards: raw(config["datasets"][wildcards.dataset]["test"]),
        code=library("predict", "models", "evaluation/compare", "evaluation/metrics"),
    output:
        predictions=f"{R}/predictions/{GRID.wildcard_pattern}.tsv",
        score=f"{R}/tables/test/{GRID.wildcard_pattern}.tsv",
    log:
        f"{R}/logs/predict/{GRID.wildcard_pattern}.log",
    benchmark:
        f"{R}/benchmarks/predict/{GRID.wildcard_pattern}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: config["threads"]
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        folder=lambda wildcards, input: str(Path(input.model).parent),
        device=config["device"],
    shell:
        "(python -m proformer predict --model {params.folder:q} --sequences {input.truth:q}"
        " --out {output.predictions:q} --device {params.device} --threads {threads} &&"
        " python -m proformer evaluate --predictions {output.predictions:q} --truth {input.truth:q}"
        " --out {output.score:q}) > {log:q} 2>&1"
