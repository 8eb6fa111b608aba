"""What a machine, a container or a file system may lack."""

import socket
import tempfile


def has_unix_sockets() -> bool:
    """Whether processes can meet at a Unix socket in the folder for temporary files."""
    try:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as own:
            own.bind(f"{folder}/listener")
    except (OSError, AttributeError):
        return False
    return True
