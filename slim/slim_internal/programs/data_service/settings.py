"""The settings of a data service; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataService(Settings, subject="Data service"):
    """Where its processes listen."""

    port: int = setting(
        0,
        "Port of the dispatcher; a free one, which is printed, unless given.",
        at_least=0,
        at_most=65535,
        common=True,
    )
    host: str = setting("localhost", "Name by which training reaches this machine.", common=True)
    dispatcher: str | None = setting(
        None,
        "Address of a data service on another machine, grpc://host:port, that this one joins.",
        common=True,
    )
    workers: int = setting(
        1, "Workers to start here; each uses all CPUs.", at_least=1, at_most=64, common=True
    )
