"""Rates of this machine, as `proformer plan` reads them."""

import pandas as pd

from proformer.planning.rates import measured


def test_rates_feed_the_plan(proformer, tmp_path):
    out = tmp_path / "rates.tsv"
    done = proformer("benchmark", "--out", out, "--device", "cpu", "--threads", 1, "--shapes", "8/1/1", "16/2/1")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out, sep="\t")
    assert list(table["dim"]) == [8, 16]
    assert (table[["sequences_per_second", "gemm_flops_per_second", "bytes_per_second"]] > 0).all(axis=None)
    rate = measured(out).speed(table["training_flops"][1])
    assert abs(rate / table["sequences_per_second"][1] - 1) < 1e-6


def test_impossible_shapes(proformer, tmp_path):
    done = proformer("benchmark", "--out", tmp_path / "rates.tsv", "--shapes", "64x2")
    assert (done.returncode, (tmp_path / "rates.tsv").exists()) == (2, False)
    assert "expected width/heads/blocks" in done.stderr
