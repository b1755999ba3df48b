"""What a row has found: a number for each program and run, and what we aim at."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Aim:
    """A bound on the ratio to a program, or on the number itself (against: None)."""

    bound: float
    against: str = None
    at_least: bool = False
    dominates: str = ""  # what the figure is made of: said where the aim is missed

    def is_met(self, value):
        return value >= self.bound if self.at_least else value <= self.bound


@dataclasses.dataclass
class Finding:
    title: str
    unit: str
    samples: dict  # {program: [a number for each run]}
    aim: Aim = None
    subject: str = "evenpost"
    also: tuple = ()  # programs that the subject is held against, without an aim

    def median(self, program):
        return statistics.median(self.samples[program])

    def rivals(self):
        """Whom the subject is held against; first of all the one of the aim."""
        aimed = (self.aim.against,) if self.aim and self.aim.against else ()
        return aimed + self.also

    def ratios(self, against):
        """Of each pair of runs that followed one another."""
        pairs = zip(self.samples[self.subject], self.samples[against])
        return [ours / theirs for ours, theirs in pairs]

    def aimed_at(self):
        """The numbers that the aim is a bound on."""
        if self.aim.against is None:
            return self.samples[self.subject]
        return self.ratios(self.aim.against)

    def is_met(self):
        """None where there is no aim."""
        if self.aim is None:
            return None
        return self.aim.is_met(statistics.median(self.aimed_at()))


@dataclasses.dataclass
class Result:
    """Of one row: its findings, what else is worth a look, and failed messages."""

    name: str
    findings: list
    beside: list = dataclasses.field(default_factory=list)
    failed: dict = dataclasses.field(default_factory=dict)  # {program: messages}
