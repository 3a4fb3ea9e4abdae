"""What is asked of models that are explained; reading this imports no PyTorch."""

from dataclasses import dataclass

from proformer.settings import Attribution, Count, CountOrZero, Expression, Goal, Null, Pair, Pattern

MATCHED = 0.1  # q value of a filter's nearest motif


@dataclass(frozen=True)
class Study:
    """What is asked of models; see `explain:` in config.yaml.

    task: that is explained (None: the first). sequences: whose predictions are attributed. methods: of attribution.
    logos: sequences that are drawn. null: how backgrounds are made. backgrounds: how many. patterns: whose importance
    is measured, at positions `every` so many nt, and in copies. flanks: a pattern whose dots take all letters. pair:
    two patterns at all distances. occlude: a regular expression. designs: sequences that are designed. edits: most of
    a design. goal: of designs.
    """

    task: str | None = None
    sequences: Count = 16
    methods: tuple[Attribution, ...] = ("ism", "gradient", "integrated")
    logos: Count = 2
    null: Null = "dinucleotide"
    backgrounds: Count = 32
    patterns: tuple[Pattern, ...] = ()
    every: Count = 6
    flanks: Pattern | None = None
    pair: Pair | None = None
    occlude: Expression | None = None
    designs: CountOrZero = 4
    edits: Count = 4
    goal: Goal = "max"

    @property
    def asks_for_importance(self) -> bool:
        """Whether there is an experiment with patterns."""
        return bool(self.patterns or self.flanks or self.pair or self.occlude)
