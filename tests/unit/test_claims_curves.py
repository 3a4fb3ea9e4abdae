"""The claims on Figure 4a: which epochs decide them, and which do not."""

import pandas as pd
import pytest

from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED
from proformer.evaluation.claims_curves import report_card


def curves(best: dict[tuple[str, int], int], last: int = 9, gain: float = 0.1) -> pd.DataFrame:
    """Validation r by head and seed, which is highest after an epoch; that of several heads is higher by `gain`."""
    rows = []
    for (head, seed), top in best.items():
        for epoch in range(1, last + 1):
            r = 0.5 - 0.01 * abs(epoch - top) + (gain if head != "AP" else 0)
            rows.append({"head": head, "seed": seed, "epoch": epoch, "validation_r": r})
    return pd.DataFrame(rows)


def verdicts(table: pd.DataFrame | None) -> list[str]:
    return report_card(table)["verdict"].tolist()


def of_three(*epochs: int, **more) -> pd.DataFrame:
    return curves({(head, seed): top for head in ("AP", "32") for seed, top in enumerate(epochs)}, **more)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (of_three(6, 6, 6), [SUPPORTS, SUPPORTS]),
        (of_three(6, 5, 6), [UNDECIDED, SUPPORTS]),
        (of_three(5, 7, 4, gain=-0.1), [CONTRADICTS, CONTRADICTS]),
        (of_three(6, 6), [UNDECIDED, UNDECIDED]),
        (of_three(6, 6, 6, last=6), [UNDECIDED, SUPPORTS]),
        (curves({("32", 1): 6, ("32", 2): 6, ("32", 3): 6}), [SUPPORTS, UNDECIDED]),
        (None, [UNDECIDED, UNDECIDED]),
        (pd.DataFrame({"epoch": [1]}), [UNDECIDED, UNDECIDED]),
    ],
)
def test_seeds_that_agree_decide(table, expected):
    assert verdicts(table) == expected


def test_the_most_heads_are_the_final_model():
    table = curves({(head, seed): 6 if head == "8" else 2 for head in ("1", "8", "8+GLU") for seed in (1, 2, 3)})
    assert report_card(table)["run"].iloc[0].startswith("H = 8: 6, 6, 6 of 9")
