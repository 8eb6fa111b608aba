"""models@<backend>: of each task and cell the network with the best validation score as a model in MLflow; which ones,
into data/models/<backend>.json."""

from pathlib import Path

from rnn_study import config
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.running.run import results, store
from rnn_study.running.tracking import models
from rnn_study.support import stage
from rnn_study.support.files import read_json, write_json
from rnn_study.support.progress import ticking


def main(backend: str) -> None:
    parameters, rows = config.load(), []
    for name in ticking(list(type(parameters.tasks).model_fields), f"models {backend}"):
        task = load_task(prepared_file(name))
        found = read_json(Path(f"metrics/train/{name}-{backend}.json"))
        for cell, about in found["cells"].items():
            seed = models.best_seed(about["scores"]["validation"], about["seeds"], found["higher_is_better"])
            folder = results.run_folder(Path("runs"), name, backend, cell, seed)
            row = {"task": name, "cell": cell, "seed": seed}
            if reason := models.why_not(store.read_spec(folder).network, backend):
                rows.append(row | {"model": None, "why": reason})
            else:
                rows.append(row | {"model": models.publish(task, folder)})
    write_json(Path(f"data/models/{backend}.json"), rows)


if __name__ == "__main__":
    stage.run(main)
