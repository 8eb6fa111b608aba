"""long_range: from the runs of every frontier the figures and claims of metrics/long_range.json."""

from pathlib import Path

from rnn_study import config, stage
from rnn_study.files import read_json, write_tables
from rnn_study.long_range import claims, quantities


def main() -> None:
    parameters = config.load()
    tables: dict[str, list[dict]] = {name: [] for name in ("claims", "frontiers", "successes", "comparisons")}
    tables |= {"generalisation": [], "memories": []}
    for name, params in parameters.frontiers.items():
        found = read_json(Path(f"metrics/frontier/{name}.json"))
        frontiers = list(quantities.frontiers(params, found))
        tables["claims"] += claims.claims(params, found, frontiers)
        tables["frontiers"] += frontiers
        tables["successes"] += quantities.successes(params, found)
        tables["comparisons"] += quantities.comparisons(params, found)
        tables["generalisation"] += quantities.generalisation(params, found)
        tables["memories"] += quantities.memories(found)
    tables["power"] = list(quantities.power())
    head = {"study": parameters.study, "seeds_for_a_claim": quantities.CLAIM_FROM}
    write_tables(Path("metrics/long_range.json"), head, tables)


if __name__ == "__main__":
    stage.run(main)
