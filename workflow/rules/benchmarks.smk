"""The same models on other data (Rafi et al. 2024, Fig. 3): cross-validation, models averaged within a test fold, tests."""


rule simulate_benchmarks:
    """Write simulated enhancers and regulatory elements in the published formats, with what is true of them."""
    input:
        code=library("simulate", "cli/simulate"),
    output:
        results.simulated("simulated_benchmarks"),
    params:
        **config["simulate_benchmarks"] or {},
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m proformer simulate-benchmarks --out {params.folder:q} --enhancers {params.enhancers}"
        " --elements {params.elements} --seed {params.seed} > {log:q} 2>&1"


rule split_fold:
    """The training, validation and test part of one draw of a cross-validation; both strands of a window in one part."""
    input:
        store=lambda wildcards: results.store(wildcards.dataset),
        code=library("datasets/parts", "datasets/draws", "datasets/store", "sequences"),
    output:
        train=f"{R}/data/{{dataset}}/fold~{{fold}}/train.safetensors",
        validation=f"{R}/data/{{dataset}}/fold~{{fold}}/validation.safetensors",
        test=f"{R}/data/{{dataset}}/fold~{{fold}}/test.safetensors",
        counts=f"{R}/tables/{{dataset}}/split/fold~{{fold}}.tsv",
    wildcard_constraints:
        dataset=any_of(results.folds),
        fold=any_of(fold.name for folds in results.folds.values() for fold in folds),
    resources:
        **asks(2500, 20),
    params:
        lambda wildcards: commands.fold_for(results, wildcards.dataset, wildcards.fold),
    shell:
        "{params} > {log:q} 2>&1"


for dataset in results.folds:
    for test, fold in benchmarks.test_folds(results, dataset).items():
        jobs = benchmarks.jobs_of(results, dataset, test)

        rule:
            name:
                f"predict_fold_{dataset}_{test}"
            input:
                models=results.trained(jobs),
                sequences=f"{R}/data/{dataset}/fold~{fold.name}/test.safetensors",
                code=library("predict", "datasets/prepare", "datasets/rows", "datasets/text") + model_code(jobs),
            output:
                [benchmarks.predicted(results, job) for job in jobs],
            threads: config["threads"]
            resources:
                **asks(4000, 30),
                gpu=GPU,
            params:
                folders=[results.model(job.path) for job in jobs],
                device=config["device"],
            shell:
                "python -m proformer predict --model {params.folders:q} --sequences {input.sequences:q}"
                " --out {output:q} --device {params.device} --threads {threads} > {log:q} 2>&1"


rule score_folds:
    """Models averaged within each test fold, one value for each; paired t tests; and each claim of the paper on them."""
    input:
        predictions=lambda wildcards: [
            benchmarks.predicted(results, job)
            for dataset in benchmarks.compared(results)[wildcards.benchmark]["datasets"]
            for test in benchmarks.test_folds(results, dataset)
            for job in benchmarks.jobs_of(results, dataset, test)
        ],
        ceilings=lambda wildcards: (
            f"{R}/data/simulated_benchmarks/ceilings.tsv"
            if benchmarks.simulated_files(results, wildcards.benchmark)
            else []
        ),
        code=library("evaluation/folds", "evaluation/metrics", "evaluation/claims", "evaluation/claims_benchmarks"),
    output:
        folds=f"{R}/tables/benchmarks/{{benchmark}}/folds.tsv",
        tests=f"{R}/tables/benchmarks/{{benchmark}}/tests.tsv",
        card=f"{R}/tables/benchmarks/{{benchmark}}/claims.tsv",
        page=report(
            f"{R}/tables/benchmarks/{{benchmark}}/claims.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{benchmark}"},
        ),
    resources:
        **asks(4000, 30),
    params:
        options=lambda wildcards: commands.fold_options(results, wildcards.benchmark),
        results=lambda wildcards: R,
        ceilings=lambda wildcards, input: option("--ceilings", input.ceilings),
    shell:
        "python -m proformer folds --results {params.results:q} {params.options} {params.ceilings}"
        " --out {output.folds:q} --tests {output.tests:q} --card {output.card:q} --html {output.page:q} > {log:q} 2>&1"


rule atac_cuts:
    """Count cut sites (+4/-4) at each base, for profiles at base resolution."""
    input:
        fragments=experiment.pooled,
        genome=rules.atac_genome.output,
        code=library("atac/signal", "atac/fragments"),
    output:
        f"{A}/cuts.bw",
    resources:
        **asks(8000, 15, per_gb=60),
    shell:
        "python -m proformer atac signal --fragments {input.fragments:q} --genome {input.genome[0]:q} --mode counts"
        " --out {output:q} > {log:q} 2>&1"


rule atac_nonpeaks:
    """Draw windows outside peaks with the peaks' G+C content, in which the enzyme's bias is seen alone."""
    input:
        peaks=experiment.peaks,
        genome=rules.atac_genome.output,
        blacklist=experiment.side_file("blacklist"),
        code=library("datasets/nonpeaks", "datasets/places"),
    output:
        bed=f"{A}/nonpeaks.bed",
        counts=f"{T}/nonpeaks.tsv",
    resources:
        **asks(3000, 30),
    params:
        **(experiment.setting("nonpeaks") or {}),
        blacklist=lambda wildcards, input: option("--blacklist", input.blacklist),
        names=option("--contig-names", experiment.setting("contig_names")),
    shell:
        "python -m proformer nonpeaks --genome {input.genome[0]:q} --peaks {input.peaks:q} --window {params.window}"
        " --stride {params.stride} --per-peak {params.per_peak} --seed {params.seed} {params.blacklist} {params.names}"
        " --out {output.bed:q} --counts {output.counts:q} > {log:q} 2>&1"
