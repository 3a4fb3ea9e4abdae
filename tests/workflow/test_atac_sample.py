"""The three yeast libraries, held against a run of the same tools by hand (docs/atac.md)."""

import os

import pandas as pd
import pytest
from checkouts import checkout, snakemake_in


@pytest.mark.slow
@pytest.mark.skipif("PROFORMER_MIRROR" not in os.environ, reason="PROFORMER_MIRROR names no folder with public files")
def test_real_reads_give_the_numbers_of_a_run_by_hand(root, tmp_path):
    folder = checkout(root, tmp_path)
    run = snakemake_in(folder)
    tables = [f"results/sample/tables/atac/{name}.tsv" for name in ("alignment", "filtering", "peaks")]
    sample = ("--configfile", "config/sample.yaml")
    done = run(*sample, "--config", f"mirror={os.environ['PROFORMER_MIRROR']}", "--", *tables)
    assert done.returncode == 0, done.stdout + done.stderr
    alignment, filtering, peaks = (pd.read_csv(folder / path, sep="\t") for path in tables)
    rates = alignment[alignment["step"].str.startswith("overall")].set_index("sample")["share"]
    assert rates.to_dict() == pytest.approx({"A": 0.7833, "B": 0.79, "C": 0.8847}, abs=0.01)
    on_vii = filtering.groupby("sample")["count"].last().sum()  # all other contigs are excluded
    assert 10_000 < on_vii < 10_600
    assert 85 < peaks.set_index("what")["count"]["peaks"] < 120
    (folder / "cuts.yaml").write_text("atac: {peaks: cutsites}\n")
    done = run(*sample, "cuts.yaml", "--config", f"mirror={os.environ['PROFORMER_MIRROR']}", "--", tables[2])
    assert done.returncode == 0, done.stdout + done.stderr
    summits = pd.read_csv(folder / tables[2], sep="\t").set_index("what")["count"]["summits"]
    assert 150 < summits < 250
