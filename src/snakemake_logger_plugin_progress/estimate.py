"""What a run has done, does now and has yet to do, and how long that takes."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

TARGET_RULE = "all"  # by convention: runs nothing, so takes no time


@dataclass(frozen=True)
class Job:
    """One running job: its rule, how it is named to the reader, and when it started (seconds)."""

    rule: str
    name: str
    start: float


class Estimate:
    """The state of a run. All times are seconds on one clock, which the caller reads."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0
        self.running: dict[int, Job] = {}
        self._waiting: Counter[str] = Counter()
        self._durations: defaultdict[str, list[float]] = defaultdict(list)
        self._first = 0.0

    def plan(self, jobs_per_rule: Mapping[str, int]) -> None:
        """Take the number of jobs to run of each rule, as known at the start."""
        self._waiting = Counter(jobs_per_rule)
        self.total = self._waiting.total()

    def start(self, number: int, rule: str, name: str, now: float) -> None:
        """A job has started, or has been submitted; also again after a failure."""
        self._first = self._first or now
        self._waiting[rule] -= 1
        self.running[number] = Job(rule, name, now)

    def finish(self, number: int, now: float) -> tuple[str, float]:
        """A job has ended well: its name and how long it took."""
        self.done += 1
        job, seconds = self._end(number, now)
        self._durations[job.rule].append(seconds)
        return job.name, seconds

    def fail(self, number: int, now: float) -> tuple[str, float]:
        """A job has failed; it may start again: its name and how long it took."""
        job, seconds = self._end(number, now)
        self._waiting[job.rule] += 1
        return job.name, seconds

    def left(self, now: float) -> tuple[float, int]:
        """The time left, and how many of the jobs left are not in it because no job of their rule has finished yet.

        A job takes as long as the finished jobs of its rule did on average, and as many jobs run side by side as did
        until now.
        """
        work = longest = 0.0
        untimed = 0
        elapsed: defaultdict[str, list[float]] = defaultdict(list)
        for job in self.running.values():
            elapsed[job.rule].append(now - job.start)
        for rule in self._waiting.keys() | elapsed.keys():
            waiting = max(self._waiting[rule], 0)
            if durations := self._durations.get(rule):
                mean = sum(durations) / len(durations)
                rest = [max(mean - seconds, 0.0) for seconds in elapsed[rule]] + [mean] * waiting
                work += sum(rest)
                longest = max(longest, *rest, 0.0)
            elif rule != TARGET_RULE:
                untimed += waiting + len(elapsed[rule])
        busy = sum(map(sum, self._durations.values())) + sum(map(sum, elapsed.values()))
        side_by_side = max(busy / max(now - self._first, 1e-9), 1.0)
        return max(longest, work / side_by_side), untimed

    def _end(self, number: int, now: float) -> tuple[Job, float]:
        job = self.running.pop(number, None) or Job("", f"job {number}", now)
        return job, now - job.start
