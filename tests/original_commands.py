"""The commands of the original's documentation, what becomes of each, and the page that says so.

`original_commands_test` types them all on small data. The page is written by

bazel run //tests:original_commands
"""

import dataclasses
import os
import pathlib

PAGE = "docs/original.md"

_RUNS = "runs"


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the original's documentation.

    Attributes:
      topic: What it is for.
      shown: The command, with variables of the shell.
      small: Flags that make it small enough for a test.
      note: How it differs from the original; empty if it runs as it stands.
      instead: What does the same here, if the command itself cannot run.
      tested_by: The test that types it, if that is not `original_commands_test`.
    """

    topic: str
    shown: str
    small: str = ""
    note: str = ""
    instead: str = ""
    tested_by: str = ""

    @property
    def outcome(self) -> str:
        """What becomes of it, in words."""
        if self.instead:
            return f"does not run: {self.note}. Instead: `{self.instead}`"
        return f"{_RUNS}; {self.note}" if self.note else _RUNS


@dataclasses.dataclass(frozen=True)
class FineTuned:
    """What the commands of a network on flowers are made of.

    Attributes:
      name: The network.
      scopes: Scopes of its classifier.
      output: The operation of the original's graph that gives the probabilities.
      image_size: Height and width of the images in the test.
    """

    name: str
    scopes: str
    output: str
    image_size: int

    def commands(self) -> list[Command]:
        """Returns the commands of fine-tuning, evaluating, exporting and freezing."""
        name, output = self.name, self.output
        return [
            Command(
                f"fine-tune {name} on flowers, the new classifier only",
                "python train_image_classifier.py --train_dir=${TRAIN_DIR}"
                " --dataset_dir=${DATASET_DIR} --dataset_name=flowers --dataset_split_name=train"
                f" --model_name={name} --checkpoint_path=${{CHECKPOINT_PATH}}"
                f" --checkpoint_exclude_scopes={self.scopes} --trainable_scopes={self.scopes}",
                f"--max_number_of_steps=1 --batch_size=2 --train_image_size={self.image_size}"
                " --final_statistics_batches=0",
            ),
            Command(
                f"evaluate {name} on flowers",
                "python eval_image_classifier.py --alsologtostderr --checkpoint_path=${TRAIN_DIR}"
                " --dataset_dir=${DATASET_DIR} --dataset_name=flowers"
                f" --dataset_split_name=validation --model_name={name}",
                "--max_num_batches=1 --batch_size=2 --eval_dir=${TRAIN_DIR}/eval"
                f" --eval_image_size={self.image_size}",
            ),
            Command(
                f"export the graph of {name}",
                f"python export_inference_graph.py --alsologtostderr --model_name={name}"
                f" --dataset_name=flowers --output_file=${{TMP}}/{name}_inf_graph.pb",
                f"--image_size={self.image_size}",
                f"the output is called `predictions` too, beside `{output}`",
            ),
            _freeze(name, output, "${TRAIN_DIR}/model.ckpt-1"),
        ]


def _freeze(name: str, output: str, checkpoint: str) -> Command:
    return Command(
        f"freeze the graph of {name}",
        f"python -m tensorflow.python.tools.freeze_graph --input_graph=${{TMP}}/{name}_inf_graph.pb"
        f" --input_checkpoint={checkpoint} --input_binary=true"
        f" --output_graph=${{TMP}}/frozen_{name}.pb --output_node_names={output}",
        note="the original built `freeze_graph` from TensorFlow's sources with Bazel;"
        " `export_inference_graph --checkpoint_path` does both steps in one",
    )


def _scratch(name: str, dataset: str, split: str, output: str) -> list[Command]:
    data = f"--dataset_dir=${{DATASET_DIR}} --dataset_name={dataset}"
    return [
        Command(
            f"train {name} from scratch on {dataset}",
            f"python train_image_classifier.py --train_dir=${{TRAIN_DIR}} {data}"
            f" --dataset_split_name=train --model_name={name}",
            "--max_number_of_steps=1 --batch_size=2 --final_statistics_batches=0",
        ),
        Command(
            f"evaluate {name} on {dataset}",
            "python eval_image_classifier.py --alsologtostderr --checkpoint_path=${TRAIN_DIR}"
            f" {data} --dataset_split_name={split} --model_name={name}",
            "--eval_dir=${TRAIN_DIR}/eval --max_num_batches=2 --batch_size=2",
        ),
        Command(
            f"export the graph of {name}",
            f"python export_inference_graph.py --alsologtostderr --model_name={name}"
            f" --dataset_name={dataset} --output_file=${{TMP}}/{name}_inf_graph.pb",
            note=f"the output is called `predictions` too, beside `{output}`",
        ),
        _freeze(name, output, "${TRAIN_DIR}/model.ckpt-1"),
    ]


def _with_size(commands: list[Command], size: int) -> list[Command]:
    flags = {"train_": "train_image_size", "eval_": "eval_image_size", "export": "image_size"}
    return [
        dataclasses.replace(
            command, small=f"{command.small} --{flag}={size}" if flag else command.small
        )
        for command in commands
        for flag in [next((f for k, f in flags.items() if f" {k}" in command.shown), "")]
    ]


_INCEPTION_V3_OUTPUT = "InceptionV3/Predictions/Reshape_1"

NETWORKS = (
    FineTuned(
        "inception_v1", "InceptionV1/Logits", "InceptionV1/Logits/Predictions/Reshape_1", 193
    ),
    FineTuned(
        "inception_v3", "InceptionV3/Logits,InceptionV3/AuxLogits", _INCEPTION_V3_OUTPUT, 107
    ),
    FineTuned(
        "inception_resnet_v2",
        "InceptionResnetV2/Logits,InceptionResnetV2/AuxLogits",
        "InceptionResnetV2/Logits/Predictions",
        107,
    ),
    FineTuned("resnet_v1_50", "resnet_v1_50/logits", "resnet_v1_50/predictions/Reshape_1", 64),
    FineTuned("mobilenet_v1", "MobilenetV1/Logits", "MobilenetV1/Predictions/Reshape_1", 64),
)

# Name of a group of commands that need each other, in this order -> the commands.
GROUPS: dict[str, list[Command]] = {
    "installation": [
        Command(
            "check the installation of TF-Slim",
            'python -c "import tensorflow.contrib.slim as slim;'
            ' eval = slim.evaluation.evaluate_once"',
            note="where this project is installed, and under `//tools:python`",
        ),
        Command(
            "check the installation of the library",
            'python -c "from nets import cifarnet; mynet = cifarnet.cifarnet"',
            note="in `slim/`, and everywhere where the project is installed",
        ),
        Command(
            "walk through the library in a notebook",
            "jupyter notebook slim_walkthrough.ipynb",
            note="the notebook is another one, on images that need no download; `jupyter execute`"
            " runs it without a browser",
            tested_by="slim_walkthrough_test",
        ),
    ],
    "lenet": [
        Command(
            "convert mnist",
            "python download_and_convert_data.py --dataset_name=mnist --dataset_dir=${DATASET_DIR}",
            "--source=${SOURCE}/mnist --archive_checksums=off",
        ),
        *_scratch("lenet", "mnist", "test", "Predictions/Reshape_1"),
        Command(
            "classify an image with the frozen graph",
            "bazel-bin/tensorflow/examples/label_image/label_image --image=${IMAGE}"
            " --input_layer=input --output_layer=${OUTPUT} --graph=${FROZEN} --labels=${LABELS}",
            note="it is a C++ program in TensorFlow's sources",
            instead="python classify_image.py --model_name=lenet --dataset_name=mnist"
            " --checkpoint_path=${TRAIN_DIR} ${IMAGE}",
        ),
    ],
    "cifarnet": [
        Command(
            "convert cifar10",
            "python download_and_convert_data.py --dataset_name=cifar10"
            " --dataset_dir=${DATASET_DIR}",
            "--source=${SOURCE}/cifar10 --archive_checksums=off",
        ),
        *_scratch("cifarnet", "cifar10", "test", "CifarNet/Predictions/Reshape_1"),
    ],
    "imagenet": [
        Command(
            "convert ImageNet",
            "bazel-bin/slim/download_and_preprocess_imagenet ${DATA_DIR}",
            note="after `bazel build slim/download_and_preprocess_imagenet`",
            tested_by="download_and_preprocess_imagenet_test",
        ),
        *_with_size(_scratch("inception_v3", "imagenet", "validation", _INCEPTION_V3_OUTPUT), 107),
        Command(
            "export the graph of mobilenet_v1 for another image size",
            "python export_inference_graph.py --alsologtostderr --model_name=mobilenet_v1"
            " --image_size=224 --output_file=${TMP}/mobilenet_v1_224.pb",
        ),
        Command(
            "summarize a graph",
            "bazel-bin/tensorflow/tools/graph_transforms/summarize_graph --in_graph=${GRAPH}",
            note="it is a C++ program in TensorFlow's sources; export prints the names of input and"
            " output",
            instead="python list_networks.py inception_v3",
        ),
    ],
    "flowers": [
        Command(
            "convert flowers",
            "python download_and_convert_data.py --dataset_name=flowers"
            " --dataset_dir=${DATASET_DIR}",
            "--source=${SOURCE}/flowers --archive_checksums=off",
        ),
        Command(
            "evaluate a network without a background class on ImageNet",
            "python eval_image_classifier.py --alsologtostderr --checkpoint_path=${CHECKPOINT_PATH}"
            " --dataset_dir=${IMAGENET_DIR} --dataset_name=imagenet"
            " --dataset_split_name=validation --model_name=resnet_v1_50 --labels_offset=1",
            "--max_num_batches=1 --batch_size=2 --eval_dir=${TMP}/eval --eval_image_size=64",
        ),
    ],
    **{f"{network.name}_on_flowers": network.commands() for network in NETWORKS},
    "scripts": [
        Command(
            script,
            f"./scripts/{script}.sh",
            note="it is a script of the shell",
            instead=f"python {program}.py --flagfile=scripts/{flags}.flags",
            tested_by="recipes_test",
        )
        for script, program, flags in (
            ("train_lenet_on_mnist", "train_image_classifier", "train_lenet_on_mnist"),
            ("train_cifarnet_on_cifar10", "train_image_classifier", "train_cifarnet_on_cifar10"),
            *(
                (
                    f"finetune_{network}_on_flowers",
                    "train_image_classifier",
                    f"finetune_{network}_on_flowers",
                )
                for network in ("inception_v1", "inception_v3", "resnet_v1_50")
            ),
            (
                "finetune_inception_resnet_v2_on_flowers",
                "train_image_classifier",
                "finetune_inception_resnet_v2_on_flowers",
            ),
            ("export_mobilenet", "export_inference_graph", "export_mobilenet"),
        )
    ],
}

_HEADER = """# The original's documentation, line by line

What becomes of each command that the documentation of the original library tells to type. All of
them are typed by a test, on small data and for one step; this page is written from its table by
`tools/bazel run //tests:original_commands`. The programs start in `slim/`; with Bazel it is
`tools/bazel run //slim:NAME --` instead of `python NAME.py`.

| for | command | here |
| --- | --- | --- |
"""


def text() -> str:
    """Returns what the page has to contain."""
    commands = [command for group in GROUPS.values() for command in group]
    return _HEADER + "".join(
        f"| {command.topic} | `{command.shown}` | {command.outcome} |\n" for command in commands
    )


if __name__ == "__main__":
    root = pathlib.Path(os.environ.get("BUILD_WORKSPACE_DIRECTORY", "."))
    (root / PAGE).write_text(text(), encoding="utf-8")
