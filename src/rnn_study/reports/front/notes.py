"""What stands at the head of each of MLflow's experiments: what it is, what was found, where the report is."""

from collections.abc import Iterator

from rnn_study.reports.elements.wording import label
from rnn_study.reports.study import Study
from rnn_study.reports.verdicts import sentence


def _known(study: Study) -> Iterator[tuple[str, str, str, str]]:
    """Every experiment: its name, what it is, its data, and its report; a later entry stands for an earlier one."""
    for name in study.shape_cards:
        yield name, "a sequence shape that tutorials teach", study.shape_source(name), "sequence_shapes"
    for name in study.walked:
        yield name, "a length frontier", study.drawn(name), "long_range"
    for name in dict.fromkeys(row["task"] for row in study.gradients["figures"]):
        what = "a generated problem, and a length frontier" if name in study.walked else "a generated problem"
        yield name, what, study.source(name), "gradients"
    for name in study.tasks:
        yield name, "a task, tuned and trained in both frameworks", study.source(name), "comparison"


def notes(study: Study) -> dict[str, str]:
    """A note, Markdown, for each task, problem and system of shapes."""
    texts = {}
    for name, what, source, report in _known(study):
        found = [f"- {sentence(row)}" for row in study.verdicts if row["of"] == name]
        told = ["What was found:", "\n".join(found)] if found else []
        more = f"More: `reports/{report}.html` in the project's folder."
        texts[name] = "\n\n".join([f"**{label(name)}**: {what}; {source}.", *told, more])
    return texts
