"""diagnose: how every network carries error back, into runs/diagnose-<task>/profiles.npz; of all tasks, or of those
named."""

from typing import Annotated

import typer

from rnn_study import config
from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.gradients import diagnose
from rnn_study.running.run import store
from rnn_study.support import stage
from rnn_study.support.progress import ticking


def main(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    parameters = config.load()
    tasks = names or [*type(parameters.tasks).model_fields, *type(parameters.problems).model_fields]
    found, used = {name: {} for name in tasks}, set()
    for name, networks in ticking(diagnose.profiles(parameters, tasks), "diagnose"):
        for variant, when, seed, key, profile in networks:
            found[name].setdefault((variant, when), []).append((seed, profile))
            used.add(key)
        store.claim("diagnose", used | store.claimed("diagnose"))  # what it needed stays until it ends
    for name, profiled in found.items():
        profiles.write(profiles.profiles_file(name), profiled)
    store.claim("diagnose", used | store.claimed("diagnose") if names else used)


if __name__ == "__main__":
    stage.run(main)
