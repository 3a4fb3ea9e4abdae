"""One training job per point and seed, or several points that share a job; and predictions of trained models."""

PACKS = results.packs()
PACKED = {job.path for pack in PACKS for job in pack}


rule train:
    """Train one point with one seed: one job, one GPU or several of a node. If interrupted, it goes on from there."""
    input:
        train=lambda wildcards: results.part(job_of(wildcards), "train"),
        validation=lambda wildcards: results.part(job_of(wildcards), "validation"),
        needs=lambda wildcards: results.needed([job_of(wildcards)]),
        code=lambda wildcards: library(*TRAINING) + model_code([job_of(wildcards)]),
    output:
        # Alone: Snakemake removes declared outputs before a job, and a model stays until the next takes its place.
        f"{R}/models/{{point}}/SHA256SUMS",
    log:
        f"{R}/logs/train/{{point}}.log",
    benchmark:
        f"{R}/benchmarks/train/{{point}}.tsv"
    wildcard_constraints:
        point=points_among([job for job in results.jobs.values() if job.path not in PACKED and job.nodes == 1]),
    threads: lambda wildcards: config["threads"] * job_of(wildcards).gpus
    resources:
        **training_asks(results),
        gpu=lambda wildcards: GPU * job_of(wildcards).gpus,
        nodes=1,
    params:
        launcher=lambda wildcards: commands.launcher(job_of(wildcards), config),
        config=lambda wildcards: as_yaml(job_of(wildcards).config),
        folder=lambda wildcards: results.model(wildcards.point),
        # No declared output: Snakemake would remove it when a job fails.
        checkpoint=f"{R}/checkpoints/{{point}}.pt",
        minutes=lambda wildcards, resources: commands.checkpoint_minutes(
            config["checkpoint_minutes"], resources.get("runtime")
        ),
        device=config["device"],
        threads=config["threads"],
    shell:
        "exec {params.launcher} -m proformer train --config {params.config:q} --train {input.train:q}"
        " --validation {input.validation:q} --out {params.folder:q} --checkpoint {params.checkpoint:q}"
        " --checkpoint-minutes {params.minutes} --device {params.device} --threads {params.threads}"
        " --since {input.code:q} {input.needs:q} > {log:q} 2>&1"


use rule train as train_nodes with:
    wildcard_constraints:
        point=points_among([job for job in results.jobs.values() if job.nodes > 1]),
    threads: config["threads"]
    resources:
        **training_asks(results),
        gpu=lambda wildcards: GPU * job_of(wildcards).gpus * job_of(wildcards).nodes,
        nodes=lambda wildcards: job_of(wildcards).nodes,
        # With mpi, the executor starts the shell once, and srun in it starts the processes. It wants either more than
        # one task per node or the number of all, and would take the latter for --ntasks-per-gpu, but for the 0.
        mpi="srun",
        tasks_per_node=lambda wildcards: job_of(wildcards).gpus if job_of(wildcards).gpus > 1 else 0,
        tasks=lambda wildcards: 0 if job_of(wildcards).gpus > 1 else job_of(wildcards).nodes,
        tasks_per_gpu=0,


for number, pack in enumerate(PACKS, start=1):

    rule:
        name:
            f"train_pack_{pack[0].dataset}_seed{pack[0].seed}_{number}"
        input:
            train=list(dict.fromkeys(results.part(job, "train") for job in pack)),
            validation=list(dict.fromkeys(results.part(job, "validation") for job in pack)),
            needs=results.needed(pack),
            code=library(*TRAINING) + model_code([]),
            models=model_code(pack),
        output:
            results.trained(pack),
        priority: 1  # all else waits for trainings
        threads: config["threads"] * (len(pack) if GPU else at_once(pack))
        resources:
            **training_asks(results, pack),
            gpu=GPU,
        params:
            jobs=as_yaml({job.path: job.config for job in pack}),
            train=[results.part(job, "train") for job in pack],
            validation=[results.part(job, "validation") for job in pack],
            threads=config["threads"],
            minutes=lambda wildcards, resources: commands.checkpoint_minutes(
                config["checkpoint_minutes"], resources.get("runtime")
            ),
            device=config["device"],
            results=lambda wildcards: R,
        shell:
            "exec python -m proformer train-pack --jobs {params.jobs:q} --train {params.train:q}"
            " --validation {params.validation:q} --results {params.results:q} --checkpoint-minutes {params.minutes}"
            " --device {params.device} --threads {params.threads} --cpus {threads}"
            " --since {input.code:q} {input.needs:q} > {log:q} 2>&1"


for dataset in results.datasets:
    for number, group in enumerate(results.predicting_packs(dataset), start=1):

        rule:
            name:
                f"predict_{dataset}_{number}"
            input:
                models=results.trained(group),
                sequences=list(results.evaluated_on(dataset).values()),
                code=library("predict", "datasets/prepare", "datasets/rows", "datasets/text") + model_code(group),
            output:
                [table for job in group for table in results.predictions(job).values()],
            threads: config["threads"]
            resources:
                **asks(4000, 30),
                gpu=GPU,
            params:
                folders=[results.model(job.path) for job in group],
                device=config["device"],
            shell:
                "python -m proformer predict --model {params.folders:q} --sequences {input.sequences:q}"
                " --out {output:q} --device {params.device} --threads {threads} > {log:q} 2>&1"
