"""Many runs, spread over processes or a cluster, and what is shown of them meanwhile."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnn_study.config import Config

    from .executor import Executor


def start(parameters: "Config", backend: str, owner: str) -> "Executor":
    """The executor that params.yaml names, for the stage `owner`."""
    if parameters.executor == "ray":
        from .cluster import Cluster  # here, for Ray is no package that everybody needs

        return Cluster(backend, owner, parameters.device)
    from .local import Local  # here, for a worker imports this package first

    return Local(backend, owner, parameters.device)
