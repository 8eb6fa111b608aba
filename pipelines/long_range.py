"""long_range: from the runs of every frontier the figures and claims of metrics/long_range.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.behaviour.long_range import claims, quantities
from rnn_study.config.frontier import KNOWN
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_tables


def main() -> None:
    parameters = config.load()
    names = ("claims", "frontiers", "successes", "reaches", "comparisons", "generalisation", "memories")
    tables: dict[str, list[dict]] = {name: [] for name in names}
    for name, params in parameters.frontiers.items():
        found = read_json(Path(f"metrics/frontier/{name}.json"))
        judged = {
            "frontiers": list(quantities.frontiers(params, found)),
            "reaches": quantities.reaches(params, found),
            "comparisons": quantities.comparisons(params, found),
        }
        further = {
            "claims": claims.claims(params, found, **judged),
            "successes": quantities.successes(params, found),
            "generalisation": quantities.generalisation(params, found),
            "memories": quantities.memories(found),
        }
        for table, rows in (judged | further).items():
            tables[table] += rows
    tables["power"] = list(quantities.power())
    left_out = [name for name in KNOWN if name not in parameters.frontiers]
    head = {"study": parameters.study, "seeds_for_a_claim": quantities.CLAIM_FROM, "left_out": left_out}
    write_tables(Path("metrics/long_range.json"), head, tables)


if __name__ == "__main__":
    stage.run(main)
