"""How good predictions are, and how they compare with what was published (`PUBLISHED`)."""

from pathlib import Path

PUBLISHED = Path(__file__).with_name("published")
FIGURE_5 = {"native_61150": "5a", "random_2954": "5b"}  # its evaluation sets, by their names in published/peers.tsv
