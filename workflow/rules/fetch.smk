"""Download what the catalogue names, and simulate what the demo reads."""

# Nodes of a cluster often have no network: here, unless the profile names a partition to download on.
if "slurm_partition" not in workflow.resource_settings.overwrite_resources.get("fetch", {}):

    localrules:
        fetch,


rule fetch:
    """Download one file of the catalogue: resumed, retried, checked against its digest; a mirror is read first."""
    output:
        file=f"{R}/data/raw/{{name}}/{{file}}",
        provenance=f"{R}/tables/provenance/{{name}}/{{file}}.tsv",
    resources:
        **asks(500, 240),
    params:
        mirror=option("--mirror", config["mirror"]),
        folder=lambda wildcards, output: str(Path(output.file).parent),
    shell:
        "python -m proformer fetch {wildcards.name} --out {params.folder:q} {params.mirror}"
        " --provenance {output.provenance:q} > {log:q} 2>&1"


rule simulate:
    """Write simulated promoters in the published file formats of the DREAM challenge."""
    input:
        code=library("simulate"),
    output:
        [path if Path(path).suffix else directory(path) for path in results.simulated("simulated")],
    resources:
        **asks(2000, 30),
    params:
        **config["simulate"] or {},
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m proformer simulate --out {params.folder:q} --train {params.train} --test {params.test}"
        " --seed {params.seed} > {log:q} 2>&1"
