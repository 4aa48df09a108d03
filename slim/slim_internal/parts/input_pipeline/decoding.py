"""Decodes and prepares the image of a serialized example, no more of it than is needed."""

import logging
from collections.abc import Callable, Sequence

from datasets.descriptor import data_files
from deployment import sessions
from preprocessing import channels, jpeg
from slim_internal.ground.compat import slim, tf
from slim_internal.ground.errors import UserError

_LOG = logging.getLogger(__name__)

# Images that are looked at to tell whether a dataset has JPEG files at all.
_FIRST_IMAGES = 100

_RANDOM = ("random", "distorted", "multinomial")  # Parts of the names of operations that draw.


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


def fast(
    dataset: slim.dataset.Dataset, preprocess: Callable[[tf.Tensor], tf.Tensor]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the preprocessing with JPEG files decoded no larger than it needs.

    Says so where that changes nothing.

    Args:
      dataset: Descriptor with the item `image`.
      preprocess: As for `prepared`.
    """
    reason = _why_not_fast(dataset, preprocess)
    if reason:
        _LOG.warning("--fast_decoding changes nothing: %s.", reason)
    return jpeg.shrinking(preprocess)


def _why_not_fast(dataset, preprocess) -> str | None:
    if not jpeg.is_taken_by(preprocess):
        return "this preprocessing does not resize images, those of inception and vgg do"
    files = _color_files(dataset.decoder)
    if files is None:
        return "the images are not read from files in color"
    if not _has_jpeg(data_files(dataset), files):
        return f"none of the first {_FIRST_IMAGES} images is a JPEG file"
    return None


def _has_jpeg(paths, files) -> bool:
    """Returns whether the first images are JPEG files, or cannot be read, which is told later.

    Photographs of megapixels take their time to read: the first JPEG file is enough.
    """
    with tf.Graph().as_default(), tf.Session(config=sessions.cpu_config()) as session:
        first = tf.data.TFRecordDataset(paths).take(_FIRST_IMAGES)
        found = first.map(lambda record: tf.image.is_jpeg(files.decode(record, ["encoded"])[0]))
        is_jpeg = tf.data.make_one_shot_iterator(found).get_next()
        others = 0
        try:
            while not session.run(is_jpeg):
                others += 1
        except tf.errors.OutOfRangeError:
            return not others
        except tf.errors.OpError:
            return True
        return True


def decoded(
    decoder: slim.tfexample_decoder.TFExampleDecoder, record: tf.Tensor, items: Sequence[str]
) -> list[tf.Tensor]:
    """Returns the whole image of an example, whether `prepared` decodes it itself, and other items.

    Args:
      decoder: Decodes the item `image` and the others.
      record: Scalar string tensor, a serialized example.
      items: The others.
    """
    files = _color_files(decoder)
    if files is None:
        image, *others = decoder.decode(record, ["image", *items])
        return [image, tf.constant(False), *others]
    image, encoded, *others = files.decode(record, ["image", "encoded", *items])
    return [image, tf.image.is_jpeg(encoded), *others]


def prepared_from(
    image: tf.Tensor, is_jpeg: tf.Tensor, preprocess: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Returns what `prepared` makes of an example whose image is decoded already.

    Args:
      image: As `decoded` returns it.
      is_jpeg: Likewise.
      preprocess: As for `prepared`.
    """
    if not jpeg.is_taken_by(preprocess):
        return preprocess(image)
    return tf.cond(is_jpeg, lambda: preprocess(jpeg.DecodedJpeg(image)), lambda: preprocess(image))


def is_random(
    decoder: slim.tfexample_decoder.TFExampleDecoder,
    preprocess: Callable[[tf.Tensor], tf.Tensor],
) -> bool:
    """Returns whether two draws of an image may differ."""
    with tf.Graph().as_default() as graph:
        image, _ = decoder.decode(tf.placeholder(tf.string, []), ["image", "label"])
        preprocess(image)
        text = str({node.op for node in _nodes(graph.as_graph_def())}).lower()
    return any(word in text for word in _RANDOM)


def _nodes(graph_def):
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def read_channels(dataset: slim.dataset.Dataset, number: int | None) -> None:
    """Makes a dataset decode its images to so many channels.

    Args:
      dataset: Its decoder is replaced, where that gives other images.
      number: 4 for color and opacity. 1 and 3, which the preprocessing makes of each other, and
        None leave it as it is; so do others, which only raw pixels have.

    Raises:
      UserError: If its images do not have so many.
    """
    raw = getattr(getattr(dataset, "layout", None), "raw_channels", None)
    if number in (None, 1, 3, raw):
        return
    if number != 4:
        raise UserError(
            f"--channels={number}: image files have 1, 3 or 4 channels. Raw pixels in TFRecords of"
            " any origin (--dataset_name=tfrecords) may have others."
        )
    features = getattr(dataset.decoder, "_keys_to_features", {})
    handlers = getattr(dataset.decoder, "_items_to_handlers", {})
    key = handlers["image"].keys[0] if "image" in handlers else None
    if getattr(features.get(key), "dtype", None) != tf.string:
        raise UserError(f"--channels={number} does not apply to a dataset without image files.")
    dataset.decoder = slim.tfexample_decoder.TFExampleDecoder(
        features, {**handlers, "image": _Image(key, number)}
    )


class _Image(slim.tfexample_decoder.ItemHandler):
    """Decodes an image to a number of channels, by its contents."""

    def __init__(self, key: str, number: int):
        super().__init__([key])
        self._number = number

    def tensors_to_item(self, keys_to_tensors):
        (key,) = self.keys
        return channels.decode(keys_to_tensors[key], self._number)


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
