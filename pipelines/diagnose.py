"""diagnose@<task>: how every network of a task carries error back, into runs/diagnose-<task>/profiles.npz."""

from rnn_study import config
from rnn_study.behaviour.diagnostics import profiles
from rnn_study.behaviour.gradients import diagnose
from rnn_study.data.prepared import load_task, prepared_file
from rnn_study.support import stage
from rnn_study.support.progress import ticking


def main(name: str) -> None:
    parameters = config.load()
    prepared = load_task(prepared_file(name))
    found = {}
    for networks in ticking(diagnose.profiles(parameters, prepared), f"diagnose {name}"):
        for variant, when, seed, profile in networks:
            found.setdefault((variant, when), []).append((seed, profile))
    profiles.write(profiles.profiles_file(name), found)


if __name__ == "__main__":
    stage.run(main)
