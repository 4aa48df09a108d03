"""The steps of the tour on a folder of images of one's own."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator

from datasets.storage import manifest, tfrecords
from nets import nets_factory
from slim_internal.ground import errors
from slim_internal.ground.cli.commands import Command
from slim_internal.ground.compat import tf
from slim_internal.parts.checkpoints import latest, published

_FINE_TUNED, _FROM_SCRATCH = "own_images_classifier", "own_images_scratch_small"
_DATASET = "image_folder"
# Splits to evaluate on, the one to prefer first.
_HELD_OUT = ("validation", "test")


@dataclasses.dataclass(frozen=True)
class Weights:
    """What training starts from.

    Attributes:
      checkpoint: Checkpoint of the network, or None to start from random weights.
      remark: Why there is none, for the user; else empty.
    """

    checkpoint: str | None
    remark: str = ""


def find_weights(model_name: str, checkpoint_path: str | None, recipe: str | None) -> Weights:
    """Finds the weights to start from: those given, else the published ones of the network.

    Raises:
      UserError: If those that the user asked for are not to be had.
    """
    nets_factory.get_network(model_name)  # A wrong name is told at once.
    if recipe and "scratch" in recipe:
        if checkpoint_path:
            raise errors.UserError(
                f"--recipe={recipe} starts from random weights: leave out --checkpoint_path, or"
                f" choose --recipe={_FINE_TUNED}."
            )
        return Weights(None)
    if checkpoint_path:
        return Weights(latest.find(checkpoint_path))
    try:
        return Weights(published.locate(model_name))
    except errors.UserError as error:
        if recipe:
            raise
        remark = f"No published weights ({error}) Starting from random ones, which takes far more"
        return Weights(None, f"{remark} images; --checkpoint_path=... names weights of your own.")


@dataclasses.dataclass(frozen=True)
class Tour:
    """The steps on one's own images.

    Attributes:
      source: Folder of the images.
      folder: Where everything goes.
      recipe: Name of the recipe to train by.
      recipe_file: Its file.
      model_name: Network to fine-tune.
      checkpoint: Its weights; None to start from random ones.
      max_number_of_steps: Where to stop training; None for the end that the recipe has.
      channels: Channels of the images that the network reads; None for color.
      image_size: Their height and width in pixels; None for those of the recipe or the network.
    """

    source: str
    folder: pathlib.Path
    recipe: str
    recipe_file: pathlib.Path
    model_name: str
    checkpoint: str | None
    max_number_of_steps: int | None = None
    channels: int | None = None
    image_size: int | None = None

    count = 6

    def steps(self) -> Iterator[tuple[str, Command]]:
        """Yields what each step does, and its command, once those before it have been run.

        Raises:
          UserError: If there are no images to evaluate on.
        """
        data = self.folder / "data"
        dataset = {"dataset_name": _DATASET, "dataset_dir": data}
        yield (
            f"Convert the images in {self.source} to TFRecords",
            Command("download_and_convert_data", {**dataset, "source": self.source}),
        )
        yield (
            "Look at what was converted",
            Command("inspect_dataset", {"dataset_dir": data, "overwrite": "true"}),
        )
        split = held_out(str(data))
        train = self._training_flags()
        network = {"model_name": train["model_name"]}
        size = train.pop("train_image_size", None)
        yield (
            f"Train {network['model_name']} by the recipe {self.recipe}",
            Command(
                "train_image_classifier",
                {"flagfile": self.recipe_file, **dataset, **train, "eval_split_name": split},
            ),
        )
        yield (
            "Evaluate it on images it has not learned from",
            Command(
                "eval_image_classifier",
                {
                    "checkpoint_path": self.folder / "train",
                    "eval_dir": self.folder / "eval",
                    **dataset,
                    "dataset_split_name": split,
                    **network,
                    **({"eval_image_size": size} if size else {}),
                },
            ),
        )
        graph = self.folder / "model.pb"
        yield (
            "Export graph and weights as one file",
            Command(
                "export_inference_graph",
                {
                    "output_file": graph,
                    "checkpoint_path": self.folder / "train",
                    **dataset,
                    **network,
                    **({"image_size": size} if size else {}),
                },
            ),
        )
        image, class_name = take_image(data, split, self.folder)
        yield (
            f"Classify {image}, which shows {class_name}",
            Command("classify_image", {"graph": graph, "top_k": 3}, [str(image)]),
        )

    def _training_flags(self) -> dict[str, object]:
        """Returns the flags that follow the recipe, and the network and size that it has."""
        recipe = _read_flags(self.recipe_file)
        flags: dict[str, object] = {
            "train_dir": self.folder / "train",
            "model_name": recipe["model_name"],
        }
        if "train_image_size" in recipe:
            flags["train_image_size"] = recipe["train_image_size"]
        if self.checkpoint:
            network = nets_factory.get_network(self.model_name)
            scopes = ",".join((*network.classifier_scopes, *network.aux_scopes))
            flags |= {
                "model_name": self.model_name,
                "checkpoint_path": self.checkpoint,
                "checkpoint_exclude_scopes": scopes,
            }
            if "trainable_scopes" in recipe:
                flags["trainable_scopes"] = scopes
        if self.max_number_of_steps:
            flags["max_number_of_steps"] = self.max_number_of_steps
        if self.channels:
            flags["channels"] = self.channels
        if self.image_size:
            flags["train_image_size"] = self.image_size
        return flags

    def summary(self, seconds: float) -> str:
        """Returns what the tour ends with: accuracy, interval, the page, and what is where."""
        metrics = json.loads((self.folder / "eval" / "metrics.json").read_text())
        low, high = metrics["accuracy_interval"]
        return f"""
Done in {seconds:.0f} s.

{self.folder.resolve()}
  data/             the dataset as TFRecords, with its labels and manifest
  data_inspection/  a page about the images
  train/            checkpoints, report.html, metrics.jsonl, TensorBoard summaries
  eval/             report.html, metrics.json, TensorBoard summaries
  model.pb          the exported graph, described by model.json

Accuracy: {metrics["accuracy"]:.1%} of {metrics["num_examples"]} images, 95 % interval \
{low:.1%} to {high:.1%}
Page: {self.folder.resolve() / "eval" / "report.html"}"""


def default_recipe(weights: Weights) -> str:
    """Returns the recipe for images of one's own: it depends on the weights that there are."""
    return _FINE_TUNED if weights.checkpoint else _FROM_SCRATCH


def held_out(dataset_dir: str) -> str:
    """Returns the split to evaluate on.

    Raises:
      UserError: If there is none.
    """
    contents = manifest.read(dataset_dir)
    splits = contents.splits if contents else {}
    for name in _HELD_OUT:
        if splits.get(name):
            return name
    raise errors.UserError(
        f"There are no images to evaluate on: {dataset_dir} has the splits"
        f" {', '.join(splits) or 'none'}, and needs {' or '.join(_HELD_OUT)}. Put images into a"
        " folder val/ beside train/, or the folders of the classes directly into --source, so that"
        " a fifth of each class is held out; and choose another --output_dir."
    )


def take_image(data: pathlib.Path, split: str, folder: pathlib.Path) -> tuple[pathlib.Path, str]:
    """Writes the first image of a split into a folder; returns its path and its class."""
    contents = manifest.read(data)
    shard = next(each for each in contents.shards if each.split == split and each.records)
    record = next(iter(tfrecords.read_records(data / shard.name)))
    feature = tf.train.Example.FromString(record).features.feature
    suffix = feature["image/format"].bytes_list.value[0].decode()
    image = folder / f"example.{suffix}"
    image.write_bytes(feature["image/encoded"].bytes_list.value[0])
    return image, contents.class_names[feature["image/class/label"].int64_list.value[0]]


def recipe_file(folder: pathlib.Path, recipe: str) -> pathlib.Path:
    """Returns the file of a recipe, where the user can read it.

    Args:
      folder: Folder of the scripts.
      recipe: Name of the recipe.
    """
    name = f"recipes/{recipe}.flags"
    workspace = os.environ.get("BUILD_WORKSPACE_DIRECTORY")  # As `bazel run` says.
    in_workspace = pathlib.Path(workspace or ".", "slim", name)
    return in_workspace if workspace and in_workspace.exists() else folder / name


def _read_flags(path: pathlib.Path) -> dict[str, str]:
    """Returns the flags with a value that a file of flags has."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.removeprefix("--").split("=", 1) for line in lines if line.startswith("--"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
