"""The answers to the study's questions: metrics/verdicts.json."""

from typing import Any

from rnn_study.statistics import verdict

from .measures import Evidence, measure

Row = dict[str, Any]


def answers(evidence: Evidence) -> list[Row]:
    """A row a question: what was asked, a - b with its 95 % interval in `unit`, and the verdict with how sure it is,
    see `verdict.Verdict`."""
    questions = evidence.config.questions
    measured = {name: measure(evidence, asked) for name, asked in questions.items()}
    judged = verdict.judge([one.case for one in measured.values()])
    rows = []
    for (name, one), found in zip(measured.items(), judged, strict=True):
        mean = one.case.found
        figures = mean.interval()._asdict() | {"unit": one.unit, "seeds": one.case.seeds, "smallest": one.case.smallest}
        rows.append({"question": name} | questions[name].model_dump() | figures | found._asdict())
    return rows
