"""Batches that a data service makes: other processes, on this machine or others.

Which process gets which file is decided while they run. So every example comes once in an epoch,
but in an order that differs from run to run; only training can bear that.
"""

import socket
from collections.abc import Callable, Sequence

from deployment import cluster
from slim_internal.ground.compat import data_service, slim, tf
from slim_internal.ground.errors import UserError
from slim_internal.parts.input_pipeline import decoding, order

_SECONDS = 10
_EXAMPLES_AT_ONCE = 16  # That travel together; how many a batch has is decided where it is used.


def require(address: str) -> None:
    """Requires that something listens at an address.

    Raises:
      UserError: It is no address of a data service, or nobody answers.
    """
    try:
        place = cluster.split_grpc(address)
    except ValueError:
        raise UserError(f"--data_service must be like grpc://host:port; got {address!r}.") from None
    try:
        socket.create_connection(place, _SECONDS).close()
    except OSError as error:
        raise UserError(
            f"No data service answers at --data_service={address} ({error.strerror or error})."
            " Start one with the program start_data_service, which prints its address."
        ) from error


def batches(
    dataset: slim.dataset.Dataset,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    files: Sequence[str],
    *,
    service: str,
    batch_size: int,
    num_readers: int,
    num_threads: int,
) -> tf.data.Dataset:
    """Returns endless batches {"image", "label"}, in each epoch each example once.

    Args:
      dataset: Descriptor with the items `image` and `label`.
      preprocess: Function of an image [height, width, channels], 0..255, that returns one of
        fixed size.
      files: Its files, by names under which the processes of the service see them.
      service: Address of the dispatcher.
      batch_size: Examples per batch; all batches are full.
      num_readers: Files that each process reads at the same time.
      num_threads: Images that each process decodes at the same time.
    """

    @tf.autograph.experimental.do_not_convert
    def example(record):
        image, label = decoding.prepared(dataset.decoder, record, preprocess, ["label"])
        return {"image": image, "label": label}

    examples = (
        tf.data.Dataset.from_tensor_slices(list(files))
        .shuffle(len(files))
        .interleave(
            tf.data.TFRecordDataset, cycle_length=num_readers, num_parallel_calls=tf.data.AUTOTUNE
        )
        .shuffle(order.window_size(files, dataset.num_samples))
        .map(example, num_parallel_calls=num_threads)
        .batch(_EXAMPLES_AT_ONCE)
        .apply(data_service.distribute("distributed_epoch", service))
    )
    examples = examples.repeat().unbatch().batch(batch_size, drop_remainder=True)
    return examples.prefetch(tf.data.AUTOTUNE)
