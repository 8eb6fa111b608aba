"""long_range: from the runs of every frontier the figures of metrics/long_range.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.long_range import quantities
from rnn_study.config.frontier import KNOWN
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_tables


def main() -> None:
    parameters = config.load()
    names = ("frontiers", "successes", "comparisons", "generalisation", "memories")
    tables: dict[str, list[dict]] = {name: [] for name in names}
    for name, params in parameters.frontiers.items():
        found = read_json(Path(f"metrics/frontier/{name}.json"))
        tables["frontiers"] += quantities.frontiers(params, found)
        tables["successes"] += quantities.successes(params, found)
        tables["comparisons"] += quantities.comparisons(params, found)
        tables["generalisation"] += quantities.generalisation(params, found)
        tables["memories"] += quantities.memories(found)
    left_out = [name for name in KNOWN if name not in parameters.frontiers]
    write_tables(Path("metrics/long_range.json"), {"study": parameters.study, "left_out": left_out}, tables)


if __name__ == "__main__":
    stage.run(main)
