"""Addresses for the processes of a cluster on this machine."""

import contextlib
import socket


def free_ports(count: int) -> list[int]:
    """Returns ports that nobody has."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]


def cluster(num_servers: int, num_workers: int) -> str:
    """Returns the text of --cluster."""
    addresses = [f"localhost:{port}" for port in free_ports(num_servers + num_workers)]
    jobs = {"ps": addresses[:num_servers], "worker": addresses[num_servers:]}
    return ";".join(f"{job}={','.join(found)}" for job, found in jobs.items() if found)
