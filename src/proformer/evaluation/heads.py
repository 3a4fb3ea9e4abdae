"""How Proformers are called by their heads, in tables and figures; and the paper's numbers on its models of Fig. 4b."""

import re
from collections.abc import Iterable

import pandas as pd

from proformer.evaluation import PUBLISHED
from proformer.files import read_table


def head_of(model: dict[str, object]) -> str:
    """The head of a configuration as the paper's tables call it: "AP", "32", "32+GLU"."""
    head = model.get("head", "meh")
    return "AP" if head == "ap" else f"{model.get('expression_heads', 32)}" + ("+GLU" if head == "glu" else "")


def head_title(head: str) -> str:
    """A head as figures call it: AP, H = 32, H = 32 + GLU."""
    return head if head == "AP" else "H = " + head.replace("+", " + ")


def head_order(heads: Iterable[str]) -> list[str]:
    """Sort heads: AP, then by number of expression heads, plain before its variants (`32` before `32+GLU`)."""

    def key(head: str) -> tuple[int, str]:
        digits = head.split("+")[0]
        return (-1 if head == "AP" else int(digits) if digits.isdigit() else 10**9, head)

    return sorted(set(heads), key=key)


def published_scores() -> pd.DataFrame:
    """Return the paper's Fig. 4b: head, measure, value; r, which it does not print, as the root of r² (`derived`)."""
    table = read_table(PUBLISHED / "scores.tsv")
    roots = table[table["measure"] == "r2"].assign(measure="pearson", value=lambda t: t["value"] ** 0.5, derived=True)
    return pd.concat([table.assign(derived=False), roots], ignore_index=True)[["head", "measure", "value", "derived"]]


def without_seed(model: str) -> str:
    """The name of a model without the seed of its run: "AP" of "AP (seed 1)"."""
    return model.removesuffix(f" (seed {seed_of(model)})")


def published_head(name: str) -> str | None:
    """The published model that a run's is compared with: the paper's 32 heads for any number above one."""
    found = re.fullmatch(r"(AP)|H = (\d+)( \+ GLU)?", name)
    if not found:
        return None
    return "AP" if found[1] else (found[2] if found[2] == "1" else "32") + ("+GLU" if found[3] else "")


def seed_of(model: str) -> str:
    """The seed in a model's name, "1" of "AP (seed 1)"; empty when there is none."""
    found = re.search(r" \(seed (\d+)\)$", model)
    return found[1] if found else ""
