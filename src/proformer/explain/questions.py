"""What is asked of models that are explained; reading this imports no PyTorch."""

from dataclasses import dataclass

from proformer.settings import Attribution, Count, CountOrZero, Designer, Expression, Goal, Null, Nulls, Pair, Pattern

MATCHED = 0.1  # q value of a filter's nearest motif


@dataclass(frozen=True)
class Study:
    """What is asked of models; see `explain:` in config.yaml.

    task: that is explained (None: the first). attributed: models of which attribution alone is asked, by their runs.
    sequences: whose predictions are attributed. methods: of attribution. logos: sequences that are drawn. null: how
    backgrounds are made, one way or several. backgrounds: how many. patterns: whose importance is measured, at
    positions `every` so many nt, and in copies. flanks: a pattern whose dots take all letters. pair: two patterns at
    distances half as far apart. occlude: a regular expression. designs: sequences that are designed.
    designers: by which methods. edits: most of a design. goal: of designs.
    """

    task: str | None = None
    attributed: tuple[str, ...] = ()
    sequences: Count = 16
    methods: tuple[Attribution, ...] = ("ism", "gradient", "integrated")
    logos: Count = 2
    null: Nulls = "dinucleotide"
    backgrounds: Count = 32
    patterns: tuple[Pattern, ...] = ()
    every: Count = 6
    flanks: Pattern | None = None
    pair: Pair | None = None
    occlude: Expression | None = None
    designs: CountOrZero = 4
    designers: tuple[Designer, ...] = ("greedy", "evolution")
    edits: Count = 4
    goal: Goal = "max"

    @property
    def nulls(self) -> tuple[Null, ...]:
        """How backgrounds are made: all ways."""
        return (self.null,) if isinstance(self.null, str) else self.null

    @property
    def asks_for_importance(self) -> bool:
        """Whether there is an experiment with patterns."""
        return bool(self.patterns or self.flanks or self.pair or self.occlude)
