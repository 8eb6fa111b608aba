"""long_range: from the runs of every frontier the figures of metrics/long_range.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.long_range import controls, foretelling, quantities, rates
from rnn_study.config.frontier import KNOWN
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_tables

METRICS = Path("metrics")
TABLES = {
    "frontiers": quantities.frontiers,
    "successes": quantities.successes,
    "comparisons": quantities.comparisons,
    "generalisation": quantities.generalisation,
    "memories": quantities.memories,
    "map": rates.rate_map,
    "chosen": rates.chosen,
    "controls": controls.of_frontier,
    "foretold": foretelling.auc,
    "reaching": foretelling.reaching,
}


def main() -> None:
    parameters = config.load()
    tables: dict[str, list[dict]] = {name: [] for name in TABLES}
    for name, params in parameters.frontiers.items():
        found = read_json(METRICS / f"frontier/{name}.json")
        for table, rows in TABLES.items():
            tables[table] += rows(params, found)
    tables["controls"] += controls.of_tasks(parameters, METRICS)
    left_out = [name for name in KNOWN if name not in parameters.frontiers]
    write_tables(METRICS / "long_range.json", {"study": parameters.study, "left_out": left_out}, tables)


if __name__ == "__main__":
    stage.run(main)
