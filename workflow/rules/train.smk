"""One training job per point and seed, or several points that share one GPU; and predictions of trained models."""

GPU = int(config["device"] == "cuda")
PACKS = packs(list(JOBS.values()), config["points_per_gpu"]) if config["points_per_gpu"] > 1 else []
PACKED = {job.path for pack in PACKS for job in pack}
TRAINING = library(
    "training",
    "datasets/batches",
    "datasets/store",
    "sequences",
    "evaluation/metrics",
)
MODEL_FILES = ("model.safetensors", "model.json", "metrics.tsv")


rule train:
    """Train one point with one seed: one job, one GPU or several of a node. If interrupted, it goes on from there."""
    input:
        train=part_of("train"),
        validation=part_of("validation"),
        code=lambda wildcards: TRAINING + model_code([job_of(wildcards)]),
    output:
        model=f"{R}/models/{{point}}/model.safetensors",
        description=f"{R}/models/{{point}}/model.json",
        metrics=f"{R}/models/{{point}}/metrics.tsv",
    log:
        f"{R}/logs/train/{{point}}.log",
    benchmark:
        f"{R}/benchmarks/train/{{point}}.tsv"
    wildcard_constraints:
        point=points_among([job for job in JOBS.values() if job.path not in PACKED and job.nodes == 1]),
    conda:
        "../../envs/python.yaml"
    threads: lambda wildcards: config["threads"] * job_of(wildcards).gpus
    resources:
        gpu=lambda wildcards: GPU * job_of(wildcards).gpus,
        nodes=1,
        mem_mb=training_memory([]),
        runtime=training_minutes([]),
    params:
        launcher=launcher,
        config=lambda wildcards: as_yaml(job_of(wildcards).config),
        folder=lambda wildcards, output: str(Path(output.model).parent),
        # No declared output: Snakemake would remove it when a job fails.
        checkpoint=f"{R}/checkpoints/{{point}}.pt",
        minutes=checkpoint_minutes,
        device=config["device"],
        threads=config["threads"],
    shell:
        "exec {params.launcher} -m proformer train --config {params.config:q} --train {input.train:q}"
        " --validation {input.validation:q} --out {params.folder:q} --checkpoint {params.checkpoint:q}"
        " --checkpoint-minutes {params.minutes} --device {params.device} --threads {params.threads} > {log:q} 2>&1"


use rule train as train_nodes with:
    wildcard_constraints:
        point=points_among([job for job in JOBS.values() if job.nodes > 1]),
    threads: config["threads"]
    resources:
        gpu=lambda wildcards: GPU * job_of(wildcards).gpus * job_of(wildcards).nodes,
        nodes=lambda wildcards: job_of(wildcards).nodes,
        # With mpi, the executor starts the shell once, and srun in it starts the processes. It wants either more than
        # one task per node or the number of all, and would take the latter for --ntasks-per-gpu, but for the 0.
        mpi="srun",
        tasks_per_node=lambda wildcards: job_of(wildcards).gpus if job_of(wildcards).gpus > 1 else 0,
        tasks=lambda wildcards: 0 if job_of(wildcards).gpus > 1 else job_of(wildcards).nodes,
        tasks_per_gpu=0,
        mem_mb=training_memory([]),
        runtime=training_minutes([]),


for number, pack in enumerate(PACKS, start=1):
    pack_name = f"pack_{pack[0].dataset}_seed{pack[0].seed}_{number}"

    rule:
        name:
            f"train_{pack_name}"
        input:
            train=f"{R}/data/{pack[0].dataset}/seed~{pack[0].seed}/train.safetensors",
            validation=f"{R}/data/{pack[0].dataset}/seed~{pack[0].seed}/validation.safetensors",
            code=TRAINING + model_code(pack),
        output:
            [f"{R}/models/{job.path}/{name}" for job in pack for name in MODEL_FILES],
        log:
            f"{R}/logs/train/{pack_name}.log",
        benchmark:
            f"{R}/benchmarks/train/{pack_name}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: config["threads"] * len(pack)
        resources:
            gpu=GPU,
            mem_mb=training_memory(pack),
            runtime=training_minutes(pack),
        params:
            jobs=as_yaml({job.path: job.config for job in pack}),
            threads=config["threads"],
            minutes=checkpoint_minutes,
            device=config["device"],
        shell:
            "exec python -m proformer train-pack --jobs {params.jobs:q} --train {input.train:q}"
            " --validation {input.validation:q} --results {R:q} --checkpoint-minutes {params.minutes}"
            " --device {params.device} --threads {params.threads} > {log:q} 2>&1"


for dataset in dict.fromkeys(job.dataset for job, _, _ in predictions()):

    rule:
        name:
            f"predict_{dataset}"
        input:
            description=f"{R}/models/dataset~{dataset}/{{model}}/model.json",
            model=f"{R}/models/dataset~{dataset}/{{model}}/model.safetensors",
            sequences=list(evaluated_on(dataset).values()),
            code=code_of_model(dataset),
        output:
            [f"{R}/predictions/dataset~{dataset}/{{model}}/{name}.tsv" for name in evaluated_on(dataset)],
        log:
            f"{R}/logs/predict/dataset~{dataset}/{{model}}.log",
        benchmark:
            f"{R}/benchmarks/predict/dataset~{dataset}/{{model}}.tsv"
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
            "python -m proformer predict --model {params.folder:q} --sequences {input.sequences:q}"
            " --out {output:q} --device {params.device} --threads {threads} > {log:q} 2>&1"
