"""Everything that is found in the trained systems: the figures of the table, and samples."""

from typing import Any

from rnn_study.config import Config
from rnn_study.data.prepared import load_task, prepared_file

from . import alone, scores, systems, tutorials, words, written
from .evidence import Evidence
from .trained import System, system

Row = dict[str, Any]


def _language(one: System, variant: str, unit: str) -> Row:
    bits = alone.bits(one, one.first, variant)
    return {"system": one.name, "variant": variant, "bits": bits, "written": alone.written(one, variant, unit)}


def look(config: Config) -> tuple[Row, Row]:
    """The content of metrics/sequence_shapes.json, and samples for the report."""
    trained = {name: system(config, name) for name in config.shapes}
    kinds = {name: params.prepare for name, params in config.shapes.items()}

    def of(kind: str) -> list[System]:
        return [trained[name] for name, prepare in kinds.items() if prepare.kind == kind]

    writers = of("numbers") + of("spelled")
    answers = [written.answers(one, variant) for one in writers for variant in one.networks]
    looked = [
        written.looked(one, variant)
        for one in of("numbers")
        for variant, network in one.networks.items()
        if network.decoder.attention
    ]
    shifted = [one for one in of("series") if kinds[one.name].shifted]
    continued = [alone.continued(one, variant) for one in shifted for variant in one.networks]
    languages = [_language(one, variant, kinds[one.name].unit) for one in of("language") for variant in one.networks]
    vectors = [words.vectors(one, variant, kinds[one.name].table) for one in of("vectors") for variant in one.networks]
    found = {
        "answers": [{key: value for key, value in row.items() if key != "samples"} for row in answers],
        "continued": [{key: value for key, value in row.items() if key != "series"} for row in continued],
        "language": languages,
        "vectors": [{key: value for key, value in row.items() if key != "map"} for row in vectors],
        "roommate": alone.roommate(trained),
        "order": words.order(config),
        "single_words": words.single_words(load_task(prepared_file("tweets"))),
        "arrives": [
            written.arrives(one, variant)
            for one in of("numbers")
            for variant, network in one.networks.items()
            if network.layers  # dense layers read all steps at once
        ],
        "widths": written.exact_by_width(of("numbers"), config),
        "baselines": scores.baselines(config, trained.values()),
    }
    evidence = Evidence(trained, scores.scores(trained.values()), found)
    figures = {
        "study": config.study,
        "systems": systems.table(evidence),
        "tutorials": tutorials.table(evidence),
        "scores": evidence.scores,
        "found": found,
    }
    samples = {"answers": answers, "looked": looked, "continued": continued, "vectors": vectors}
    return figures, samples
