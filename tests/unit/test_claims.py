from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from proformer.cli import main
from proformer.errors import InputError
from proformer.evaluation.claims import CONTRADICTS, SIMULATED, SUPPORTS, UNDECIDED, claims_on, to_html
from proformer.evaluation.grid_claims import report_card
from proformer.evaluation.statistics import published_grid
from proformer.files import read_table, write_table

PUBLISHED = published_grid()
DREAM = published_grid("dream")


def verdicts(run: pd.DataFrame, dataset: str = "dream") -> dict[str, str]:
    return report_card(run.head(1), run, dataset).set_index("claim")["verdict"].to_dict()


def reason(run: pd.DataFrame, claim: str) -> str:
    return report_card(run.head(1), run).set_index("claim").loc[claim, "reason"]


def seeded(grid: pd.DataFrame, n: int, sd: float = 0.001, **columns: object) -> pd.DataFrame:
    noise = np.random.default_rng(7)
    runs = [grid.assign(seed=seed, r=grid["r"] + sd * noise.normal(size=len(grid)), **columns) for seed in range(n)]
    return pd.concat(runs, ignore_index=True)


def small(effect: float = 0.01, seeds: int = 1, pooled_deep: float = 0.4) -> pd.DataFrame:
    """A grid of the demo's kind: widths 8, 16, 32; 1, 2, 4 blocks; AP, 1, 4, 8."""
    noise = np.random.default_rng(0)
    rows = [
        ("dream", d, d // 8, b, head, seed, 0.4 + effect * (np.log2(d) + b) + 0.001 * noise.normal(), 2000)
        for d in (8, 16, 32)
        for b in (1, 2, 4)
        for head in ("AP", "1", "4", "8")
        for seed in range(seeds)
    ]
    grid = pd.DataFrame(rows, columns=["dataset", "dim", "heads", "blocks", "head", "seed", "r", "n_train"])
    deep = (grid["head"] == "AP") & (grid["blocks"] == 4) & (grid["dim"] > 8)
    return grid.assign(r=grid["r"].where(~deep, pooled_deep))


# What the paper's table says of its claims on Figure 2: the last, of a single head, it does not bear out.
WITH_ITSELF = [SUPPORTS] * (len(claims_on("2")) - 1) + [UNDECIDED]


def test_the_paper_supports_itself():
    card = report_card(PUBLISHED, PUBLISHED)
    assert list(card["claim"]) == [claim.id for claim in claims_on("2")]
    assert card["verdict"].tolist() == WITH_ITSELF, card[["claim", "verdict", "reason"]]
    assert (card["published"] == card["run"]).all()
    text = card.set_index("claim")
    assert "p = 0.0382 (one-sided" in text.loc["6.1", "run"]
    assert "two-sided p = 0.0765, not significant" in text.loc["6.1", "reason"]
    assert "72 points (widths 64, 128, 256; blocks 1, 2, 4, 8), 1 run each" in text.loc["5", "reason"]


def test_a_repeated_run_of_the_same_values_supports_too():
    same = seeded(DREAM, 3, sd=0.0, n_train=674_000)
    assert [*verdicts(same).values()] == WITH_ITSELF
    assert "3 runs each, 674,000 training sequences" in reason(same, "1.1")


def test_everything_upside_down_contradicts():
    inverted = seeded(DREAM.assign(r=1.2 - DREAM["r"]), 3, sd=0.0, n_train=674_000)
    found = verdicts(inverted)
    assert {found[claim] for claim in ("1.1", "1.4", "4.1", "4.2", "6.1", "3.1")} == {CONTRADICTS}
    assert found["3.2"] == UNDECIDED  # average pooling does not fail, so there is nothing to hold
    assert found["2"] == SUPPORTS


def test_no_effect_claims_are_contradicted_by_significance_only():
    better = DREAM.assign(r=DREAM["r"].where(DREAM["head"] != "1", 0.73))
    assert verdicts(better)["2"] == CONTRADICTS
    deeper = DREAM.assign(r=DREAM["r"] + 0.02 * (DREAM["blocks"] == 8) * ~DREAM["head"].isin(["AP", "1"]))
    assert verdicts(deeper)["5"] == CONTRADICTS
    wider = DREAM.assign(r=DREAM["r"] + 0.02 * (DREAM["dim"] > 64))
    assert (verdicts(wider)["6.2"], verdicts(wider)["6.3"]) == (CONTRADICTS, SUPPORTS)
    headed = DREAM.assign(r=DREAM["r"] + 0.05 * (DREAM["head"] == "64"))
    assert verdicts(headed)["7"] == CONTRADICTS


def test_small_run_is_not_over_read():
    found = verdicts(small())
    undecided = {"1.2", "1.3", "1.4", "2", "3.1", "3.2", "5", "6.2", "6.3", "7", "8", "9"}
    assert {claim for claim, verdict in found.items() if verdict == UNDECIDED} >= undecided
    assert found["4.1"] == found["4.2"] == SUPPORTS
    assert CONTRADICTS not in found.values()
    assert "9 points" in report_card(PUBLISHED, small()).set_index("claim").loc["2", "run"]
    assert "lacks blocks 4 or 8" in reason(small(), "5")
    assert "2,000 training sequences" in reason(small(), "5")


def test_analogy_is_named():
    run = small(effect=0.02)
    wide = run.assign(r=run["r"] + 0.003 * run["dim"])
    assert verdicts(wide)["6.1"] == SUPPORTS
    assert "by analogy, the run's smallest against its largest width instead of 64 and 256" in reason(wide, "6.1")
    narrow = run.assign(r=run["r"] - 0.006 * run["dim"])
    assert verdicts(narrow)["6.1"] == CONTRADICTS
    failing = small(pooled_deep=0.02)
    assert verdicts(failing)["3.1"] == verdicts(failing)["3.2"] == SUPPORTS
    assert "largest, deepest points (width 16 and 32, 4 blocks)" in reason(failing, "3.1")


def test_failures_need_the_papers_scale_to_contradict():
    healthy = DREAM.assign(r=DREAM["r"].clip(lower=0.7))
    assert verdicts(healthy)["3.1"] == UNDECIDED
    assert verdicts(seeded(healthy, 3, n_train=5_000))["3.1"] == UNDECIDED
    assert verdicts(seeded(healthy, 3, n_train=600_000))["3.1"] == CONTRADICTS
    all_fail = DREAM.assign(r=DREAM["r"].where((DREAM["blocks"] < 8) | (DREAM["dim"] < 128), 0.01))
    assert (verdicts(all_fail)["3.1"], verdicts(all_fail)["3.2"]) == (SUPPORTS, CONTRADICTS)
    one_fails = DREAM.copy()
    one_fails.loc[(one_fails["dim"] == 256) & (one_fails["blocks"] == 8) & (one_fails["head"] == "16"), "r"] = 0.0
    assert verdicts(one_fails)["3.2"] == UNDECIDED


def test_a_run_that_learned_nothing_decides_nothing():
    assert set(verdicts(DREAM.assign(r=DREAM["r"] / 10)).values()) == {UNDECIDED}
    assert set(verdicts(DREAM.assign(r=np.nan)).values()) == {UNDECIDED}


def test_best_point_needs_seeds_to_be_contradicted():
    other = DREAM.copy()
    other.loc[(other["dim"] == 64) & (other["blocks"] == 1) & (other["head"] == "8"), "r"] = 0.8
    assert verdicts(other)["8"] == UNDECIDED
    assert verdicts(seeded(other, 4))["8"] == CONTRADICTS


@pytest.mark.parametrize(
    "run",
    [
        DREAM.head(1),
        DREAM[(DREAM["dim"] == 64) & (DREAM["blocks"] == 1)],
        DREAM[(DREAM["dim"] == 64) & (DREAM["head"] == "32")],
    ],
    ids=["one row", "one size", "one head"],
)
def test_degenerate_runs_decide_nothing(run):
    assert set(verdicts(run).values()) == {UNDECIDED}


def test_atac_lacks_the_points_for_no_effect():
    found = verdicts(published_grid("atac"), "atac")
    assert (found["2"], found["6.1"], found["6.2"]) == (UNDECIDED, SUPPORTS, CONTRADICTS)


def test_html_is_whole_and_escaped():
    card = report_card(PUBLISHED, PUBLISHED)
    card.loc[0, "reason"] = "<script>x</script> & " + "long" * 40

    class Cells(HTMLParser):
        rows, scripts, text, cell = 0, 0, "", []

        def handle_starttag(self, tag, attrs):
            assert tag not in ("img", "link")
            self.scripts += tag == "script"
            self.rows += tag == "tr"
            self.text = "" if tag == "td" else self.text

        def handle_data(self, data):
            self.text += data

        def handle_endtag(self, tag):
            if tag == "td":
                self.cell.append(self.text)

    parser = Cells()
    parser.feed(to_html(card))
    assert (parser.rows, parser.scripts) == (len(card) + 1, 1)  # the page's own script
    assert parser.cell == card.astype(str).to_numpy().ravel().tolist()


def test_bad_input():
    with pytest.raises(InputError, match="dataset mouse: found no rows"):
        report_card(PUBLISHED, DREAM, "mouse")
    with pytest.raises(InputError, match="no column r"):
        report_card(PUBLISHED, DREAM.drop(columns="r"))


def test_verbs_write_tables_and_refuse_bad_ones(tmp_path, capsys):
    def run(*arguments: object) -> int:
        return main([*map(str, arguments)])

    write_table(tmp_path / "grid.tsv", DREAM)
    outputs = [word for name in ("tests", "means", "spread") for word in (f"--{name}", tmp_path / f"{name}.tsv")]
    assert run("test-grid", "--grid", tmp_path / "grid.tsv", *outputs) == 0
    assert len(read_table(tmp_path / "tests.tsv")) == 5 + 2 * (6 + 3 + 6)
    assert len(read_table(tmp_path / "means.tsv")) == 4 + 3 + 4
    assert len(read_table(tmp_path / "spread.tsv")) == 72
    card = ("--out", tmp_path / "card.tsv", "--html", tmp_path / "card.html")
    assert run("report-card", "--run", tmp_path / "grid.tsv", *card) == 0
    assert read_table(tmp_path / "card.tsv")["verdict"].tolist() == WITH_ITSELF
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")
    write_table(tmp_path / "twice.tsv", pd.concat([DREAM, DREAM]))
    (tmp_path / "empty.tsv").touch()
    none = ("--out", tmp_path / "no.tsv", "--html", tmp_path / "no.html")
    for table, message in (("twice", "found a run twice (dataset dream, dim 64"), ("empty", "found no table")):
        assert run("report-card", "--run", tmp_path / f"{table}.tsv", *none) == 2
        error = capsys.readouterr().err
        assert f"{table}.tsv" in error
        assert message in error
        assert not list(tmp_path.glob("no.*"))


@pytest.mark.parametrize("r", [DREAM["r"], 1.2 - DREAM["r"]])  # supports most claims, contradicts most
def test_simulated_data_neither_support_nor_contradict_the_paper(r):
    runs = seeded(DREAM.assign(r=r), 3, n_train=670_000)
    real, simulated = (report_card(PUBLISHED, runs, simulated=flag) for flag in (False, True))
    assert {SUPPORTS, CONTRADICTS} & set(real["verdict"])
    assert simulated["verdict"].tolist() == [SIMULATED[verdict] for verdict in real["verdict"]]
    assert not simulated["verdict"].str.contains(f"{SUPPORTS}|{CONTRADICTS}").any()
    assert (simulated["published_verdict"] == real["published_verdict"]).all()
    page = to_html(simulated)
    assert CONTRADICTS not in page
    assert f"{SIMULATED[UNDECIDED]}: {(real['verdict'] == UNDECIDED).sum()}" in page


def test_the_score_card_takes_its_verdicts_as_simulated(tmp_path, monkeypatch):
    names = {"model_a": "H = 32 (seed 1)", "model_b": "AP (seed 1)", "subset": "score"}
    rows = [
        {**names, "measure": measure, "difference": 0.1, "low": 0.05, "high": 0.2}
        for measure in ("pearson_score", "spearman_score")
    ]
    many = [{**row, **{side: row[side].replace("1)", f"{s})") for side in ("model_a", "model_b")}}
            for row in rows for s in (1, 2, 3)]  # fmt: skip
    write_table(tmp_path / "differences.tsv", pd.DataFrame(many))
    monkeypatch.chdir(tmp_path)
    words = ["--figure", "4", "--run", "differences.tsv", "--out", "card.tsv", "--html", "card.html"]
    for flag, verdict in (([], SUPPORTS), (["--simulated"], SIMULATED[SUPPORTS])):
        assert main(["report-card", *words, *flag]) == 0
        card = read_table(tmp_path / "card.tsv").set_index("claim")
        assert card.loc[4.2, "verdict"] == verdict
