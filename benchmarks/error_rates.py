"""How often the study's verdicts are wrong, and how often they find what is there: studies drawn anew, judged by the
functions that the stages call.

    python benchmarks/error_rates.py [--studies 1000] [--seeds 3 10 30]

In a finished study's folder. A drawn study has the spread of the stored predictions: seeds and test examples (months in
runs of twelve) are drawn with replacement from those that were run, every difference moved to a truth that is known:
none, the smallest one that matters, or, of frameworks, the margin.
"""

import argparse
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from rnn_study import config
from rnn_study.behaviour.gradients.quantities import FEWEST_LAGS, arrives
from rnn_study.config import Arrives, Question, Reach, Score, Speed
from rnn_study.model.backend import BACKENDS
from rnn_study.statistics.marks import Scored
from rnn_study.statistics.summary import between_frameworks
from rnn_study.statistics.verdict import Case, judge
from rnn_study.support.progress import ticking
from rnn_study.verdicts.measures import AXIS, Evidence, measure

MONTHS = 12  # of the series are drawn together, for they depend on each other


class Drawn:
    """Studies that are drawn from the finished study `study`, of so many seeds."""

    def __init__(self, study: Evidence, seeds: int, rng: np.random.Generator):
        self.study, self.seeds, self.rng = study, seeds, rng
        # The smallest difference that matters, on the side of the claim, of each question.
        cases = {name: measure(study, asked).case for name, asked in study.config.questions.items()}
        self.smallest = {name: case.expected * case.smallest for name, case in cases.items()}

    def _examples(self, count: int, ordered: bool) -> np.ndarray:
        if not ordered:
            return self.rng.integers(0, count, count)
        starts = self.rng.integers(0, count, -(-count // MONTHS))
        return (starts[:, None] + np.arange(MONTHS)).ravel()[:count] % count

    def _moved(self, difference: np.ndarray, truth: float, ordered: bool) -> np.ndarray:
        """Differences (S, N) with seeds and examples drawn anew, whose mean in truth is `truth`."""
        rows = self.rng.integers(0, len(difference), self.seeds)
        columns = self._examples(difference.shape[1], ordered)
        return (difference - difference.mean() + truth)[rows][:, columns]

    def score(self, asked: Score, truth: float) -> Scored:
        """The contenders of a question, and nothing else, on a test part drawn anew; both frameworks alike."""
        stored = self.study.scored(asked.of)
        other = stored.baselines.get(asked.b)
        b = stored.averaged(asked.b, asked.part) if other is None else other[asked.part]
        moved = self._moved(stored.averaged(asked.a, asked.part) - b, truth, stored.task.ordered)
        nothing = np.zeros_like(moved)
        runs = {asked.a: {asked.part: moved}, asked.b: {asked.part: nothing}}
        if other is None:
            return Scored(stored.task, self.seeds, dict.fromkeys(BACKENDS, runs), {})
        baselines = {asked.b: {asked.part: nothing[0]}}
        return Scored(stored.task, self.seeds, {key: {asked.a: runs[asked.a]} for key in BACKENDS}, baselines)

    def frontier(self, asked: Reach | Speed, truth: float) -> dict[str, Any]:
        """Both contenders from the runs of b, those of a moved by `truth`."""
        stored = self.study.frontier(asked.of)
        of_b = [row for row in stored["runs"] if (row["axis"], row["variant"]) == (AXIS, asked.b)]
        if isinstance(asked, Speed):  # the mean over all runs, of which only the solved ones can move
            truth /= max(np.mean([row["solved"] for row in of_b if row["steps"] in asked.lengths]), 0.1)
        seeds = sorted({row["seed"] for row in of_b})
        runs = []
        for name, shift in ((asked.a, truth), (asked.b, 0.0)):
            for place, seed in enumerate(self.rng.choice(seeds, self.seeds)):
                rows = sorted((row for row in of_b if row["seed"] == seed), key=lambda row: row["steps"])
                runs += [row | {"variant": name, "seed": place} for row in self._shifted(asked, rows, shift)]
        return stored | {"runs": runs}

    @staticmethod
    def _shifted(asked: Reach | Speed, rows: list[dict[str, Any]], shift: float) -> list[dict[str, Any]]:
        if isinstance(asked, Speed):
            return [row | {"updates": row["updates"] + shift * row["solved"]} for row in rows]
        open_ones = [row["steps"] for row in rows if not row["solved"]][: round(shift)]
        return [row | {"solved": row["solved"] or row["steps"] in open_ones} for row in rows]

    def flow(self, asked: Arrives, truth: float) -> np.ndarray:
        stored = self.study.profiles(asked.of)[asked.a][asked.when]["flow"]
        moved = self._moved(arrives(stored) - np.log10(asked.share), truth, ordered=False) + np.log10(asked.share)
        return np.stack([*[np.zeros_like(moved)] * FEWEST_LAGS, moved], axis=-1)  # no error is lost before the last lag

    def case(self, asked: Question, truth: float) -> Case:
        """What a question measures in a drawn study."""
        drawn = SimpleNamespace(config=self.study.config)
        if isinstance(asked, Score):
            drawn.scored = lambda _: self.score(asked, truth)
        elif isinstance(asked, Arrives):
            flow, seeds = self.flow(asked, truth), self.study.config.seeds
            told = {"flow": flow, "seeds": [seeds[place % len(seeds)] for place in range(len(flow))]}
            drawn.profiles = lambda _: {asked.a: {asked.when: told}}
        else:
            drawn.frontier = lambda _: self.frontier(asked, truth)
        return measure(drawn, asked).case

    def verdicts(self, truth: float) -> dict[str, str]:
        """The verdict on every question of a drawn study whose differences are `truth` times the smallest that matter,
        on the side of the claim."""
        questions = self.study.config.questions
        cases = [self.case(asked, truth * self.smallest[name]) for name, asked in questions.items()]
        return {name: found.verdict for name, found in zip(questions, judge(cases), strict=True)}

    def frameworks(self, task: str, margin: float) -> list[str]:
        """The verdicts of equivalence on frameworks that are `margin` apart."""
        stored, (one, other) = self.study.scored(task), BACKENDS
        told = []
        for part in stored.task.tests:
            runs = {one: {}, other: {}}
            for cell in stored.runs[one]:
                gap = stored.runs[one][cell][part] - stored.runs[other][cell][part]
                runs[one][cell] = {part: self._moved(gap, margin, stored.task.ordered)}
                runs[other][cell] = {part: np.zeros_like(runs[one][cell][part])}
            drawn = Scored(stored.task, self.seeds, runs, {})
            told += [close["verdict"] for _, close in between_frameworks(drawn, part, margin)]
        return told


def rate(count: int, studies: int) -> str:
    """A share in per cent with its Monte Carlo standard error."""
    share = count / studies
    return f"{100 * share:.1f} ± {100 * np.sqrt(max(share * (1 - share), 1 / studies) / studies):.1f} %"


def kind(asked: Question, study: Evidence) -> str:
    """The kind of comparison that a question is."""
    if not isinstance(asked, Score):
        return asked.measure
    scored = study.scored(asked.of)
    return "series" if scored.task.ordered else "baseline" if asked.b in scored.baselines else "cells"


def simulate(study: Evidence, seeds: int, studies: int, rng: np.random.Generator) -> dict[str, Counter]:
    """Of so many drawn studies, in how many what happened: `null` and `margin` count wrong verdicts (nothing is there
    but one says so; the smallest difference that matters is there but one says that none is, or the opposite),
    `planted` the questions that are found, by name."""
    drawn, counts = Drawn(study, seeds, rng), {key: Counter() for key in ("null", "margin", "frameworks", "planted")}
    for _ in ticking(range(studies), f"{seeds} seeds"):
        null, there = drawn.verdicts(0.0), drawn.verdicts(1.0)
        wrong = [name for name, word in null.items() if word in ("holds", "opposite")]
        missed = [name for name, word in there.items() if word in ("opposite", "no difference that matters")]
        for key, names in (("null", wrong), ("margin", missed)):
            counts[key].update({*names, *(["any"] if names else [])})
        counts["planted"].update(name for name, word in there.items() if word == "holds")
        told = [
            word
            for task in type(study.config.tasks).model_fields
            for word in drawn.frameworks(task, study.config.task(task).margin)
        ]
        counts["frameworks"].update(["any"] if "equivalent" in told else [])
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 10, 30])
    options = parser.parse_args()
    study, rng = Evidence(config.load()), np.random.default_rng(0)
    found = {seeds: simulate(study, seeds, options.studies, rng) for seeds in options.seeds}
    print(f"| {options.studies} studies | " + " | ".join(f"{seeds} seeds" for seeds in found) + " |")
    print("|---" * (len(found) + 1) + "|")
    rows = [
        ("any wrong verdict, no difference", "null", "any"),
        ("any wrong verdict, smallest difference", "margin", "any"),
    ]
    rows += [("frameworks a margin apart called equivalent", "frameworks", "any")]
    for name, asked in study.config.questions.items():
        rows.append((f"wrong: {name} ({kind(asked, study)})", "null", name))
    rows += [(f"found: {name}", "planted", name) for name in study.config.questions]
    for title, key, name in rows:
        print(f"| {title} | " + " | ".join(rate(one[key][name], options.studies) for one in found.values()) + " |")


if __name__ == "__main__":
    main()
