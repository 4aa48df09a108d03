"""Decodes and prepares the image of a serialized example, no more of it than is needed."""

from collections.abc import Callable, Sequence

from preprocessing import jpeg
from slim_internal.ground.compat import slim, tf


def prepared(
    decoder: slim.tfexample_decoder.TFExampleDecoder,
    record: tf.Tensor,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
    items: Sequence[str],
) -> list[tf.Tensor]:
    """Returns the prepared image of an example, and other items of it.

    Where the preprocessing takes JPEG files, it decodes them itself: see `preprocessing.jpeg`.

    Args:
      decoder: Decodes the item `image` and the others.
      record: Scalar string tensor, a serialized example.
      preprocess: Function of an image [height, width, channels], 0..255, that returns one of
        fixed size.
      items: The others.
    """
    files = _color_files(decoder) if jpeg.is_taken_by(preprocess) else None
    if files is None:
        image, *others = decoder.decode(record, ["image", *items])
        return [preprocess(image), *others]
    encoded, image_format, *others = files.decode(record, ["encoded", "format", *items])
    image = tf.cond(
        tf.image.is_jpeg(encoded),
        lambda: preprocess(jpeg.Jpeg(encoded)),
        lambda: preprocess(_decoded(decoder, encoded, image_format)),
    )
    return [image, *others]


def _color_files(decoder) -> slim.tfexample_decoder.TFExampleDecoder | None:
    """Returns a decoder that also has the items `encoded` and `format`, the image as it is stored.

    None if it may not be a color image in a file: a decoder does not say so itself.
    """
    handler = getattr(decoder, "_items_to_handlers", {}).get("image")
    if type(handler) is not slim.tfexample_decoder.Image:
        return None
    plain = (3, None, tf.uint8, False, "")
    is_plain = plain == (
        handler._channels,
        handler._shape,
        handler._dtype,
        handler._repeated,
        handler._dct_method,
    )
    if not is_plain:
        return None
    tensor = slim.tfexample_decoder.Tensor
    stored = {"encoded": tensor(handler._image_key), "format": tensor(handler._format_key)}
    return slim.tfexample_decoder.TFExampleDecoder(
        decoder._keys_to_features, {**decoder._items_to_handlers, **stored}
    )


def _decoded(decoder, encoded: tf.Tensor, image_format: tf.Tensor) -> tf.Tensor:
    handler = decoder._items_to_handlers["image"]
    return handler.tensors_to_item({handler._image_key: encoded, handler._format_key: image_format})
