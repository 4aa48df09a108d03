"""How every program opens its TensorFlow session."""

from slim_internal.ground.compat import tf


def config(threads: int = 0) -> tf.ConfigProto:
    """Returns settings under which a program takes no more of the GPU than it needs.

    So evaluation fits beside training. What a device lacks is put on the CPU.

    Args:
      threads: Threads on the CPU; 0 takes all.
    """
    return tf.ConfigProto(
        allow_soft_placement=True,
        gpu_options=tf.GPUOptions(allow_growth=True),
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=threads,
    )
