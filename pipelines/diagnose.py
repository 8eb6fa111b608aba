"""diagnose@<task>: how every network of a task carries error back, into runs/diagnose-<task>/profiles.npz."""

from rnn_study import config, stage, task
from rnn_study.diagnostics import profiles
from rnn_study.gradients import diagnose
from rnn_study.progress import ticking


def main(name: str) -> None:
    parameters = config.load()
    prepared = task.load(task.prepared_file(name))
    found = {}
    for networks in ticking(diagnose.profiles(parameters, prepared), f"diagnose {name}"):
        for variant, when, seed, profile in networks:
            found.setdefault((variant, when), []).append((seed, profile))
    profiles.write(profiles.profiles_file(name), found)


if __name__ == "__main__":
    stage.run(main)
