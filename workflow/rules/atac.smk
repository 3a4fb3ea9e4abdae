"""ATAC-seq, from reads (or BAM, fragments, peaks and signal) to an encoded store of windows."""


rule simulate_atac:
    """Write a genome with planted accessible regions, and the paired reads of an ATAC-seq experiment on it."""
    input:
        code=library("simulate", "cli/simulate"),
    output:
        results.simulated("simulated_atac"),
    priority: 2  # before any training: others wait for the windows
    resources:
        **asks(2000, 30),
    params:
        **config["simulate_atac"] or {},
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m proformer simulate-atac --out {params.folder:q} --genome-size {params.genome_size}"
        " --pairs {params.pairs} --libraries {params.libraries} --seed {params.seed} > {log:q} 2>&1"


rule atac_genome:
    """Lay the genome out for reading by position, and count the known bases of its contigs."""
    input:
        genome=experiment.side_file("genome"),
        code=library("atac/contigs", "sequences"),
    output:
        fasta=f"{A}/genome.fa",
        index=f"{A}/genome.fa.fai",
        table=f"{T}/genome.tsv",
    priority: 2
    resources:
        **asks(2000, 30),
    shell:
        "python -m proformer atac genome --genome {input.genome:q} --out {output.fasta:q} --table {output.table:q}"
        " > {log:q} 2>&1"


rule atac_index:
    """Build the Bowtie2 index of the genome, once the disk is seen to have room for it."""
    input:
        fasta=rules.atac_genome.output.fasta,
    output:
        directory(f"{A}/index"),
    priority: 2
    conda:
        "../../envs/align.yaml"
    threads: experiment.setting("threads") or 1
    resources:
        **asks(1000, 15, per_gb=120, per_mb=6),
    shell:
        "python -m proformer atac index --genome {input.fasta:q} --out {output:q}/genome --threads {threads}"
        " > {log:q} 2>&1"


rule atac_check:
    """Read both FASTQ files of a library to their end: whole, as many mates in each, and of the same reads."""
    input:
        reads=lambda wildcards: experiment.files(wildcards.sample, "read1", "read2"),
        code=library("atac/reads"),
    output:
        f"{A}/qc/{{sample}}.pairs.tsv",
    wildcard_constraints:
        sample=experiment.among("reads"),
    priority: 2
    threads: min(2, experiment.setting("threads") or 1)
    resources:
        **asks(1000, 15, per_gb=2),
    shell:
        "python -m proformer atac check --reads {input.reads:q} --sample {wildcards.sample} --out {output:q}"
        " > {log:q} 2>&1"


rule atac_trim:
    """Cut adapters off with fastp, found by the overlap of the mates."""
    input:
        reads=lambda wildcards: experiment.files(wildcards.sample, "read1", "read2"),
        checked=rules.atac_check.output,
        code=library("atac/reads"),
    output:
        reads=[temp(f"{A}/trimmed/{{sample}}_{mate}.fastq.gz") for mate in (1, 2)],
        report=f"{A}/qc/{{sample}}.fastp.json",
        page=f"{A}/qc/{{sample}}.fastp.html",
    wildcard_constraints:
        sample=experiment.among("reads"),
    priority: 2
    conda:
        "../../envs/align.yaml"
    threads: experiment.setting("threads") or 1
    resources:
        **asks(4000, 15, per_gb=6),
    shell:
        "python -m proformer atac trim --reads {input.reads:q} --out {output.reads:q} --report {output.report:q}"
        " --threads {threads} > {log:q} 2>&1"


rule atac_align:
    """Align pairs with Bowtie2 (fragments up to 2,000 bp), sort and mark duplicates in one stream of programs."""
    input:
        reads=lambda wildcards: experiment.aligned(wildcards.sample),
        pairs=rules.atac_check.output,
        index=rules.atac_index.output,
        code=library("atac/reads", "atac/tools"),
    output:
        bam=f"{A}/bam/{{sample}}.bam",
        index=f"{A}/bam/{{sample}}.bam.bai",
        counts=f"{A}/qc/{{sample}}.alignment.tsv",
        summary=f"{A}/qc/{{sample}}.bowtie2.txt",
        marked=f"{A}/qc/{{sample}}.markdup.txt",
    wildcard_constraints:
        sample=experiment.among("reads"),
    priority: 2
    conda:
        "../../envs/align.yaml"
    threads: experiment.setting("threads") or 1
    resources:
        # The human index takes 4 GB, and each thread sorts in 768 MB.
        **asks(6000, 15, per_gb=120, per_thread=1000),
    params:
        name=experiment.setting("genome_name"),
        rate=experiment.setting("min_alignment_rate"),
        logs=lambda wildcards, output: str(Path(output.counts).parent),
    shell:
        "python -m proformer atac align --reads {input.reads:q} --index {input.index:q}/genome"
        " --sample {wildcards.sample} --genome-name {params.name:q} --min-rate {params.rate} --out {output.bam:q}"
        " --logs {params.logs:q} --pairs {input.pairs:q} --counts {output.counts:q} --threads {threads} > {log:q} 2>&1"


rule atac_mark:
    """Mark the duplicates of a BAM file that the samples table names, and index it."""
    input:
        bam=lambda wildcards: experiment.files(wildcards.sample, "bam"),
        code=library("atac/reads", "atac/tools"),
    output:
        bam=f"{A}/bam/{{sample}}.bam",
        index=f"{A}/bam/{{sample}}.bam.bai",
        marked=f"{A}/qc/{{sample}}.markdup.txt",
    wildcard_constraints:
        sample=experiment.among("bam"),
    priority: 2
    conda:
        "../../envs/align.yaml"
    threads: experiment.setting("threads") or 1
    resources:
        **asks(2000, 15, per_gb=15, per_thread=1000),
    params:
        logs=lambda wildcards, output: str(Path(output.marked).parent),
    shell:
        "python -m proformer atac mark --bam {input.bam:q} --sample {wildcards.sample} --out {output.bam:q}"
        " --logs {params.logs:q} --threads {threads} > {log:q} 2>&1"


rule atac_fragments:
    """Filter: proper pairs, mapping quality, no duplicates, wanted contigs, off the blacklist; counted step by step."""
    input:
        source=lambda wildcards: experiment.before_fragments(wildcards.sample),
        genome=rules.atac_genome.output,
        blacklist=experiment.side_file("blacklist"),
        code=library("atac/fragments", "atac/contigs", "atac/tools"),
    output:
        fragments=f"{A}/fragments/{{sample}}.bed.gz",
        counts=f"{A}/qc/{{sample}}.filtering.tsv",
    priority: 2
    conda:
        "../../envs/align.yaml"
    threads: experiment.setting("threads") or 1
    resources:
        **asks(3000, 15, per_gb=15),
    params:
        source=lambda wildcards: (
            "--fragments" if experiment.samples[wildcards.sample]["kind"] == "fragments" else "--bam"
        ),
        shifted=lambda wildcards: option("--shifted", experiment.samples[wildcards.sample]["shifted"]),
        mapq=experiment.setting("mapq"),
        exclude=option("--exclude", experiment.setting("exclude_contigs")),
        blacklist=option("--blacklist", experiment.side_file("blacklist")),
        names=option("--contig-names", experiment.setting("contig_names")),
    shell:
        "python -m proformer atac fragments {params.source} {input.source:q} --genome {input.genome[0]:q}"
        " --sample {wildcards.sample} --mapq {params.mapq} {params.shifted} {params.exclude} {params.blacklist}"
        " {params.names} --out {output.fragments:q} --counts {output.counts:q} --threads {threads} > {log:q} 2>&1"


rule atac_pool:
    """Merge the fragments of all replicates into one sorted file."""
    input:
        fragments=experiment.fragments,
        code=library("atac/fragments", "atac/tools"),
    output:
        f"{A}/pooled.bed.gz",
    priority: 2
    conda:
        "../../envs/align.yaml"
    threads: experiment.setting("threads") or 1
    resources:
        **asks(3000, 15, per_gb=20),
    shell:
        "python -m proformer atac pool --fragments {input.fragments:q} --out {output:q} --threads {threads}"
        " > {log:q} 2>&1"


rule atac_lengths:
    """Count the fragments of each library by length, before any peak: does it look like ATAC-seq?"""
    input:
        fragments=experiment.fragments,
        code=library("atac/lengths", "atac/fragments"),
    output:
        f"{T}/fragment_lengths.tsv",
    log:
        f"{R}/logs/atac/lengths.log",
    benchmark:
        f"{R}/benchmarks/atac/lengths.tsv"
    conda:
        "../../envs/atac.yaml"
    resources:
        **asks(1000, 15, per_gb=20),
    params:
        samples=option("--samples", [*experiment.samples]),
    shell:
        "python -m proformer atac lengths --fragments {input.fragments:q} {params.samples} --out {output:q}"
        " > {log:q} 2>&1"


rule atac_peaks:
    """Call peaks and their summits with MACS2, from fragments as the authors' lab does or from Tn5's cut sites."""
    input:
        fragments=rules.atac_pool.output,
        lengths=rules.atac_lengths.output,
        genome=rules.atac_genome.output.table,
        code=library("atac/peaks", "atac/tools"),
    output:
        multiext(f"{A}/peaks/atac_", "peaks.narrowPeak", "peaks.xls", "summits.bed"),
    priority: 2
    resources:
        **asks(2000, 15, per_gb=120, per_mb=16),
    params:
        mode=experiment.setting("peaks"),
        exclude=option("--exclude", experiment.setting("exclude_contigs")),
        size=option("--genome-size", experiment.setting("effective_genome_size")),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m proformer atac peaks --fragments {input.fragments:q} --mode {params.mode}"
        " --genome-table {input.genome:q} {params.exclude} {params.size} --out {params.folder:q} > {log:q} 2>&1"


rule atac_signal:
    """Pile fragments or cut sites (+4/-5) up, per million of them, into a bigWig."""
    input:
        fragments=rules.atac_pool.output,
        genome=rules.atac_genome.output,
        code=library("atac/signal", "atac/fragments"),
    output:
        f"{A}/signal.bw",
    priority: 2
    resources:
        **asks(8000, 15, per_gb=60),
    params:
        mode=experiment.setting("signal"),
    shell:
        "python -m proformer atac signal --fragments {input.fragments:q} --genome {input.genome[0]:q}"
        " --mode {params.mode} --out {output:q} > {log:q} 2>&1"


rule atac_windows:
    """Draw windows around the summits, with the signal of their centres as targets, into an encoded store."""
    input:
        peaks=experiment.peaks,
        signal=experiment.signal,
        genome=rules.atac_genome.output,
        blacklist=experiment.side_file("blacklist"),
        code=library("atac/windows", "atac/signal", "atac/contigs", "atac/peaks", "sequences", "datasets/store"),
    output:
        store=f"{A}/windows.safetensors",
        counts=f"{T}/windows.tsv",
    priority: 2
    resources:
        **asks(4000, 30),
    params:
        windows=" ".join(
            f"--{name.replace('_', '-')} {value}" for name, value in (experiment.setting("windows") or {}).items()
        ),
        blacklist=option("--blacklist", experiment.side_file("blacklist")),
        names=option("--contig-names", experiment.setting("contig_names")),
    shell:
        "python -m proformer atac windows --peaks {input.peaks:q} --signal {input.signal:q} --genome {input.genome[0]:q}"
        " {params.windows} {params.blacklist} {params.names} --out {output.store:q} --counts {output.counts:q}"
        " > {log:q} 2>&1"


rule atac_quality:
    """Tables of quality, and those behind the figures: FRiP, signal around summits, a locus, TSSs, recall."""
    input:
        fragments=experiment.fragments,
        pooled=experiment.pooled,
        peaks=experiment.peaks,
        signal=experiment.signal,
        windows=rules.atac_windows.output.store,
        genome=rules.atac_genome.output,
        annotation=experiment.side_file("annotation"),
        regions=f"{R}/data/simulated_atac/regions.bed" if experiment.simulated else [],
        code=library("atac/quality", "atac/signal", "atac/fragments"),
    output:
        [f"{T}/{name}.tsv" for name in experiment.quality],
    resources:
        **asks(6000, 15, per_gb=20),
    params:
        fragments=option("--fragments", experiment.fragments),
        samples=option("--samples", [*experiment.samples] if experiment.fragments else []),
        pooled=option("--pooled", experiment.pooled),
        annotation=option("--annotation", experiment.side_file("annotation")),
        regions=lambda wildcards, input: option("--regions", input.regions),
        names=option("--contig-names", experiment.setting("contig_names")),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m proformer atac quality {params.fragments} {params.samples} {params.pooled} --peaks {input.peaks:q}"
        " --signal {input.signal:q} --windows {input.windows:q} --genome {input.genome[0]:q} {params.annotation}"
        " {params.regions} {params.names} --out {params.folder:q} > {log:q} 2>&1"


rule atac_counts:
    """Join the counts of all libraries: what became of the pairs when aligned, or when filtered."""
    input:
        lambda wildcards: [
            f"{A}/qc/{name}.{wildcards.step}.tsv"
            for name in (experiment.reads if wildcards.step == "alignment" else experiment.samples)
        ],
    output:
        f"{T}/{{step}}.tsv",
    wildcard_constraints:
        step="alignment|filtering",
    conda:
        "../../envs/python.yaml"
    shell:
        "python -m proformer join --tables {input:q} --out {output:q} > {log:q} 2>&1"


rule atac_tools:
    """Which version of which program ran in which step, as each job wrote it to its log."""
    input:
        rules.atac_windows.output.store,
        experiment.fragments,
        code=library("atac/steps"),
    output:
        f"{T}/tools.tsv",
    params:
        logs=f"{R}/logs/atac",
    shell:
        "python -m proformer atac tools --logs {params.logs:q} --out {output:q} > {log:q} 2>&1"


rule atac_multiqc:
    """One page over the tools' own logs, where MultiQC is installed: fastp, Bowtie2, samtools markdup, MACS2."""
    input:
        [f"{A}/qc/{name}.{log}" for name in experiment.reads for log in ("bowtie2.txt", "markdup.txt")],
        [f"{A}/qc/{name}.fastp.json" for name in experiment.reads if experiment.setting("trim")],
        [] if experiment.finished else f"{A}/peaks/atac_peaks.xls",
    output:
        report(
            f"{A}/multiqc.html",
            caption="../report/multiqc.rst",
            category="Figure 3",
            subcategory="Quality",
            labels={"figure": "tools' logs (MultiQC)"},
        ),
    conda:
        "../../envs/multiqc.yaml"
    resources:
        **asks(2000, 15),
    params:
        folder=lambda wildcards, output: str(Path(output[0]).parent),
        missing=ROOT / "workflow/report/no_multiqc.html",
        # Once it is installed, the page is made again.
        installed=shutil.which("multiqc") is not None,
    shell:
        "(python -m proformer.provenance multiqc && if command -v multiqc > /dev/null; then"
        " echo \"# version multiqc $(multiqc --version | awk '{{print $NF}}')\" &&"
        " multiqc --force --no-data-dir --no-version-check --outdir {params.folder:q} --filename multiqc.html {input:q};"
        " else echo 'MultiQC is not installed (make multiqc)' && cp {params.missing:q} {output:q}; fi) > {log:q} 2>&1"
