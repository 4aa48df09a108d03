"""The graph of a run as files: graph.pbtxt for `freeze_graph`, .meta for `import_meta_graph`.

Neither names a device, so that a graph that was trained on a GPU opens without one.
"""

import functools
import os

from google.protobuf import text_format

from slim_internal.ground.compat import tf
from slim_internal.ground.files import atomic

GRAPH_FILENAME = "graph.pbtxt"


class Saver(tf.train.Saver):
    """Saves checkpoints, each with the graph; whatever removes an old one removes its graph too.

    TensorFlow would serialize the graph for each checkpoint; here that is done once, the graph of a
    run being always the same.
    """

    def __init__(self, *, save_meta_graph: bool = True, **settings):
        """Makes a saver for all variables of the default graph.

        Args:
          save_meta_graph: Whether to save the graph at all.
          **settings: As `tf.train.Saver` takes them.
        """
        super().__init__(**settings)
        self._save_meta_graph = save_meta_graph
        self._graph = tf.get_default_graph()

    def write_graph(self, folder: str) -> None:
        """Writes the graph as text, if the graph is to be saved at all."""
        if self._save_meta_graph:
            meta_graph = tf.MetaGraphDef.FromString(self._meta_graph)
            text = text_format.MessageToString(meta_graph.graph_def)
            atomic.write(os.path.join(folder, GRAPH_FILENAME), text)

    def save(self, sess, save_path, global_step=None):
        """Saves a checkpoint and returns its name; see `tf.train.Saver.save`."""
        path = super().save(sess, save_path, global_step=global_step, write_meta_graph=False)
        if self._save_meta_graph:
            atomic.write(f"{path}.meta", self._meta_graph)
        return path

    @functools.cached_property
    def _meta_graph(self) -> bytes:
        with self._graph.as_default():
            return self.export_meta_graph(clear_devices=True).SerializeToString(deterministic=True)
