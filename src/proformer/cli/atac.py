"""`proformer atac STEP`: ATAC-seq from reads to windows, one step at a time."""

STEPS = (
    *("genome", "index", "check", "trim", "align", "mark", "fragments", "pool", "lengths", "peaks", "signal"),
    *("windows", "quality", "tools"),
)  # functions of `proformer.atac.steps`


def atac() -> None:
    """Take an ATAC-seq experiment from reads to windows, step by step.

    examples (a whole experiment, step by step):
      proformer atac genome --genome R64.fa.gz --out genome.fa --table genome.tsv
      proformer atac index --genome genome.fa --out index/genome
      proformer atac check --reads A_1.fastq.gz A_2.fastq.gz --out A.pairs.tsv --sample A
      proformer atac trim --reads A_1.fastq.gz A_2.fastq.gz --out A_1.cut.fastq.gz A_2.cut.fastq.gz --report A.json
      proformer atac align --reads A_1.cut.fastq.gz A_2.cut.fastq.gz --index index/genome --sample A --out A.bam \\
          --logs logs
      proformer atac fragments --bam A.bam --genome genome.fa --sample A --out A.bed.gz --counts A.tsv --exclude Mito
      proformer atac pool --fragments A.bed.gz B.bed.gz --out pooled.bed.gz
      proformer atac peaks --fragments pooled.bed.gz --genome-table genome.tsv --out peaks
      proformer atac signal --fragments pooled.bed.gz --genome genome.fa --out signal.bw
      proformer atac windows --peaks peaks/atac_peaks.narrowPeak --signal signal.bw --genome genome.fa \\
          --out windows.safetensors
    `proformer atac STEP --help` says what a step takes.
    """
