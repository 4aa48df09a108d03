"""Whether a checkpoint of ImageNet has a background class, and that what the user gave stays."""

import pytest
from absl import flags

from nets import nets_factory
from slim_internal.ground.cli import config_flags
from slim_internal.parts.checkpoints import label_offset
from slim_internal.programs.classification.settings import Classification
from slim_internal.programs.training import start
from slim_internal.programs.training.settings import TrainConfig
from tests.slim_internal.parts.checkpoints import small_weights


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """The classifier of VGG, which is all that its classes are told from, for 1,000 and 1,001."""
    folder = tmp_path_factory.mktemp("vgg")
    return {
        classes: small_weights.save(
            folder / f"{classes}.ckpt", {"vgg_16/fc8/biases": [0.0] * classes}
        )
        for classes in (1000, 1001)
    }


def _given(settings_class, *arguments):
    """Returns settings as a user's command line gives them."""
    values = flags.FlagValues()
    config_flags.define(settings_class, values)
    values(["program", *arguments])
    return config_flags.read(settings_class, values)


@pytest.mark.parametrize(
    ("classes", "dataset", "given", "offset"),
    [
        (1000, "imagenet", (), 1),
        (1001, "imagenet", (), 0),
        (1000, "digits", (), 0),
        (1000, "imagenet", ("--labels_offset=0",), 0),
        (1001, "imagenet", ("--labels_offset=1",), 1),
    ],
)
def test_the_checkpoint_tells_whether_it_has_a_background_class(
    vgg, tmp_path, classes, dataset, given, offset
):
    common = ("--model_name=vgg_16", f"--dataset_name={dataset}", *given)
    common += (f"--checkpoint_path={vgg[classes]}",)
    config = _given(Classification, *common)
    assert label_offset.settle(config, vgg[classes]).labels_offset == offset
    training = (*common, "--dataset_dir=data", f"--train_dir={tmp_path}")
    network = nets_factory.get_network("vgg_16")
    num_classes = 1001 if dataset == "imagenet" else 10

    def in_training(*more, checkpoint=None):
        config = _given(TrainConfig, *training, *more)
        begin = start.Start(checkpoint, 3)
        return start.with_label_offset(begin, config, network, num_classes).labels_offset

    assert in_training() == offset
    # A run that goes on has the classes that it had; a classifier not restored says nothing.
    new_classifier = "--checkpoint_exclude_scopes=vgg_16/fc8"
    assert in_training(new_classifier, checkpoint=vgg[classes]) == offset
    assert in_training(new_classifier) == (1 if "--labels_offset=1" in given else 0)
