"""How good predictions are, and how they compare with what was published (`PUBLISHED`)."""

from pathlib import Path

PUBLISHED = Path(__file__).with_name("published")
