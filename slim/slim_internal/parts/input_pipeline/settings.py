"""How training reads its examples; imports no TensorFlow, so that `--help` answers at once."""

import dataclasses

from slim_internal.ground.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputSettings(Settings, subject="Input"):
    """Batches and the threads that make them."""

    batch_size: int = setting(32, "Images per step and clone.", at_least=1, common=True)
    num_readers: int = setting(4, "Data files to read in parallel.", at_least=1)
    num_preprocessing_threads: int = setting(
        4, "Images to decode and prepare in parallel; 0 lets TensorFlow choose.", at_least=0
    )
