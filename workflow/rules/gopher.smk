"""Models of coverage, scored as Toneyan et al. (2022) do: fair to every resolution, to labels, and to replicates."""


rule simulate_coverage:
    """Write a genome with planted motifs, and tracks of cell types whose coverage follows them."""
    input:
        code=library("simulate", "cli/simulate"),
    output:
        results.simulated("simulated_coverage"),
    resources:
        **asks(2000, 30),
    params:
        **config["simulate_coverage"] or {},
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m proformer simulate-coverage --out {params.folder:q} --genome-size {params.genome_size}"
        " --cells {params.cells} --seed {params.seed} > {log:q} 2>&1"


rule profiles:
    """Score all models of coverage and of labels on the same windows, and hold the paper's claims against them."""
    input:
        models=lambda wildcards: results.trained(profiles.jobs(results, wildcards.profiles)),
        test=lambda wildcards: profiles.test(results, wildcards.profiles),
        variants=lambda wildcards: profiles.variants(results, wildcards.profiles),
        published=relative(ROOT / "src/proformer/evaluation/published/gopher.tsv"),
        code=library(
            *(
                f"evaluation/profile{name}"
                for name in ("s", "_windows", "_shifts", "_variants", "_examples", "_tables", "_claims")
            ),
            "evaluation/judgement",
            "evaluation/claims",
            "evaluation/metrics",
            "evaluation/streaming",
            "models",
            "tables",
        ),
    output:
        tables=[f"{R}/tables/profiles/{{profiles}}/{name}.tsv" for name in PROFILE_TABLES],
        page=report(
            f"{R}/tables/profiles/{{profiles}}/claims.html",
            caption="../report/report_card.rst",
            category="Report card",
            labels={"claims": "{profiles}, profiles"},
        ),
    wildcard_constraints:
        profiles=any_of(profiles.judged(results)),
    threads: config["threads"]
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: attempt * commands.scoring_minutes(results, wildcards.profiles),
        gpu=GPU,
    params:
        folders=lambda wildcards: [results.model(job.path) for job in profiles.jobs(results, wildcards.profiles)],
        settings=lambda wildcards: as_yaml(profiles.judged(results)[wildcards.profiles]["settings"] or {}),
        variants=lambda wildcards: commands.variant_options(results, wildcards.profiles),
        folder=lambda wildcards, output: str(Path(output.page).parent),
        simulated=lambda wildcards: (
            "--simulated" if results.is_simulated(profiles.judged(results)[wildcards.profiles]["test"]) else ""
        ),
        note=lambda wildcards: results.run_note(profiles.judged(results)[wildcards.profiles]["test"]),
        device=config["device"],
    shell:
        "python -m proformer profiles --models {params.folders:q} --test {input.test:q} --settings {params.settings:q}"
        " {params.variants} {params.simulated} --note {params.note:q} --out {params.folder:q} --html {output.page:q}"
        " --device {params.device} --threads {threads} > {log:q} 2>&1"
