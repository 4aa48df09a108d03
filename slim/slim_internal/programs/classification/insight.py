"""What happens inside a network that classifies: its features, and where it looks.

Both need the operations of the network, as a checkpoint or a frozen graph has them.
"""

import re
from collections.abc import Iterator

import numpy as np

from slim_internal.ground.compat import tf
from slim_internal.ground.errors import UserError, unknown
from slim_internal.parts.inference.description import ModelDescription

_MAX_NAMED = 40


class Insight:
    """Looks into the network of the default graph, with the default session."""

    def __init__(self, model: ModelDescription):
        """Finds the network in the default graph.

        Args:
          model: What it reads and says.

        Raises:
          UserError: If the graph does not hold it, as with formats that bring no graph.
        """
        self._graph, self._session = tf.get_default_graph(), tf.get_default_session()
        operations = {operation.name: operation for operation in self._graph.get_operations()}
        # A scope "Predictions" of the network adds a number to the name.
        named = re.compile(re.escape(model.predictions_name) + r"(_\d+)?", re.IGNORECASE)
        outputs = [each for name, each in operations.items() if named.fullmatch(name)]
        if self._session is None or model.input_name not in operations or not outputs:
            raise UserError(
                "--end_point and --grad_cam look into the network, which takes a checkpoint or a"
                " frozen graph (.pb); this format does not have its operations."
            )
        self._images = operations[model.input_name].outputs[0]
        self._predictions = outputs[-1].outputs[0]
        self._inside = list(self._operations_between())
        self._heat: tf.Tensor | None = None

    def features(self, images: np.ndarray, end_point: str) -> np.ndarray:
        """Returns the features at an end point, float32 [batch, ...].

        Args:
          images: Preprocessed, float32 [batch, *model.example_shape].
          end_point: Name of an operation, or of a scope, of which the last operation is meant:
            "Mixed_7c", "MobilenetV1/Conv2d_13_pointwise".

        Raises:
          UserError: If there is none of that name.
        """
        return self._session.run(self._end_point(end_point), {self._images: images})

    def heat(self, images: np.ndarray) -> np.ndarray:
        """Returns how much each place speaks for the most likely class (Grad-CAM, 1610.02391).

        Args:
          images: Preprocessed, float32 [batch, *model.example_shape].

        Returns:
          float32 [batch, height, width] of the last feature map, 0 to 1.

        Raises:
          UserError: If the network has no feature map.
        """
        if self._heat is None:
            with self._graph.as_default():
                self._heat = self._grad_cam()
        heat = self._session.run(self._heat, {self._images: images})
        return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)

    def _grad_cam(self) -> tf.Tensor:
        maps = [
            operation.outputs[0]
            for operation in self._inside
            if operation.outputs[0].shape.rank == 4
            and np.prod(operation.outputs[0].shape.as_list()[1:3] or [0], dtype=float) > 1
        ]
        if not maps:
            raise UserError("--grad_cam: the network has no feature map of more than one place.")
        features = maps[-1]
        scores = self._predictions
        while scores.op.type in ("Softmax", "Reshape", "Identity"):  # The logits behind them.
            scores = scores.op.inputs[0]
        chosen = tf.one_hot(tf.argmax(scores, axis=-1), tf.shape(scores)[-1])
        (gradient,) = tf.gradients(tf.reduce_sum(scores * chosen), features)
        if gradient is None:
            raise UserError("--grad_cam: the answer does not depend on the last feature map.")
        weights = tf.reduce_mean(gradient, axis=[1, 2], keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * features, axis=3))

    def _end_point(self, name: str) -> tf.Tensor:
        exact = [each for each in self._inside if each.name == name]
        below = [each for each in self._inside if f"/{name}/" in f"/{each.name}/"]
        found = exact or below
        if not found:
            scopes = {part for each in self._inside for part in each.name.split("/")[:-1]}
            raise unknown("end point", name, sorted(scopes)[:_MAX_NAMED])
        return found[-1].outputs[0]

    def _operations_between(self) -> Iterator[tf.Operation]:
        """Yields the operations that lead from the images to the answer, in their order."""
        above, pending = set(), [self._predictions.op]
        while pending:
            operation = pending.pop()
            if operation not in above:
                above.add(operation)
                pending += [each.op for each in operation.inputs]
        below = {self._images.op}
        for operation in self._graph.get_operations():  # In an order in which they can run.
            if operation in above and below & {each.op for each in operation.inputs}:
                below.add(operation)
                if operation.outputs[0].dtype == tf.float32:
                    yield operation
