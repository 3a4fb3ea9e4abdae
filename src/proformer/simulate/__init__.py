"""Simulated promoters and ATAC-seq experiments with known causes: the data of the embedded demo."""
