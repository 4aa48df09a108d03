"""What Visual Wake Words makes of COCO's annotations: one label and some boxes per image."""

import hashlib
from collections.abc import Mapping
from typing import Any

from datasets.storage.example import bytes_feature, float_feature, image_example
from slim_internal.ground.errors import unknown


def filter_annotations(
    coco: Mapping[str, Any], small_object_area_threshold: float, foreground_class_of_interest: str
) -> dict[str, Any]:
    """Labels each image by whether an object of one category is large enough in it.

    Args:
      coco: Content of a COCO file of instances.
      small_object_area_threshold: Share of the image's area that an object must exceed, 0..1.
      foreground_class_of_interest: Name of the category.

    Returns:
      `images` as they were; `annotations`, image id as text -> `label`, 1 or 0, and `objects`, the
      `area` and `bbox` (x, y, width, height in pixels) of each that counts; `categories`, id as
      text -> the category.

    Raises:
      UserError: COCO has no such category.
      AttributeError, KeyError, TypeError, ValueError: These are no annotations of COCO.
    """
    by_name = {category["name"]: category for category in coco["categories"]}
    if foreground_class_of_interest not in by_name:
        raise unknown("COCO category", foreground_class_of_interest, sorted(by_name))
    category = by_name[foreground_class_of_interest]
    for image in coco["images"]:
        _require_image(image)
    areas = {image["id"]: image["width"] * image["height"] for image in coco["images"]}
    objects = {image_id: [] for image_id in areas}
    for annotation in coco["annotations"]:
        image_id, area = annotation["image_id"], annotation["area"]
        if annotation["category_id"] != category["id"]:
            continue
        _require_object(annotation)
        if area / areas[image_id] > small_object_area_threshold:
            objects[image_id].append({"area": area, "bbox": annotation["bbox"]})
    return {
        "images": coco["images"],
        "annotations": {
            str(image_id): {"label": int(bool(kept)), "objects": kept}
            for image_id, kept in objects.items()
        },
        "categories": {str(category["id"]): category},
    }


def _require_image(image: Mapping[str, Any]) -> None:
    sides = (image["width"], image["height"])
    if not isinstance(image["file_name"], str) or any(type(s) is not int or s < 0 for s in sides):
        raise ValueError(f"an image of {str(image)[:200]}")


def _require_object(annotation: Mapping[str, Any]) -> None:
    numbers = [annotation["area"], *annotation["bbox"]]
    if len(numbers) != 5 or any(type(number) not in (int, float) for number in numbers):
        raise ValueError(f"an object of {str(annotation)[:200]}")


def example(image: Mapping[str, Any], labelled: Mapping[str, Any], data: bytes) -> bytes:
    """Returns the serialized example of one image.

    Args:
      image: Its entry among the annotations' `images`.
      labelled: Its `label` and `objects`, see `filter_annotations`.
      data: The bytes of its JPEG file.
    """
    height, width = image["height"], image["width"]
    boxes = [found["bbox"] for found in labelled["objects"]]
    texts = {
        "image/filename": image["file_name"],
        "image/source_id": str(image["id"]),
        "image/key/sha256": hashlib.sha256(data).hexdigest(),
    }
    numbers = {
        "image/object/area": [found["area"] for found in labelled["objects"]],
        "image/object/bbox/xmin": [x / width for x, _, _, _ in boxes],
        "image/object/bbox/xmax": [(x + w) / width for x, _, w, _ in boxes],
        "image/object/bbox/ymin": [y / height for _, y, _, _ in boxes],
        "image/object/bbox/ymax": [(y + h) / height for _, y, _, h in boxes],
    }
    more = [
        *(bytes_feature(key, text.encode()) for key, text in texts.items()),
        *(float_feature(key, *values) for key, values in numbers.items()),
    ]
    return image_example(data, b"jpeg", height, width, labelled["label"], *more)
