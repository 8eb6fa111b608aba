"""Tables of the comparison: every score, every difference, the equivalence of the frameworks, tweets misjudged."""

from typing import Any

import numpy as np

from rnn_study.data.prepared import unpack_texts
from rnn_study.reports.elements.display import show_table
from rnn_study.reports.elements.wording import data, interval, label, number, p_value, scale_of
from rnn_study.reports.study import Study
from rnn_study.statistics.verdict import ALPHA

from .findings import gap
from .plots import pairs


def _settings(run: dict[str, Any]) -> list[str]:
    clip = "none" if run["clip"] is None else f"{run['clip']:.2g}"
    return [f"{run['learning_rate']:.2g}", clip, f"{run['dropout']:.2g}"]


def results_table(study: Study, task: str, part: str) -> None:
    """Score with interval, parameters and settings of every cell in both frameworks, then the baselines."""
    found = study.tasks[task]
    score = found["score"]
    rows, several = [], study.summary["searches"] > 1  # each with settings of its own: the report of tuning has them
    for _, backend, _, cell in pairs(study, task):
        run = found["backends"][backend]["cells"][cell]
        impl = "" if run["impl"] == "native" else f" ({run['impl']})"
        rows.append(
            [
                f"{label(cell)}, {label(backend)}{impl}",
                number(run["mean"][part], score),
                interval(run["interval"][part], score),
                str(len(run["seeds"])),
                "by search" if several else "×".join(map(str, run["units"])),
                f"{run['parameters']:,}",
                f"{run['parameters_with_embedding']:,}",
                f"{np.mean(run['updates']):,.0f}",
                *(["by search"] * 3 if several else _settings(run)),
            ]
        )
    for name, scores in found["baselines"].items():
        rows.append([f"baseline: {name}", number(scores[part], score), *["–"] * 9])
    unit = f", {found['unit']}" if found["unit"] else ""
    header = ["", f"{label(score)}{unit}", "95 % interval", "seeds", "units", "parameters", "with embedding"]
    show_table(
        [*header, "updates", "learning rate", "clip", "dropout"],
        rows,
        f"{label(task)}, {label(part)}: mean over seeds, its interval over seeds and test examples; updates are the "
        f"mean over seeds; {study.given}; {data(found)}.",
    )


def worst_tweets(study: Study, part: str = "test", count: int = 8) -> None:
    """The tweets that all cells and seeds of the first framework together got most wrong."""
    prepared = study.prepared("tweets")
    texts = unpack_texts(prepared.extras[f"texts_{part}"], prepared.extras[f"offsets_{part}"])
    truth, classes = prepared.parts()[part].y, prepared.extras["classes"].tolist()
    backend = next(iter(study.tasks["tweets"]["backends"]))
    chances = []
    for cell in study.tasks["tweets"]["backends"][backend]["cells"]:
        outputs = study.predictions("tweets", backend, cell, part).astype(float)
        odds = np.exp(outputs - outputs.max(axis=2, keepdims=True))
        chances.append(odds / odds.sum(axis=2, keepdims=True))
    right = np.concatenate(chances)[:, np.arange(len(truth)), truth].mean(axis=0)
    rows = [[texts[i], classes[truth[i]], f"{100 * right[i]:.1f} %"] for i in np.argsort(right, kind="stable")[:count]]
    caption = (
        f"Tweets of the {label(part)} most confidently misjudged ({label(backend)}, all cells and seeds); "
        f"{data(study.tasks['tweets'])}"
    )
    show_table(["tweet", "label", "mean probability given to it"], rows, caption)


def table(study: Study, task: str) -> None:
    """Every comparison of the task with its interval."""
    found = study.tasks[task]
    rows = [
        [f"{label(row['a'])} − {label(row['b'])}", where, label(row["part"]), gap(found, row), str(row["n"])]
        for kind in ("between_cells", "against_baselines", "between_frameworks")
        for row in found[kind]
        for where in [label(row["cell"]) if "cell" in row else "both frameworks"]
    ]
    show_table(
        ["difference", "in", "part", f"{label(found['score'])} (95 % interval)", "seeds"],
        rows,
        f"{label(task)}: mean differences, exploratory: seeds and test examples crossed, seed by seed, not corrected; "
        f"{study.given}; {data(found)}.",
    )


def equivalence_table(study: Study, task: str) -> None:
    """Every test of equivalence of the frameworks, with its margin."""
    found = study.tasks[task]
    scale, unit = scale_of(found)
    rows = []
    for row in found["equivalence"]:
        low, high = (scale * bound for bound in row["interval"])
        rows.append(
            [
                label(row["cell"]),
                row["verdict"],
                f"{low:+.2f} to {high:+.2f}",
                f"±{scale * row['margin']:g}",
                label(row["part"]),
                p_value(row["p"]),
                str(row["n"]),
            ]
        )
    level = f"{100 * (1 - 2 * ALPHA):g} %"
    header = ["cell", "verdict", f"{level} interval, {unit}", f"margin, {unit}", "part", "p", "seeds"]
    show_table(
        header,
        rows,
        f"{label(task)}: are PyTorch and TensorFlow equivalent? Two one-sided tests against the margin that params.yaml"
        f" declares, seeds and test examples crossed, p < {ALPHA}; {study.given}; {data(found)}.",
    )
