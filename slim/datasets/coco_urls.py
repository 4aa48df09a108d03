"""Where COCO 2014's archives are published: for the record of Visual Wake Words and its flags."""

_COCO = "http://images.cocodataset.org"

ANNOTATIONS = f"{_COCO}/annotations/annotations_trainval2014.zip"
TRAIN = f"{_COCO}/zips/train2014.zip"
VALIDATION = f"{_COCO}/zips/val2014.zip"
